"""What follows the gate: the model is copied to where it stays, approved, and rolled out.

IsItNew? --yes--> CopyModel -> CopyEvaluation -> Register -.
'--no--------------------------------------------------+-> Approve -> rolled out by whom?
deploy:           answer CloudFormation, the deploy goes on by itself
retrain, promote: update the serving stack, see `Rollout`
"""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from stacks.constructs.approved_parameter import ApprovedParameter
from stacks.constructs.aws_call import aws_call, objects
from stacks.constructs.failure_path import FailurePath
from stacks.constructs.model_registry import ModelRegistry, ServedForm
from stacks.constructs.rollout import Rollout, ServingUpdate
from stacks.naming import Naming

EVALUATION = "evaluation/evaluation.json"  # below a run's prefix


class Promotion(Construct):
    """States from the passed gate to the end of the run; `start` is the first of them.

    `wildcards` says which resources the states name by pattern, and why.

    Parameters
    ----------
    served : ServedForm
        How the model is served, and whether there is an evaluation to keep and to register.
    artifact : str
        What of the run is promoted: the key below its prefix, with ``{job}`` for the training job's name.
    serving : ServingUpdate
        How a run outside a deploy updates the serving stack.
    answer : IFunction
        Tells CloudFormation, where a deploy asked for the run.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        naming: Naming,
        bucket: s3.IBucket,
        served: ServedForm,
        artifact: str,
        serving: ServingUpdate,
        answer: lambda_.IFunction,
        failure: FailurePath,
    ) -> None:
        super().__init__(scope, construct_id)
        self._naming = naming
        self._serving = serving
        self._bucket = bucket
        self._failure = failure
        self._is_evaluated = served.is_evaluated
        self._artifact = artifact
        self._approved = ApprovedParameter(naming.approved_model_parameter, failure)
        self.wildcards: dict[str, str] = {}
        registry = ModelRegistry(self, "Registry", naming=naming, bucket=bucket, served=served, failure=failure)
        self.wildcards |= registry.wildcards
        self.start = self._start(self._answer(answer), registry)

    def _start(self, answer: sfn.IChainable, registry: ModelRegistry) -> sfn.Choice:
        model = self._copy("CopyModel", source=self._artifact, file="model.tar.gz")
        rollout = Rollout(
            self,
            "Rollout",
            stack_name=self._naming.stack("serving"),
            serving=self._serving,
            approved=self._approved,
            failure=self._failure,
        )
        self.wildcards |= rollout.wildcards
        approve = self._approved.write(self, "Approve", "$.job.model_data_url")
        by_whom = (
            sfn.Choice(self, "WhoRollsOut")
            .when(sfn.Condition.not_(sfn.Condition.string_equals("$.mode", "deploy")), rollout.start)
            .otherwise(approve.next(answer))
        )
        registry.end.next(by_whom)
        copied: sfn.INextable = model
        if self._is_evaluated:
            copied = model.next(self._copy("CopyEvaluation", source=EVALUATION, file="evaluation.json"))
        copied.next(registry.start)
        return (
            sfn.Choice(self, "IsItNew")
            .when(sfn.Condition.boolean_equals("$.evaluated.is_new", True), model)
            .otherwise(by_whom)
        )

    def _copy(self, construct_id: str, *, source: str, file: str) -> tasks.CallAwsService:
        key, job = source.replace("{job}", "{}"), ", $.trained.job" if "{job}" in source else ""
        run = f"States.Format('{self._bucket.bucket_name}/runs/{{}}/{{}}/{key}', $.run.key, $$.Execution.Name{job})"
        written, read = objects(self._bucket, f"models/*/{file}", f"runs/*/{file}")
        self.wildcards |= dict.fromkeys((written, read), "every run has a key of its own")
        return aws_call(
            self,
            construct_id,
            failure=self._failure,
            service="s3",
            action="copyObject",
            parameters={
                "Bucket": self._bucket.bucket_name,
                "CopySource.$": run,
                "Key.$": f"States.Format('models/{{}}/{file}', $.run.key)",
            },
            iam_action="s3:PutObject",
            iam_resources=[written],
            additional_iam_statements=[iam.PolicyStatement(actions=["s3:GetObject"], resources=[read])],
            result_path=sfn.JsonPath.DISCARD,
        )

    def _answer(self, answer: lambda_.IFunction) -> sfn.Choice:
        done = sfn.Succeed(self, "Approved")
        tell = tasks.LambdaInvoke(
            self,
            "AnswerSuccess",
            lambda_function=answer,
            payload=sfn.TaskInput.from_object(
                {"cloudformation.$": "$.cloudformation", "model_data_url.$": "$.job.model_data_url"}
            ),
            result_path=sfn.JsonPath.DISCARD,
        )
        return (
            sfn.Choice(self, "DidADeployAskForIt")
            .when(sfn.Condition.is_present("$.cloudformation"), tell.next(done))
            .otherwise(done)
        )
