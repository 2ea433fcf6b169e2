"""The one path of every failure of the training workflow: find the reason, tell whose fault it is, answer, fail.

A failed SageMaker job arrives as `States.TaskFailed` whose Cause is the whole job as JSON; what a person needs is its
FailureReason, or for a processing job the message it left behind.
"""

from __future__ import annotations

from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

AWS_FAULTS = ["*InternalServerError*", "*InternalFailure*", "*CapacityError*"]  # FailureReason's words, SageMaker API
JOB = "$.failed.job"


class FailurePath(Construct):
    """States that end an execution with its reason.

    Parameters
    ----------
    answer : IFunction
        Tells CloudFormation, where a deploy asked for the run.
    """

    def __init__(self, scope: Construct, construct_id: str, *, answer: lambda_.IFunction) -> None:
        super().__init__(scope, construct_id)
        self.report = self._report(answer)
        self.explain = self._explain()
        self._worth_another_try = sfn.Condition.and_(
            sfn.Condition.is_present("$.error.Cause"),
            sfn.Condition.or_(*(sfn.Condition.string_matches("$.error.Cause", words) for words in AWS_FAULTS)),
            sfn.Condition.number_equals("$.job.attempt", 0),
        )

    def catch(self, task: sfn.CustomState | sfn.TaskStateBase) -> None:
        """Send every failure of `task` here."""
        task.add_catch(self.explain, errors=["States.ALL"], result_path="$.error")

    def catch_job(self, job: sfn.CustomState) -> None:
        """Send a job's failure here, but run the job once more first when the fault is AWS's."""
        name = job.node.id
        again = sfn.Pass(self, f"{name}Again", result=sfn.Result.from_number(1), result_path="$.job.attempt")
        again.next(job)
        failed = sfn.Choice(self, f"{name}Failed").when(self._worth_another_try, again).otherwise(self.explain)
        job.add_catch(failed, errors=["States.ALL"], result_path="$.error")

    def refuse(self, construct_id: str, reason: str) -> sfn.Pass:
        """Return a state that fails the run with the expression `reason`."""
        refusal = sfn.Pass(self, construct_id, parameters={"text.$": reason}, result_path="$.reason")
        refusal.next(self.report)
        return refusal

    def _explain(self) -> sfn.Choice:
        is_job = sfn.Condition.and_(
            sfn.Condition.is_present("$.error.Cause"),
            sfn.Condition.string_matches("$.error.Cause", '*"FailureReason"*'),
        )
        parse = sfn.Pass(
            self, "ReadFailedJob", parameters={"job.$": "States.StringToJson($.error.Cause)"}, result_path="$.failed"
        )
        parse.next(self._explain_job())
        return (
            sfn.Choice(self, "WhatFailed")
            .when(is_job, parse)
            .otherwise(self.refuse("ExplainError", "States.JsonToString($.error)"))
        )

    def _explain_job(self) -> sfn.Choice:
        reason = f"{JOB}.FailureReason"
        aws_fault = sfn.Condition.or_(*(sfn.Condition.string_matches(reason, words) for words in AWS_FAULTS))
        return (
            sfn.Choice(self, "WhoseFault")
            .when(
                aws_fault,
                self.refuse("ExplainAwsFault", f"States.Format('a fault of AWS, run it again: {{}}', {reason})"),
            )
            .when(
                sfn.Condition.is_present(f"{JOB}.ExitMessage"),
                self.refuse(
                    "ExplainProcessingJob",
                    f"States.Format('processing job {{}} failed: {{}}', {JOB}.ProcessingJobName, {JOB}.ExitMessage)",
                ),
            )
            .when(
                sfn.Condition.is_present(f"{JOB}.TrainingJobName"),
                self.refuse(
                    "ExplainTrainingJob",
                    f"States.Format('training job {{}} failed: {{}}', {JOB}.TrainingJobName, {reason})",
                ),
            )
            .otherwise(self.refuse("ExplainJob", f"States.Format('a job failed: {{}}', {reason})"))
        )

    def _report(self, answer: lambda_.IFunction) -> sfn.Choice:
        fail = sfn.Fail(self, "RunFailed", error="TrainingFailed", cause_path="$.reason.text")
        tell = tasks.LambdaInvoke(
            self,
            "AnswerFailure",
            lambda_function=answer,
            payload=sfn.TaskInput.from_object({"cloudformation.$": "$.cloudformation", "reason.$": "$.reason.text"}),
            result_path=sfn.JsonPath.DISCARD,
        )
        tell.next(fail)
        return (
            sfn.Choice(self, "DidADeployAsk").when(sfn.Condition.is_present("$.cloudformation"), tell).otherwise(fail)
        )
