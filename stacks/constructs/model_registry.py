"""The model registry: every new model that passes the gate becomes a version of the environment's package group.

The workflow makes the group, not the template: a group with versions cannot be deleted, so `cdk destroy` would fail,
and what was once served is worth knowing afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from stacks.constructs.aws_call import aws_call
from stacks.constructs.failure_path import FailurePath
from stacks.naming import Naming

METRICS = ("accuracy", "f1", "roc_auc", "false_alarm_rate")
METRICS_AS_TEXT = {f"{metric}.$": f"States.Format('{{}}', $.evaluation.metrics.{metric})" for metric in METRICS}
PROVENANCE = {
    "key.$": "$.run.key",
    "dataset_hash.$": "$.run.dataset_hash",
    "code_hash.$": "$.run.code_hash",
    "run.$": "$$.Execution.Name",
}

ANSWERS = ("application/json", "application/jsonlines")


@dataclass(frozen=True)
class ServedForm:
    """How a model is served, as the registry tells it.

    Parameters
    ----------
    image_uri : str
        Its container.
    content_types : tuple of str
        What it takes; of these it answers with the kinds of JSON.
    is_evaluated : bool
        Whether there is an evaluation.
    """

    image_uri: str
    content_types: tuple[str, ...]
    is_evaluated: bool


class ModelRegistry(Construct):
    """States that register the run's model, from `start` to `end`.

    `wildcards` says which resources the states name by pattern, and why.

    Parameters
    ----------
    served : ServedForm
        How the model is served, and whether it has metrics.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        naming: Naming,
        bucket: s3.IBucket,
        served: ServedForm,
        failure: FailurePath,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        group = stack.format_arn(
            service="sagemaker", resource="model-package-group", resource_name=naming.model_package_group
        )
        versions = stack.format_arn(
            service="sagemaker", resource="model-package", resource_name=f"{naming.model_package_group}/*"
        )
        self.wildcards = {versions: "a version's number is made when it is registered"}
        self.end = aws_call(
            self,
            "Register",
            failure=failure,
            service="sagemaker",
            action="createModelPackage",
            parameters={
                **self._package(naming, served),
                **(self._quality(bucket) if served.is_evaluated else {}),
                "CustomerMetadataProperties": {**PROVENANCE, **(METRICS_AS_TEXT if served.is_evaluated else {})},
            },
            iam_resources=[group, versions],
            additional_iam_statements=[iam.PolicyStatement(actions=["sagemaker:AddTags"], resources=[versions])],
            result_path=sfn.JsonPath.DISCARD,
        )
        self.start = self._make_group(naming.model_package_group, group)
        self.start.add_catch(self.end, errors=["States.ALL"], result_path=sfn.JsonPath.DISCARD)  # it is there already
        self.start.next(self.end)

    def _make_group(self, name: str, arn: str) -> tasks.CallAwsService:
        make = aws_call(
            self,
            "MakeGroup",
            service="sagemaker",
            action="createModelPackageGroup",
            parameters={"ModelPackageGroupName": name},
            iam_resources=[arn],
            result_path=sfn.JsonPath.DISCARD,
        )
        make.add_retry(max_attempts=2, errors=["States.Timeout"])
        return make

    def _package(self, naming: Naming, served: ServedForm) -> dict[str, object]:
        return {
            "ModelPackageGroupName": naming.model_package_group,
            "ModelApprovalStatus": "Approved",
            "SkipModelValidation": "All",
            "InferenceSpecification": {
                "Containers": [{"Image": served.image_uri, "ModelDataUrl.$": "$.job.model_data_url"}],
                "SupportedContentTypes": list(served.content_types),
                "SupportedResponseMIMETypes": [each for each in served.content_types if each in ANSWERS],
            },
        }

    def _quality(self, bucket: s3.IBucket) -> dict[str, object]:
        evaluation = f"States.Format('s3://{bucket.bucket_name}/models/{{}}/evaluation.json', $.run.key)"
        statistics = {"ContentType": "application/json", "S3Uri.$": evaluation}
        return {"ModelMetrics": {"ModelQuality": {"Statistics": statistics}}}
