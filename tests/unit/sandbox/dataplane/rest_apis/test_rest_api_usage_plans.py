"""API keys, and the limits of usage plans and stages."""

from typing import Any

from tests.unit.sandbox.dataplane.rest_apis.snapshots import method

PLAN = {"id": "plan1", "throttle": None, "quota": None, "keys": {"key-value-of-twenty-characters": "key1"}}


def test_api_key_of_a_plan_is_required(deploy: Any, call: Any, model: Any) -> None:
    deploy(method(api_key_required=True), usage_plans=[PLAN])

    without, wrong = call(), call(X_Api_Key="wrong")

    assert (without.status, without.message, wrong.status) == (403, "Forbidden", 403)
    assert without.headers["x-amzn-ErrorType"] == "ForbiddenException"
    assert call(X_Api_Key="key-value-of-twenty-characters").status == 200


def test_plan_throttles_and_its_bucket_survives_a_new_snapshot(deploy: Any, call: Any, model: Any) -> None:
    plan = PLAN | {"throttle": {"rate": 0.001, "burst": 2}}
    key = {"X_Api_Key": "key-value-of-twenty-characters"}
    deploy(method(api_key_required=True), usage_plans=[plan])

    assert [call(**key).status for _ in range(3)] == [200, 200, 429]
    deploy(method(api_key_required=True), usage_plans=[plan])
    answer = call(**key)

    assert (answer.status, answer.message) == (429, "Too Many Requests")
    assert answer.headers["x-amzn-ErrorType"] == "TooManyRequestsException"


def test_plans_quota_is_a_limit(deploy: Any, call: Any, model: Any) -> None:
    deploy(method(api_key_required=True), usage_plans=[PLAN | {"quota": {"limit": 1, "period": "MONTH"}}])
    key = {"X_Api_Key": "key-value-of-twenty-characters"}

    first, second = call(**key), call(**key)

    assert (first.status, second.status, second.message) == (200, 429, "Limit Exceeded")


def test_method_is_throttled_by_its_stage(deploy: Any, call: Any, model: Any) -> None:
    deploy(method(throttle={"rate": 0.001, "burst": 3}))

    assert [call().status for _ in range(4)] == [200, 200, 200, 429]
    assert len(model.calls) == 3
