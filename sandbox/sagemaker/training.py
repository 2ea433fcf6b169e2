"""Runs a training job: channels from S3, the image's stand-in, the model to S3."""

from __future__ import annotations

from typing import Any

from moto.core.utils import utcnow
from moto.sagemaker.exceptions import ValidationError

from sandbox.logs import LogShipper
from sandbox.processes import Process, log_tail
from sandbox.runtime import Runtime
from sandbox.sagemaker.cluster import cluster, download_share, max_runtime_seconds
from sandbox.sagemaker.container import Ending, Instance, aws_environment, run, shell_exit_code
from sandbox.sagemaker.images import training_image
from sandbox.sagemaker.job import JobFailedError, TrainingJob
from sandbox.sagemaker.metrics import check_definitions, definitions, final_metrics
from sandbox.sagemaker.requests import Only, Request, check_name, refuse_unsupported
from sandbox.sagemaker.transfer import TransferError, upload_archive

RENDEZVOUS = "SAGESCALE_RENDEZVOUS"  # a file for what machines must tell each other first: here none has an address
FAILURE_CHARACTERS = 1024  # your-algorithms-training-algo-output.html: "the first 1024 characters"

UNSUPPORTED = (
    Only("AlgorithmSpecification.AlgorithmName"),
    Only("AlgorithmSpecification.ContainerEntrypoint"),
    Only("AlgorithmSpecification.TrainingInputMode", ("File", "FastFile")),
    Only("InputDataConfig[].DataSource.FileSystemDataSource"),
    Only("InputDataConfig[].DataSource.S3DataSource.S3DataType", ("S3Prefix",)),
    Only("InputDataConfig[].InputMode", ("File", "FastFile")),
    Only("InputDataConfig[].CompressionType", ("None",)),
    Only("InputDataConfig[].RecordWrapperType", ("None",)),
    Only("OutputDataConfig.CompressionType", ("GZIP",)),
    Only("ResourceConfig.InstanceGroups"),
    Only("CheckpointConfig"),
    Only("DebugHookConfig"),
    Only("DebugRuleConfigurations"),
    Only("TensorBoardOutputConfig"),
)


def check(request: Request) -> None:
    """Refuse with a ValidationError what AWS or the sandbox would not run."""
    check_name("trainingJobName", request["TrainingJobName"])
    refuse_unsupported(request, UNSUPPORTED)
    training_image(_image_uri(request))
    check_definitions(request)
    names = [channel["ChannelName"] for channel in _channels(request)]
    if len(set(names)) != len(names):
        raise ValidationError(f"InputDataConfig names a channel twice: {', '.join(names)}")


def train(job: TrainingJob, runtime: Runtime, shipper: LogShipper) -> str:
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
    job.enter("Starting", "Preparing the instances for training")
    count = job.request["ResourceConfig"].get("InstanceCount", 1)
    with cluster(job, count, runtime=runtime, shipper=shipper) as machines:
        try:
            job.enter("Downloading", "Downloading input data")
            _prepare(job, machines, runtime.client("s3", job.request["RoleArn"]))
            ending, codes = _run(job, machines, runtime)
            return _conclude(job, machines, ending, codes, runtime)
        except TransferError as error:
            raise JobFailedError(f"ClientError: Data download failed: {error}") from error


def _prepare(job: TrainingJob, machines: list[Instance], s3: Any) -> None:
    hosts = [machine.host for machine in machines]
    for number, machine in enumerate(machines):
        _write_configuration(job.request, machine, hosts)
        for directory in ("/opt/ml/model", "/opt/ml/output/data"):
            machine.path(directory).mkdir(parents=True, exist_ok=True)
        for channel in _channels(job.request):
            target = machine.path(f"/opt/ml/input/data/{channel['ChannelName']}")
            download_share(s3, channel["DataSource"]["S3DataSource"], target, number=number, count=len(machines))


def _write_configuration(request: Request, machine: Instance, hosts: list[str]) -> None:
    channels = {channel["ChannelName"]: _channel_configuration(request, channel) for channel in _channels(request)}
    instance_type = request["ResourceConfig"]["InstanceType"]
    group = {"instance_group_name": "homogeneousCluster", "instance_type": instance_type, "hosts": hosts}
    resources = {
        "current_host": machine.host,
        "current_instance_type": instance_type,
        "current_group_name": "homogeneousCluster",
        "hosts": hosts,
        "instance_groups": [group],
        "network_interface_name": "lo",
    }
    machine.write_json("/opt/ml/input/config/hyperparameters.json", request.get("HyperParameters") or {})
    machine.write_json("/opt/ml/input/config/inputdataconfig.json", channels)
    machine.write_json("/opt/ml/input/config/resourceconfig.json", resources)


def _channel_configuration(request: Request, channel: dict[str, Any]) -> dict[str, str]:
    source = channel["DataSource"]["S3DataSource"]
    return {
        "TrainingInputMode": channel.get("InputMode") or request["AlgorithmSpecification"]["TrainingInputMode"],
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": "None",
        **({"ContentType": channel["ContentType"]} if channel.get("ContentType") else {}),
    }


def _run(job: TrainingJob, machines: list[Instance], runtime: Runtime) -> tuple[Ending, dict[str, int]]:
    command = training_image(_image_uri(job.request)).train
    assert command is not None, "check() let an image pass that cannot train"
    environment = {
        **aws_environment(runtime, job.request["RoleArn"], isolated=bool(job.request.get("EnableNetworkIsolation"))),
        "TRAINING_JOB_NAME": job.name,
        "TRAINING_JOB_ARN": job.arn,
        **({RENDEZVOUS: str(machines[0].root.parent / "rendezvous")} if len(machines) > 1 else {}),
        **(job.request.get("Environment") or {}),
    }

    def start(machine: Instance) -> Process:
        return machine.start(list(command), environment)

    job.facts["TrainingStartTime"] = utcnow()
    job.enter("Training", "Training image download completed. Training in progress.")
    limit = max_runtime_seconds(job.request)
    return run(machines, start, stop=job.stop_requested, max_runtime_seconds=limit)


def _conclude(
    job: TrainingJob, machines: list[Instance], ending: Ending, codes: dict[str, int], runtime: Runtime
) -> str:
    image = training_image(_image_uri(job.request))
    failed = {host: code for host, code in codes.items() if code}
    job.facts["FinalMetricDataList"] = final_metrics(machines[0].log, definitions(job.request, image), utcnow())
    job.enter("Uploading", "Uploading generated training model")
    _upload(job, machines, runtime, with_model=not failed)
    if failed:
        raise JobFailedError(_failure_reason(machines, failed))
    if ending is Ending.MAX_RUNTIME:
        job.enter("MaxRuntimeExceeded", "Training job runtime exceeded MaxRuntimeInSeconds provided")
    return "Completed" if ending is Ending.EXITED else "Stopped"


def _upload(job: TrainingJob, machines: list[Instance], runtime: Runtime, *, with_model: bool) -> None:
    uri = f"{job.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{job.name}/output"
    directory = machines[0].root.parent
    models = [machine.path("/opt/ml/model") for machine in machines]
    if with_model:
        upload_archive(
            runtime.client("s3", job.request["RoleArn"]), models, directory / "model.tar.gz", f"{uri}/model.tar.gz"
        )
        job.facts["ModelArtifacts"] = {"S3ModelArtifacts": f"{uri}/model.tar.gz"}
    outputs = [machine.path("/opt/ml/output") for machine in machines]
    if any(path.is_file() for output in outputs for path in output.rglob("*")):
        upload_archive(
            runtime.client("s3", job.request["RoleArn"]), outputs, directory / "output.tar.gz", f"{uri}/output.tar.gz"
        )


def _failure_reason(machines: list[Instance], failed: dict[str, int]) -> str:
    """Return what the container wrote to /opt/ml/output/failure, else the last line of its log."""
    host, code = next(iter(failed.items()))
    machine = next(machine for machine in machines if machine.host == host)
    said = machine.read_text("/opt/ml/output/failure", FAILURE_CHARACTERS)
    reason = said or (log_tail(machine.log, lines=1) or ["the container printed nothing"])[0][:FAILURE_CHARACTERS]
    return f"AlgorithmError: {reason}, exit code: {shell_exit_code(code)}"


def _image_uri(request: Request) -> str:
    uri = request["AlgorithmSpecification"].get("TrainingImage")
    if not uri:
        raise ValidationError("AlgorithmSpecification.TrainingImage is missing: name the algorithm's image")
    return str(uri)


def _channels(request: Request) -> list[dict[str, Any]]:
    return request.get("InputDataConfig") or []
