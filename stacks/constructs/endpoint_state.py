"""Whether the endpoint is awake: a parameter of the stack, and what exists only then."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnCondition, CfnParameter, CfnResource, Fn
from constructs import Construct, IConstruct

PARAMETER = "EndpointState"
AWAKE, ASLEEP = "awake", "asleep"


class EndpointState(Construct):
    """The parameter `EndpointState` and its two conditions.

    A deploy keeps the parameter's value, so it neither wakes nor puts to sleep. What is asleep is not there:
    CloudFormation makes it again on waking.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        parameter = CfnParameter(
            self,
            "Value",
            type="String",
            default=AWAKE,
            allowed_values=[AWAKE, ASLEEP],
            description="Set by `sagescale sleep` and `wake`; asleep, the stack has no endpoint and no scaling.",
        )
        parameter.override_logical_id(PARAMETER)
        self.awake = self._condition("Awake", parameter, AWAKE)
        self.asleep = self._condition("Asleep", parameter, ASLEEP)

    def _condition(self, name: str, parameter: CfnParameter, value: str) -> CfnCondition:
        condition = CfnCondition(self, name, expression=Fn.condition_equals(parameter.value_as_string, value))
        condition.override_logical_id(f"EndpointIs{name}")
        return condition

    def choose(self, awake: Any, asleep: Any) -> Any:
        """Return one value or the other; whatever `awake` refers to comes first while it is there."""
        return Fn.condition_if(self.awake.logical_id, awake, asleep)

    def only_while_awake(self, construct: IConstruct) -> None:
        """Let every resource of `construct` exist only while the endpoint is awake."""
        for part in construct.node.find_all():
            if isinstance(part, CfnResource):
                part.cfn_options.condition = self.awake
