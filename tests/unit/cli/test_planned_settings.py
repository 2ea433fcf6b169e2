"""A planned policy in the settings file: it is what is deployed next, and nothing else changes."""

from pathlib import Path

import pytest

from autoscaling.policies import ScheduledAction, StepScalingPolicy, TargetTrackingPolicy, VariantScaling
from cli.deployment import settings_of
from cli.planned_settings import write_plan
from config.loading import SettingsError

HEAD = """# ours
[project]
name = "kdd99"

[dataset] # somewhere
train = "train.gz"
test = "test.gz"
"""
TWO = """
[[endpoint.variants]]
name = "main"
instance_type = "ml.m4.xlarge" # the article's

[endpoint.variants.scaling]
max_capacity = 2

# it looks only
[[endpoint.variants]]
name = "other"
initial_weight = 0.5

# open to all
[api]
auth = "none"
"""
CANARY = """
[endpoint.deployment]
strategy = "canary"
canary_size = { instance_count = 2 }
"""
PLANNED = VariantScaling(
    min_capacity=2,
    max_capacity=8,
    policies=(
        TargetTrackingPolicy(target=12_345.0),
        StepScalingPolicy.model_validate(
            {"name": "fast", "threshold": 20_000, "steps": [{"lower_bound": 0, "adjustment": 2}]}
        ),
        ScheduledAction(name="noon", schedule="cron(0 12 * * ? *)", min_capacity=4),
    ),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAGESCALE_CONFIG_DIR", str(tmp_path))
    return tmp_path


def test_policy_of_a_file_without_variants_is_the_top_level_one(folder: Path) -> None:
    (folder / "dev.toml").write_text(HEAD)
    assert write_plan("dev", "main", PLANNED, "ml.m4.xlarge") == folder / "dev.toml"
    settings = settings_of("dev")
    assert (settings.scaling, settings.endpoint.variants[0].scaling) == (PLANNED, None)
    assert (folder / "dev.toml").read_text().startswith(HEAD)
    assert [path.name for path in folder.iterdir()] == ["dev.toml"]


@pytest.mark.parametrize("name", ["main", "other"])
def test_policy_of_a_named_variant_is_its_own_and_the_rest_stays_as_it_is_written(folder: Path, name: str) -> None:
    (folder / "dev.toml").write_text(HEAD + TWO)
    before = settings_of("dev")
    write_plan("dev", name, PLANNED, "ml.m4.xlarge")
    after = settings_of("dev")
    for old, new in zip(before.endpoint.variants, after.endpoint.variants, strict=True):
        assert new == (old.model_copy(update={"scaling": PLANNED}) if new.name == name else old)
    written = (folder / "dev.toml").read_text()
    kept = [line for line in (HEAD + TWO).splitlines() if line and line != "max_capacity = 2"]
    assert [line for line in kept if line not in written] == []


@pytest.mark.parametrize("rest", ["", TWO])
def test_another_instance_type_is_the_variants(folder: Path, rest: str) -> None:
    (folder / "dev.toml").write_text(HEAD + rest)
    write_plan("dev", "main", PLANNED, "ml.m5.large")
    assert settings_of("dev").endpoint.variants[0].instance_type == "ml.m5.large"
    assert settings_of("dev").scaling_of(settings_of("dev").endpoint.variants[0]) == PLANNED


def test_planning_twice_is_planning_once(folder: Path) -> None:
    (folder / "dev.toml").write_text(HEAD + TWO)
    write_plan("dev", "main", PLANNED, "ml.m4.xlarge")
    once = (folder / "dev.toml").read_text()
    write_plan("dev", "main", PLANNED, "ml.m4.xlarge")
    assert (folder / "dev.toml").read_text() == once


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ('[endpoint]\nvariants = [{ name = "main" }]\n', r"inline tables; write it as \[\[endpoint.variants\]\]"),
        ("[scaling]\nmin_capacity = 4\nmax_capacity = 8\n" + CANARY, "canary_size"),
    ],
)
def test_file_that_would_not_hold_is_left_alone(folder: Path, rest: str, reason: str) -> None:
    text = HEAD + rest
    (folder / "dev.toml").write_text(text)
    with pytest.raises(SettingsError, match=reason):
        write_plan("dev", "main", PLANNED, "ml.m4.xlarge")
    assert (folder / "dev.toml").read_text() == text
