from typing import Any

import pytest

from config.settings import Settings


def settings(
    deployment: dict[str, Any], *, variants: int = 1, least: int = 2, most: int = 10, **variant: Any
) -> Settings:
    scaling = {"min_capacity": least, "max_capacity": most}
    named = [{"name": f"v{number}", "scaling": scaling, **variant} for number in range(variants)]
    return Settings.model_validate(
        {
            "project": {"name": "kdd99"},
            "dataset": {"train": "a.gz", "test": "b.gz"},
            "endpoint": {"variants": named, "deployment": deployment},
        }
    )


def test_endpoint_is_updated_all_at_once_by_default() -> None:
    deployment = settings({"strategy": "all_at_once"}, least=1).endpoint.deployment
    assert (
        deployment
        == Settings.model_validate(
            {"project": {"name": "kdd99"}, "dataset": {"train": "a.gz", "test": "b.gz"}}
        ).endpoint.deployment
    )
    assert not deployment.bakes


@pytest.mark.parametrize(
    ("deployment", "steps"),
    [
        ({"strategy": "all_at_once", "wait_interval_seconds": 240}, 1),
        ({"strategy": "canary", "canary_size": {"instance_count": 1}}, 2),
        ({"strategy": "linear", "linear_step_size": {"capacity_percent": 30}}, 4),
        ({"strategy": "rolling", "maximum_batch_size": {"instance_count": 1}}, 10),
    ],
)
def test_every_strategy_that_watches_counts_its_steps(deployment: dict[str, Any], steps: int) -> None:
    read = settings(deployment).endpoint.deployment
    assert (read.bakes, read.steps(10)) == (True, steps)


@pytest.mark.parametrize(
    ("deployment", "fleet", "reason"),
    [
        ({"strategy": "canary"}, {"least": 1}, r"v0 may run on one instance.*canary_size = 10 %.*min_capacity to 2"),
        ({"strategy": "canary", "canary_size": {"capacity_percent": 60}}, {}, r"60 % of variant v0.*50 % is the most"),
        ({"strategy": "canary", "canary_size": {"instance_count": 2}}, {"least": 3}, r"67 % of variant v0"),
        (
            {"strategy": "linear", "linear_step_size": {"capacity_percent": 9}},
            {},
            r"9 % of variant v0.*10 % is the least",
        ),
        (
            {"strategy": "linear", "linear_step_size": {"instance_count": 1}},
            {"most": 11},
            r"at its most \(11 instances",
        ),
        ({"strategy": "rolling", "maximum_batch_size": {"capacity_percent": 51}}, {}, r"51 % of variant v0"),
        ({"strategy": "rolling", "maximum_batch_size": {"capacity_percent": 4}}, {}, r"4 % of variant v0.*5 %"),
        ({"strategy": "rolling"}, {"variants": 2}, r"a rolling update takes one variant, and there are 2"),
        ({"strategy": "canary"}, {"variants": 4}, r"4 variants with 3 alarms each, and SageMaker watches 10"),
        (
            {"strategy": "linear", "linear_step_size": {"capacity_percent": 10}, "wait_interval_seconds": 400},
            {},
            r"waits 4000 s \(10 steps\).*maximum_execution_timeout_seconds = 3600",
        ),
        ({"strategy": "canary"}, {"instance_type": "ml.inf1.xlarge"}, r"Inf1 instances all at once"),
        ({"strategy": "canary", "wait_interval_seconds": 60}, {}, r"ends before an alarm can go off: at least 240"),
        ({"strategy": "canary", "wait_interval_seconds": 3601}, {}, r"less than or equal to 3600"),
        ({"strategy": "all_at_once", "wait_interval_seconds": 1}, {}, r"at least 240 are needed, or 0 for no alarms"),
        ({"strategy": "all_at_once", "rollback": {"error_share": 0.1}}, {}, r"rollback has no meaning without"),
        ({"strategy": "rolling", "termination_wait_seconds": 5}, {}, r"termination_wait_seconds"),
        ({"strategy": "canary", "canary_size": {}}, {}, r"exactly one of instance_count and capacity_percent"),
    ],
)
def test_deployment_that_aws_would_refuse_is_refused_with_the_reason(
    deployment: dict[str, Any], fleet: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        settings(deployment, **fleet)


def test_scheduled_capacity_counts_as_a_size_the_fleet_may_have() -> None:
    night = {"kind": "scheduled", "name": "night", "schedule": "cron(0 22 * * ? *)", "min_capacity": 1}
    scaling = {"min_capacity": 2, "max_capacity": 10, "policies": [night]}
    with pytest.raises(ValueError, match="may run on one instance"):
        settings({"strategy": "canary"}, scaling=scaling)
