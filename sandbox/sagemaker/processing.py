"""Runs a processing job: inputs from S3, the job's own entrypoint, outputs to S3."""

from __future__ import annotations

from typing import Any

from moto.core.utils import utcnow
from moto.sagemaker.exceptions import ValidationError

from sandbox.logs import LogShipper
from sandbox.processes import Process
from sandbox.runtime import Runtime
from sandbox.sagemaker.cluster import cluster, download_share, max_runtime_seconds
from sandbox.sagemaker.container import OPT_ML, Ending, Instance, aws_environment, run, shell_exit_code
from sandbox.sagemaker.images import processing_image
from sandbox.sagemaker.job import JobFailedError, ProcessingJob
from sandbox.sagemaker.requests import Only, Request, check_name, refuse_unsupported
from sandbox.sagemaker.transfer import TransferError, upload_directory

EXIT_MESSAGE_CHARACTERS = 1024  # API_DescribeProcessingJob.html

UNSUPPORTED = (
    Only("ProcessingInputs[].DatasetDefinition"),
    Only("ProcessingInputs[].S3Input.S3DataType", ("S3Prefix",)),
    Only("ProcessingInputs[].S3Input.S3InputMode", ("File",)),
    Only("ProcessingInputs[].S3Input.S3CompressionType", ("None",)),
    Only("ProcessingOutputConfig.Outputs[].FeatureStoreOutput"),
    Only("ProcessingOutputConfig.Outputs[].S3Output.S3UploadMode", ("EndOfJob",)),
)


def check(request: Request) -> None:
    """Refuse with a ValidationError what AWS or the sandbox would not run."""
    check_name("processingJobName", request["ProcessingJobName"])
    refuse_unsupported(request, UNSUPPORTED)
    image = request["AppSpecification"]["ImageUri"]
    processing_image(image)
    if not request["AppSpecification"].get("ContainerEntrypoint"):
        raise ValidationError(
            f"AppSpecification.ContainerEntrypoint is missing: the sandbox does not know the one of '{image}'"
        )
    paths = [item["LocalPath"] for item in (*_inputs(request), *_outputs(request))]
    foreign = [path for path in paths if not path.startswith(OPT_ML + "/")]
    if foreign:
        raise ValidationError(
            f"LocalPath {', '.join(foreign)} is not below {OPT_ML}, where the sandbox keeps a job's files"
        )


def process(job: ProcessingJob, runtime: Runtime, shipper: LogShipper) -> str:
    """Run `job` to its end.

    Returns
    -------
    str
        ``Completed`` or ``Stopped``.

    Raises
    ------
    JobFailedError
        With AWS's words for whose fault it is.
    """
    count = job.request["ProcessingResources"]["ClusterConfig"]["InstanceCount"]
    with cluster(job, count, runtime=runtime, shipper=shipper) as machines:
        try:
            _prepare(job, machines, runtime.client("s3", job.request["RoleArn"]))
            job.facts["ProcessingStartTime"] = utcnow()
            ending, codes = run(
                machines,
                lambda machine: _start(job, machine, runtime),
                stop=job.stop_requested,
                max_runtime_seconds=max_runtime_seconds(job.request),
            )
            return _conclude(job, machines, ending, codes, runtime.client("s3", job.request["RoleArn"]))
        except TransferError as error:
            raise JobFailedError(f"ClientError: Data transfer failed: {error}") from error


def _prepare(job: ProcessingJob, machines: list[Instance], s3: Any) -> None:
    hosts = [machine.host for machine in machines]
    for number, machine in enumerate(machines):
        machine.write_json("/opt/ml/config/processingjobconfig.json", {"ProcessingJobArn": job.arn, **job.request})
        machine.write_json("/opt/ml/config/resourceconfig.json", {"current_host": machine.host, "hosts": hosts})
        for source in _inputs(job.request):
            download_share(s3, source, machine.path(source["LocalPath"]), number=number, count=len(machines))
        for output in _outputs(job.request):
            machine.path(output["LocalPath"]).mkdir(parents=True, exist_ok=True)


def _start(job: ProcessingJob, machine: Instance, runtime: Runtime) -> Process:
    application = job.request["AppSpecification"]
    command = [*application["ContainerEntrypoint"], *application.get("ContainerArguments", [])]
    isolated = bool((job.request.get("NetworkConfig") or {}).get("EnableNetworkIsolation"))
    own = job.request.get("Environment") or {}
    return machine.start(command, {**aws_environment(runtime, job.request["RoleArn"], isolated=isolated), **own})


def _conclude(job: ProcessingJob, machines: list[Instance], ending: Ending, codes: dict[str, int], s3: Any) -> str:
    messages = [machine.read_text("/opt/ml/output/message", EXIT_MESSAGE_CHARACTERS) for machine in machines]
    job.facts["ExitMessage"] = next(filter(None, messages), None)
    if ending is not Ending.EXITED:
        return "Stopped"
    failed = next((code for code in codes.values() if code), None)
    if failed is not None:
        raise JobFailedError(f"AlgorithmError: See job logs for more information, exit code: {shell_exit_code(failed)}")
    for output in _outputs(job.request):
        for machine in machines:
            upload_directory(s3, machine.path(output["LocalPath"]), output["S3Uri"])
    return "Completed"


def _inputs(request: Request) -> list[dict[str, Any]]:
    return [item["S3Input"] for item in request.get("ProcessingInputs") or []]


def _outputs(request: Request) -> list[dict[str, Any]]:
    return [item["S3Output"] for item in (request.get("ProcessingOutputConfig") or {}).get("Outputs", [])]
