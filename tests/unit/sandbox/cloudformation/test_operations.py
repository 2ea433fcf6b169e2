"""Stack operations in the order AWS documents: new first, old last, and back when something fails."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from sandbox.cloudformation.errors import ValidationError
from sandbox.cloudformation.stack import Stack


def statuses(stack: Stack) -> list[str]:
    return [event.status for event in stack.events if event.logical_id == stack.name]


def reason_of(stack: Stack, logical_id: str, status: str) -> str | None:
    return next(event.reason for event in stack.events if (event.logical_id, event.status) == (logical_id, status))


def test_create_follows_references_and_depends_on(driver: Any, world: Any, thing: Any) -> None:
    stack = driver.create(
        {
            "C": thing({"DependsOn": "B"}),
            "B": thing(Value={"Fn::Sub": "${A.Arn}"}),
            "A": thing(),
        }
    )
    assert stack.status == "CREATE_COMPLETE"
    assert [name for _, name, _ in world.calls] == ["A", "B", "C"]
    assert stack.resources["B"].properties == {"Value": "arn:A-1"}


def test_failed_create_deletes_what_it_made_and_says_why(driver: Any, world: Any, thing: Any) -> None:
    stack = driver.create({"A": thing(), "B": thing({"DependsOn": "A"}, Fail="create")})
    assert statuses(stack) == ["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"]
    assert world.alive == {}
    assert reason_of(stack, "B", "CREATE_FAILED") == "B was told to fail to create"
    assert reason_of(stack, "stack", "ROLLBACK_IN_PROGRESS") == (
        "The following resource(s) failed to create: [B]. Rollback requested by user."
    )
    with pytest.raises(ValidationError, match="ROLLBACK_COMPLETE state and can not be updated"):
        driver.update({"A": thing()})


def test_failed_create_keeps_everything_when_rollback_is_disabled(driver: Any, world: Any, thing: Any) -> None:
    stack = driver.create({"A": thing(), "B": thing({"DependsOn": "A"}, Fail="create")}, DisableRollback=True)
    assert (stack.status, list(world.alive)) == ("CREATE_FAILED", ["A-1"])
    driver.service.roll_back("stack")
    assert (driver.settle().status, world.alive) == ("ROLLBACK_COMPLETE", {})


def test_failed_create_keeps_retained_resources_unless_retained_except_on_create(
    driver: Any, world: Any, thing: Any
) -> None:
    driver.create(
        {
            "Kept": thing({"DeletionPolicy": "Retain"}),
            "Gone": thing({"DeletionPolicy": "RetainExceptOnCreate"}),
            "B": thing({"DependsOn": ["Kept", "Gone"]}, Fail="create"),
        }
    )
    assert [name.split("-")[0] for name in world.alive] == ["Kept"]


def test_update_changes_in_place_what_differs_and_nothing_else(driver: Any, world: Any, thing: Any) -> None:
    driver.create({"A": thing(Value=1), "B": thing(Value=2)})
    stack = driver.update({"A": thing(Value=5), "B": thing(Value=2)})
    assert world.said("update") == [("update", "A", 5)]
    assert statuses(stack)[2:] == ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"]


def test_update_without_changes_is_refused(driver: Any, thing: Any) -> None:
    driver.create({"A": thing(Value=1)})
    with pytest.raises(ValidationError, match=r"No updates are to be performed\."):
        driver.update({"A": thing({"Metadata": {"note": "not a change"}}, Value=1)})


def test_replacement_reaches_dependants_and_the_old_one_goes_last(driver: Any, world: Any, thing: Any) -> None:
    resources = {"A": thing(Name="one"), "B": thing(Value={"Ref": "A"})}
    driver.create(resources)
    stack = driver.update({**resources, "A": thing(Name="two")})
    assert [(verb, name) for verb, name, _ in world.calls[2:]] == [("create", "A"), ("update", "B"), ("delete", "A")]
    assert stack.resources["B"].properties == {"Value": stack.resources["A"].physical_id}
    assert set(world.alive) == {"A-2", "B-1"}


def test_update_replace_policy_retain_keeps_the_replaced_resource(driver: Any, world: Any, thing: Any) -> None:
    driver.create({"A": thing({"UpdateReplacePolicy": "Retain"}, Name="one")})
    driver.update({"A": thing({"UpdateReplacePolicy": "Retain"}, Name="two")})
    assert set(world.alive) == {"A-1", "A-2"}


def test_removed_resources_go_in_reverse_order_after_everything_else(driver: Any, world: Any, thing: Any) -> None:
    driver.create({"A": thing(), "B": thing(Value={"Ref": "A"}), "C": thing(Value=1)})
    driver.update({"C": thing(Value=2)})
    assert [(verb, name) for verb, name, _ in world.calls[3:]] == [("update", "C"), ("delete", "B"), ("delete", "A")]


def test_failed_update_puts_back_values_replacements_and_new_resources(driver: Any, world: Any, thing: Any) -> None:
    before = {"A": thing(Name="one"), "B": thing(Value={"Ref": "A"})}
    driver.create(before)
    stack = driver.update(
        {
            "A": thing(Name="two"),
            "B": thing(Value={"Ref": "A"}),
            "New": thing({"DependsOn": "B"}),
            "Bad": thing({"DependsOn": "New"}, Fail="create"),
        }
    )
    assert statuses(stack)[2:] == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
    ]
    assert stack.reason is None
    assert set(world.alive) == {"A-1", "B-1"}
    assert world.said("update") == [("update", "B", "A-2"), ("update", "B", "A-1")]
    assert {name: resource.physical_id for name, resource in stack.resources.items()} == {"A": "A-1", "B": "B-1"}


def test_update_in_place_that_makes_another_resource_fails_and_deletes_neither(
    driver: Any, world: Any, thing: Any
) -> None:
    driver.create({"A": thing(Value=1)})
    stack = driver.update({"A": thing(Value=2, Renamed="A-other")})
    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
    assert reason_of(stack, "A", "UPDATE_FAILED") == "The sandbox's update in place made A-other of A-1."
    assert world.said("delete") == []
    assert stack.resources["A"].physical_id == "A-1"


def test_failed_resource_gets_its_old_properties_again(driver: Any, world: Any, thing: Any) -> None:
    driver.create({"A": thing(Value="old")})
    stack = driver.update({"A": thing(Value="new", Fail="update")})
    assert world.said("update") == [("update", "A", "new"), ("update", "A", "old")]
    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
    assert world.alive == {"A-1": {"Value": "old"}}


def test_failed_update_with_rollback_disabled_can_go_on_or_back(driver: Any, world: Any, thing: Any) -> None:
    driver.create({"A": thing(Value=1), "B": thing(Value=1)})
    bad = {"A": thing(Value=2), "B": thing({"DependsOn": "A"}, Value=2, Fail="update")}
    assert driver.update(bad, DisableRollback=True).status == "UPDATE_FAILED"
    driver.service.roll_back("stack")
    assert driver.settle().status == "UPDATE_ROLLBACK_COMPLETE"
    assert world.alive == {"A-1": {"Value": 1}, "B-1": {"Value": 1}}
    driver.update(bad, DisableRollback=True)
    assert driver.update({"A": thing(Value=2), "B": thing(Value=3)}).status == "UPDATE_COMPLETE"


def test_failed_rollback_can_be_continued_without_the_resource_that_blocks_it(
    driver: Any, world: Any, thing: Any
) -> None:
    driver.create({"A": thing(Value=1, Fail="update"), "B": thing(Value=1)})
    stack = driver.update({"A": thing(Value=2), "B": thing({"DependsOn": "A"}, Value=2, Fail="update")})
    assert stack.status == "UPDATE_ROLLBACK_FAILED"
    with pytest.raises(ValidationError, match="can not be updated"):
        driver.update({"A": thing(Value=3)})
    driver.service.continue_rollback("stack", frozenset({"A"}))
    assert driver.settle().status == "UPDATE_ROLLBACK_COMPLETE"
    assert world.alive["B-1"] == {"Value": 1}


def test_cancelled_update_rolls_back(driver: Any, world: Any, thing: Any) -> None:
    driver.create({"A": thing(Value=1), "B": thing({"DependsOn": "A"}, Value=1)})
    world.hold.clear()
    driver.service.update_stack(
        {"StackName": "stack", "TemplateBody": _body({"A": thing(Value=2), "B": thing({"DependsOn": "A"}, Value=2)})}
    )
    while not world.said("update"):
        time.sleep(0.01)
    driver.service.cancel_update("stack")
    world.hold.set()
    assert driver.settle().status == "UPDATE_ROLLBACK_COMPLETE"
    assert world.alive == {"A-1": {"Value": 1}, "B-1": {"Value": 1}}


def test_delete_goes_against_the_dependencies_and_keeps_what_is_retained(driver: Any, world: Any, thing: Any) -> None:
    driver.create(
        {"A": thing({"DeletionPolicy": "Retain"}), "B": thing(Value={"Ref": "A"}), "C": thing(Value={"Ref": "B"})}
    )
    stack = driver.delete()
    assert stack.status == "DELETE_COMPLETE"
    assert [name for _, name, _ in world.said("delete")] == ["C", "B"]
    assert list(world.alive) == ["A-1"]


def test_delete_failure_leaves_what_it_depends_on(driver: Any, world: Any, thing: Any) -> None:
    driver.create({"A": thing(), "B": thing(Value={"Ref": "A"}, Fail="delete"), "C": thing()})
    stack = driver.delete()
    assert stack.status == "DELETE_FAILED"
    assert stack.reason == "The following resource(s) failed to delete: [B]."
    assert {name.split("-")[0] for name in world.alive} == {"A", "B"}
    driver.service.delete_stack("stack", frozenset({"B"}))
    assert stack.settled.wait(10)
    assert stack.status == "DELETE_COMPLETE"
    assert {name.split("-")[0] for name in world.alive} == {"B"}


def test_protected_stack_is_not_deleted(driver: Any, thing: Any) -> None:
    driver.create({"A": thing()}, EnableTerminationProtection=True)
    with pytest.raises(ValidationError, match="TerminationProtection is enabled"):
        driver.delete()


def test_refused_type_fails_by_name_before_anything_is_created(driver: Any, world: Any, thing: Any) -> None:
    with pytest.raises(ValidationError, match=r"Unrecognized resource types: \[AWS::Nope::Thing\]"):
        driver.create({"A": thing(), "B": {"Type": "AWS::Nope::Thing"}})
    assert world.calls == []


def test_type_of_a_resource_cannot_change(driver: Any, thing: Any) -> None:
    driver.create({"A": thing()})
    with pytest.raises(ValidationError, match="Update of resource type is not permitted"):
        driver.update({"A": {"Type": "AWS::CDK::Metadata"}})


def test_ssm_parameter_is_resolved_anew_with_use_previous_value(
    driver: Any, world: Any, thing: Any, parameters_in_ssm: dict[str, str]
) -> None:
    parameters_in_ssm["/model/approved"] = "s3://bucket/one"
    resources = {"A": thing(Value={"Ref": "Approved"})}
    declared = {"Approved": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/model/approved"}}
    stack = driver.create(resources, TemplateParameters=declared)
    assert stack.resources["A"].properties == {"Value": "s3://bucket/one"}
    previous = [{"ParameterKey": "Approved", "UsePreviousValue": True}]
    with pytest.raises(ValidationError, match="No updates"):
        driver.update(resources, TemplateParameters=declared, Parameters=previous)
    parameters_in_ssm["/model/approved"] = "s3://bucket/two"
    driver.service.update_stack({"StackName": "stack", "UsePreviousTemplate": True, "Parameters": previous})
    assert driver.settle().resources["A"].properties == {"Value": "s3://bucket/two"}


def test_missing_ssm_parameter_is_named(driver: Any, thing: Any) -> None:
    declared = {"Approved": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/model/approved"}}
    with pytest.raises(ValidationError, match=r"Unable to fetch parameters \[/model/approved\]"):
        driver.create({"A": thing(Value={"Ref": "Approved"})}, TemplateParameters=declared)


def test_export_is_guarded_while_it_is_imported(driver: Any, world: Any, thing: Any) -> None:
    def exporting(value: str) -> dict[str, Any]:
        return {"Out": {"Value": value, "Export": {"Name": "shared"}}}

    driver.create({"A": thing()}, "owner", Outputs=exporting("one"))
    driver.create({"A": thing(Value={"Fn::ImportValue": "shared"})}, "user")
    assert driver.service.importers("shared") == ["user"]
    stack = driver.update({"A": thing(Value="changed")}, "owner", Outputs=exporting("two"))
    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
    assert "Export shared cannot be updated as it is in use by user" in [event.reason for event in stack.events]
    assert [output.value for output in stack.outputs] == ["one"]
    assert driver.delete("owner").reason == "Export shared cannot be deleted as it is in use by user"
    driver.delete("user")
    assert driver.delete("owner").status == "DELETE_COMPLETE"
    assert world.alive == {}


def test_removed_resource_stays_when_the_update_fails_at_its_exports(driver: Any, world: Any, thing: Any) -> None:
    exporting = {"Out": {"Value": {"Ref": "A"}, "Export": {"Name": "shared"}}}
    driver.create({"A": thing(), "B": thing(Value=1)}, "owner", Outputs=exporting)
    driver.create({"C": thing(Value={"Fn::ImportValue": "shared"})}, "user")
    stack = driver.update({"B": thing(Value=2)}, "owner")
    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
    assert {name: resource.physical_id for name, resource in stack.resources.items()} == {"A": "A-1", "B": "B-1"}
    assert world.alive["B-1"] == {"Value": 1}
    assert "A-1" in world.alive


def test_resource_whose_condition_is_false_is_not_created(driver: Any, world: Any, thing: Any) -> None:
    stack = driver.create(
        {"A": thing({"Condition": "Never"}), "B": thing(Value={"Fn::If": ["Never", {"Ref": "A"}, "without"]})},
        Conditions={"Never": {"Fn::Equals": ["a", "b"]}},
    )
    assert list(stack.resources) == ["B"]
    assert stack.resources["B"].properties == {"Value": "without"}


def test_stack_policy_denies_the_update_of_a_resource(driver: Any, world: Any, thing: Any) -> None:
    driver.create({"A": thing(Value=1), "B": thing(Value=1)})
    driver.service.find("stack").policy = (
        '{"Statement": [{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"},'
        '{"Effect": "Deny", "Action": "Update:*", "Principal": "*", "Resource": "LogicalResourceId/A"}]}'
    )
    stack = driver.update({"A": thing(Value=2), "B": thing(Value=2)})
    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
    assert world.said("update") == []
    assert driver.update({"A": thing(Value=1), "B": thing(Value=2)}).status == "UPDATE_COMPLETE"


def _body(resources: dict[str, Any]) -> str:
    return json.dumps({"Resources": resources})
