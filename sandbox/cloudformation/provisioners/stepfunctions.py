"""Step Functions: a workflow is refused whose jobs could not run here."""

from __future__ import annotations

import json
from typing import Any

from sandbox.cloudformation.provisioner import Outcome, Provisioner, Request, provisions
from sandbox.sagemaker.workflow_jobs import refuse_unknown_jobs

_DEFINITION = ("Definition", "DefinitionString", "DefinitionS3Location", "DefinitionSubstitutions")


@provisions("AWS::StepFunctions::StateMachine")
class StateMachine(Provisioner):
    """A state machine; its definition changes in place."""

    replaced_by = frozenset({"StateMachineName", "StateMachineType"})

    def create(self, request: Request) -> Outcome:
        """CreateStateMachine."""
        name = request.physical_name("StateMachineName", longest=80)
        arguments: dict[str, Any] = {"Name": name, "Definition": _definition(request)}
        if "StateMachineType" in request.properties:
            arguments["Type"] = request.properties["StateMachineType"]
        left_out = ("StateMachineName", "StateMachineType", *_DEFINITION)
        arn = request.call_with_all("stepfunctions", "create_state_machine", *left_out, **arguments)["stateMachineArn"]
        return Outcome(arn, {"Arn": arn, "Name": name, "StateMachineRevisionId": "INITIAL"})

    def update(self, request: Request) -> Outcome:
        """UpdateStateMachine."""
        arn = request.physical_id
        kept = ("RoleArn", "LoggingConfiguration", "TracingConfiguration", "EncryptionConfiguration")
        arguments = {"StateMachineArn": arn, "Definition": _definition(request)}
        answer = request.call("stepfunctions", "update_state_machine", *kept, **arguments)
        if request.changed("Tags") and request.properties.get("Tags"):
            request.call("stepfunctions", "tag_resource", "Tags", ResourceArn=arn)
        revision = answer.get("revisionId", "INITIAL")
        return Outcome(arn, {"Arn": arn, "Name": arn.rsplit(":", 1)[1], "StateMachineRevisionId": revision})

    def delete(self, request: Request) -> None:
        """DeleteStateMachine."""
        request.call("stepfunctions", "delete_state_machine", StateMachineArn=request.physical_id)


def _definition(request: Request) -> str:
    properties = request.properties
    if "DefinitionS3Location" in properties:
        place = properties["DefinitionS3Location"]
        text = request.client("s3").get_object(Bucket=place["Bucket"], Key=place["Key"])["Body"].read().decode()
    else:
        text = properties.get("DefinitionString") or json.dumps(properties["Definition"])
    for name, value in properties.get("DefinitionSubstitutions", {}).items():
        text = text.replace(f"${{{name}}}", str(value))
    refuse_unknown_jobs(str(text))  # here, and not when a job is started: by then the deploy has waited for other jobs
    return str(text)
