"""Change sets: what `cdk diff` and `cdk deploy` read before anything happens."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.cloudformation.change_set import NO_CHANGES, describe_change
from sandbox.cloudformation.errors import AlreadyExistsError, InvalidChangeSetStatusError, ValidationError


def change_set(driver: Any, resources: dict[str, Any], kind: str = "UPDATE", name: str = "changes") -> Any:
    request = {
        "StackName": "stack",
        "ChangeSetName": name,
        "ChangeSetType": kind,
        "TemplateBody": json.dumps({"Resources": resources}),
    }
    return driver.service.create_change_set(request)[1]


def test_change_set_of_a_new_stack_creates_it_when_executed(driver: Any, world: Any, thing: Any) -> None:
    made = change_set(driver, {"A": thing()}, "CREATE")
    assert driver.service.find("stack").status == "REVIEW_IN_PROGRESS"
    assert world.calls == []
    assert [(change.action, change.logical_id) for change in made.changes] == [("Add", "A")]
    driver.service.execute_change_set("changes", "stack", disable_rollback=False)
    assert driver.settle().status == "CREATE_COMPLETE"


def test_details_tell_what_is_replaced_and_what_depends_on_it(driver: Any, thing: Any) -> None:
    resources = {"A": thing(Name="one"), "B": thing(Value={"Ref": "A"}), "C": thing(Value=1), "D": thing()}
    driver.create(resources)
    made = change_set(driver, {**resources, "A": thing(Name="two"), "C": thing(Value=2), "E": thing()} | {})
    described = {
        entry["LogicalResourceId"]: entry
        for entry in (describe_change(change, with_values=True)["ResourceChange"] for change in made.changes)
    }
    assert {name: (entry["Action"], entry.get("Replacement")) for name, entry in described.items()} == {
        "A": ("Modify", "True"),
        "B": ("Modify", "False"),
        "C": ("Modify", "False"),
        "E": ("Add", None),
    }
    assert described["B"]["Details"][0]["Evaluation"] == "Dynamic"
    assert described["B"]["Details"][0]["CausingEntity"] == "A"
    target = described["C"]["Details"][0]["Target"]
    assert (target["Name"], target["RequiresRecreation"]) == ("Value", "Never")
    assert (target["BeforeValue"], target["AfterValue"]) == ("1", "2")
    assert described["A"]["Details"][0]["Target"]["RequiresRecreation"] == "Always"


def test_removed_resource_shows(driver: Any, thing: Any) -> None:
    driver.create({"A": thing(), "B": thing()})
    made = change_set(driver, {"A": thing()})
    assert [(change.action, change.logical_id) for change in made.changes] == [("Remove", "B")]


def test_change_set_without_changes_fails_with_the_words_the_cli_looks_for(driver: Any, thing: Any) -> None:
    driver.create({"A": thing()})
    made = change_set(driver, {"A": thing()})
    assert (made.status, made.failure, made.execution_status) == ("FAILED", NO_CHANGES, "UNAVAILABLE")
    with pytest.raises(InvalidChangeSetStatusError, match=r"current status of \[FAILED\]"):
        driver.service.execute_change_set("changes", "stack", disable_rollback=False)


def test_changed_tags_are_a_change(driver: Any, thing: Any) -> None:
    driver.create({"A": thing()}, Tags=[{"Key": "a", "Value": "1"}])
    request = {"ChangeSetName": "tags", "Tags": [{"Key": "a", "Value": "2"}]}
    body = json.dumps({"Resources": {"A": thing()}})
    _, made = driver.service.create_change_set({"StackName": "stack", "TemplateBody": body, **request})
    assert made.status == "CREATE_COMPLETE"


def test_change_set_for_a_stack_that_does_not_exist_is_refused(driver: Any, thing: Any) -> None:
    with pytest.raises(ValidationError, match=r"Stack \[stack\] does not exist"):
        change_set(driver, {"A": thing()})


def test_name_of_a_change_set_and_of_a_stack_is_taken_once(driver: Any, thing: Any) -> None:
    driver.create({"A": thing(Value=1)})
    change_set(driver, {"A": thing(Value=2)})
    with pytest.raises(AlreadyExistsError, match="ChangeSet changes already exists"):
        change_set(driver, {"A": thing(Value=2)})
    with pytest.raises(AlreadyExistsError, match="cannot be created again"):
        change_set(driver, {"A": thing(Value=2)}, "CREATE", "other")
    driver.service.delete_change_set("changes", "stack")
    change_set(driver, {"A": thing(Value=2)})
