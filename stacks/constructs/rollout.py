"""How a run outside a deploy brings its model into service: an update of the serving stack with its own template.

    ReadApproved -> ApproveRetrained -> UpdateServing -> wait until it ends -> RolledOut
                                            |                  | rolled back
                                            '-- refused -------+-> put the old value back if it is still ours -> fail

The template stays the previous one and every parameter keeps its value; only what the parameters name is read anew.
CloudFormation updates with the role the stack was deployed with, so nothing is passed.
"""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from config.settings import Endpoint
from stacks.constructs.approved_parameter import ApprovedParameter
from stacks.constructs.aws_call import aws_call
from stacks.constructs.endpoint_state import PARAMETER
from stacks.constructs.failure_path import FailurePath

KEPT_PARAMETERS = ("ApprovedModel", "BootstrapVersion")  # of every serving stack that trains; a test holds the list
BOOTSTRAP_VERSION = "cdk-bootstrap/*/version"  # what BootstrapVersion names, whatever the qualifier
POLL = Duration.seconds(15)
NOTHING_TO_DO = ("*No updates are to be performed*", "*does not exist*")  # same model again; nothing serves yet


@dataclass(frozen=True)
class ServingUpdate:
    """What an update of the serving stack from outside must know of its settings.

    Parameters
    ----------
    parameters : tuple of str
        All of the stack's; they keep their values.
    longest_seconds : int
        What an endpoint's update may take with its provisioning.
    """

    parameters: tuple[str, ...]
    longest_seconds: int

    @classmethod
    def of(cls, endpoint: Endpoint) -> ServingUpdate:
        """Read the settings of an endpoint."""
        state = (PARAMETER,) if endpoint.sleep else ()
        return cls((*KEPT_PARAMETERS, *state), endpoint.deployment.maximum_execution_timeout_seconds)


class Rollout(Construct):
    """States that update the serving stack; `start` is the first of them.

    Parameters
    ----------
    stack_name : str
        Name of the serving stack.
    serving : ServingUpdate
        Its parameters, and how long it may take.
    approved : ApprovedParameter
        What the serving stack reads at every update.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stack_name: str,
        serving: ServingUpdate,
        approved: ApprovedParameter,
        failure: FailurePath,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stack_name = stack_name
        self._serving = serving
        self._stack_arn = Stack.of(self).format_arn(
            service="cloudformation", resource="stack", resource_name=f"{stack_name}/*"
        )
        self._version = Stack.of(self).format_arn(service="ssm", resource="parameter", resource_name=BOOTSTRAP_VERSION)
        self.wildcards = {
            self._stack_arn: "the id of a stack is made when it is created, after this policy",
            self._version: "the qualifier of the account's bootstrap is not this stack's to know",
        }
        self._approved = approved
        self._failure = failure
        self._done = sfn.Succeed(self, "RolledOut")
        self._undo = self._put_back()
        count = sfn.Pass(self, "StartCounting", parameters={"polls": 0}, result_path="$.rollout")
        approve = approved.write(self, "ApproveRetrained", "$.job.model_data_url")
        approve.next(count).next(self._update())
        self.start = approved.read(self, "ReadApproved", "$.previous")
        self.start.next(approve)

    def _update(self) -> tasks.CallAwsService:
        update = aws_call(
            self,
            "UpdateServing",
            service="cloudformation",
            action="updateStack",
            parameters={
                "StackName": self._stack_name,
                "UsePreviousTemplate": True,
                "Parameters": [{"ParameterKey": key, "UsePreviousValue": True} for key in self._serving.parameters],
                "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            },
            iam_resources=[self._stack_arn],
            additional_iam_statements=[self._parameter_statement()],
            result_path=sfn.JsonPath.DISCARD,
        )
        update.next(self._watch())
        update.add_catch(self._why_refused(update), errors=["States.ALL"], result_path="$.outcome")
        return update

    def _parameter_statement(self) -> iam.PolicyStatement:
        """Return what lets CloudFormation read the parameters' values: it asks with the caller's permissions."""
        return iam.PolicyStatement(actions=["ssm:GetParameters"], resources=[self._approved.arn(self), self._version])

    def _why_refused(self, update: sfn.IChainable) -> sfn.Choice:
        cause = "$.outcome.Cause"
        nothing = sfn.Condition.or_(*(sfn.Condition.string_matches(cause, words) for words in NOTHING_TO_DO))
        return (
            sfn.Choice(self, "WhyRefused")
            .when(nothing, self._done)
            .when(
                self._may_wait(sfn.Condition.string_matches(cause, "*_IN_PROGRESS*")), self._wait("Turn").next(update)
            )
            .otherwise(self._undo)
        )

    def _watch(self) -> sfn.IChainable:
        describe = aws_call(
            self,
            "DescribeServing",
            failure=self._failure,
            service="cloudformation",
            action="describeStacks",
            parameters={"StackName": self._stack_name},
            iam_resources=[self._stack_arn],
            result_selector={"status.$": "$.Stacks[0].StackStatus"},
            result_path="$.outcome",
        )
        status = "$.outcome.status"
        describe.next(
            sfn.Choice(self, "IsItUpdated")
            .when(sfn.Condition.string_equals(status, "UPDATE_COMPLETE"), self._done)
            .when(
                self._may_wait(sfn.Condition.string_matches(status, "*_IN_PROGRESS")),
                self._wait("Update").next(describe),
            )
            .otherwise(self._undo)
        )
        return describe

    def _may_wait(self, condition: sfn.Condition) -> sfn.Condition:
        most_polls = self._serving.longest_seconds // int(POLL.to_seconds())
        return sfn.Condition.and_(condition, sfn.Condition.number_less_than("$.rollout.polls", most_polls))

    def _wait(self, what: str) -> sfn.Chain:
        count = sfn.Pass(
            self,
            f"Count{what}",
            parameters={"polls.$": "States.MathAdd($.rollout.polls, 1)"},
            result_path="$.rollout",
        )
        return sfn.Chain.start(sfn.Wait(self, f"WaitFor{what}", time=sfn.WaitTime.duration(POLL))).next(count)

    def _put_back(self) -> sfn.IChainable:
        """Return the states that give the parameter its old value, unless another run has written it since."""
        refuse = self._failure.refuse(
            "ServingRefuses",
            f"States.Format('stack {self._stack_name} did not take the model: {{}}', States.JsonToString($.outcome))",
        )
        write = self._approved.write(self, "PutBack", "$.previous.values[0]")
        ours = sfn.Condition.and_(
            sfn.Condition.is_present("$.previous.values[0]"),
            sfn.Condition.string_equals_json_path("$.now.values[0]", "$.job.model_data_url"),
        )
        read = self._approved.read(self, "ReadApprovedNow", "$.now")
        return read.next(sfn.Choice(self, "IsItStillOurs").when(ours, write.next(refuse)).otherwise(refuse))
