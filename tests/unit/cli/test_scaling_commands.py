"""simulate, plan and experiment: formats, files they write, and bad input refused with its reason."""

import csv
import io
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from autoscaling.policies import VariantScaling
from cli import experiment, plan, simulate

app = typer.Typer()
app.command("simulate")(simulate.simulate)
app.command("plan")(plan.plan)
app.add_typer(experiment.app, name="experiment")
SPIKE = "spike:base=20000,peak=200000,begin=30,length=40,minutes=90"


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


def loaded(*arguments: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(run(*arguments, "--format", "json"))
    return content


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """A short workload with one burst."""
    rates = [20_000] * 60 + [90_000] * 10 + [20_000] * 60
    path = tmp_path / "day.csv"
    path.write_text("minute,requests\n" + "".join(f"{minute},{rate}\n" for minute, rate in enumerate(rates)))
    return path


def test_simulate_gives_timeline_activities_and_summary() -> None:
    found = loaded("simulate", "--workload", SPIKE)
    assert len(found["timeline"]["minute"]) == 90
    assert found["summary"]["instances_end"] == found["timeline"]["in_service"][-1]
    assert found["activities"][0]["cause"].startswith("monitor alarm")
    assert found["summary"]["cost_usd"] == pytest.approx(found["summary"]["instance_hours"] * 0.28)
    assert found["scaling"]["policies"][0]["target"] == 30_000  # config/dev.toml


def test_requests_that_can_never_meet_the_slo_are_all_late_and_no_more_than_all() -> None:
    found = loaded("simulate", "--workload", "constant:per_minute=1000,minutes=5", "--unloaded-ms", "2000")
    assert found["summary"]["error_share"] == pytest.approx(1.0)
    assert found["summary"]["slo_violation_minutes"] == 5
    assert max(found["timeline"]["bad_share"]) <= 1.0 + 1e-9


def test_simulate_writes_its_timeline_as_csv_and_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "pictures" / "spike.png"
    rows = list(
        csv.DictReader(io.StringIO(run("simulate", "--workload", SPIKE, "--format", "csv", "--picture", str(picture))))
    )
    assert [int(row["minute"]) for row in rows] == list(range(90))
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_simulate_tells_reasons_and_limits_in_text() -> None:
    text = run("simulate", "--workload", SPIKE, "--provisioning-minutes", "5-7", "--lag-minutes", "2")
    assert "AlreadyAtMaxCapacity" in text or "InCooldown" in text
    assert "steady-state latencies do not hold" in text
    assert "older published price table; not confirmed for today" in text


def test_simulate_takes_the_policies_of_a_template(tmp_path: Path) -> None:
    target = {
        "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
        "Properties": {
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
            "ResourceId": "endpoint/e/variant/v",
            "MinCapacity": 3,
            "MaxCapacity": 7,
        },
    }
    path = tmp_path / "serving.template.json"
    path.write_text(json.dumps({"Resources": {"Target": target}}))
    found = loaded("simulate", "--template", str(path), "--workload", "constant:per_minute=1000,minutes=5")
    assert found["scaling"] == {"min_capacity": 3, "max_capacity": 7, "policies": []}
    assert found["timeline"]["in_service"] == [3] * 5


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--workload", "constant:per_minute=-5,minutes=3"], "minute 0: -5.0 requests; allowed"),
        (["--workload", "nowhere.csv"], "no file and no workload 'nowhere.csv'"),
        (["--env", "nowhere"], "environments with settings"),
        (["--variant", "blue"], "no variant 'blue'; there are main"),
        (["--provisioning-minutes", "7-5"], "give the shorter time first"),
        (["--provisioning-minutes", "soon"], "allowed: minutes, a range such as 5-7, or never"),
        (["--max-rps", "0"], "max_rps: Input should be greater than 0"),
        (["--max-rps", "5", "--unloaded-ms", "10"], "below the service time"),
        (["--peak-instances", "3"], "a closed loop has users"),
    ],
)
def test_simulate_refuses_bad_input_with_its_reason(arguments: list[str], reason: str) -> None:
    assert reason in run("simulate", *arguments, code=2)


def test_simulate_refuses_a_file_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "gap.csv"
    path.write_text("minute,requests\n0,5\n2,5\n")
    assert f"{path}: line 3: minute '2' where 1 should follow" in run("simulate", "--workload", str(path), code=2)


def test_plan_writes_its_choice_and_judges_it_on_a_second_workload(day: Path, tmp_path: Path) -> None:
    output, picture = tmp_path / "plan.toml", tmp_path / "plan.svg"
    small = ["--workload", str(day), "--max-instances", "3", "--candidates", "90"]
    found = loaded("plan", *small, "--evaluate", str(day), "--output", str(output), "--picture", str(picture))
    for part in ("chosen", "aws_rule", "no_scaling"):
        assert {"cost_usd", "slo_violation_minutes", "error_share", "policy"} <= found[part].keys()
        assert found["evaluation"][part]["cost_usd"] == pytest.approx(found[part]["cost_usd"])
        assert found[part]["policy"]["max_capacity"] == 3
        assert len(found[part]["by_delay"]) == 6
    written = tomllib.loads(output.read_text())["endpoint"]["variants"]["scaling"]
    assert VariantScaling.model_validate(written) == VariantScaling.model_validate(found["chosen"]["policy"])
    assert "<svg" in picture.read_text()
    again = loaded("simulate", "--policy", str(output), "--workload", str(day))
    assert again["scaling"] == found["chosen"]["policy"]


def test_plan_scales_its_workload_to_the_peak_instances(day: Path, tmp_path: Path) -> None:
    common = ["--workload", str(day), "--candidates", "60", "--output", str(tmp_path / "p.toml")]
    text = run("plan", *common, "--peak-instances", "2", "--max-rps", "500")
    assert "at most 2 instances" in text
    assert "Pareto front" in text
    (fixed,) = (line for line in text.splitlines() if line.startswith("no scaling"))
    assert fixed.endswith("what the first minute needs, at least 1, all the time")
    front = run("plan", *common, "--peak-instances", "2", "--format", "csv")
    assert front.startswith("instance_type,cost_usd,")


def test_plan_chooses_among_measured_capacities_only(day: Path, tmp_path: Path) -> None:
    capacities = tmp_path / "capacities.toml"
    capacities.write_text('["ml.m5.large"]\nmax_rps = 1000\n["ml.m4.xlarge"]\nmax_rps = 600\n')
    common = [
        "plan",
        "--workload",
        str(day),
        "--max-instances",
        "3",
        "--candidates",
        "90",
        "--output",
        str(tmp_path / "p"),
    ]
    assert loaded(*common, "--capacities", str(capacities))["chosen"]["instance_type"] == "ml.m5.large"
    capacities.write_text('["ml.m5.large"]\nmax_rps = -1\nworkers = 0\n')
    problem = run(*common, "--capacities", str(capacities), code=2)
    assert "ml.m5.large: max_rps: Input should be greater than 0; ml.m5.large: workers" in problem


def test_plan_writes_its_choice_into_the_settings_on_request(
    day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "config" / "dev.toml"
    settings.parent.mkdir()
    settings.write_text('[project]\nname = "kdd99"\n[dataset]\ntrain = "train"\ntest = "test"\n')
    monkeypatch.setenv("SAGESCALE_CONFIG_DIR", str(settings.parent))
    common = ["plan", "--workload", str(day), "--candidates", "60", "--output", str(tmp_path / "p.toml")]
    unchanged = settings.read_text()
    run(*common)
    assert settings.read_text() == unchanged
    chosen = loaded(*common, "--write")["chosen"]["policy"]
    assert loaded("simulate", "--workload", str(day))["scaling"] == chosen


def test_plan_refuses_a_closed_loop() -> None:
    assert "a closed loop has users" in run("plan", "--workload", "article", code=2)


def test_experiment_article_puts_published_beside_simulated(tmp_path: Path) -> None:
    found = loaded("experiment", "article")
    assert [each["name"] for each in found["runs"]] == ["no_scaling", "threshold_30k", "threshold_15k"]
    assert found["runs"][2]["instances_end"] == {"min": 4, "max": 4, "values": [4] * 9}
    text = run("experiment", "article", "--picture", str(tmp_path / "article.png"))
    assert "961.3" in text
    assert "961.0" in text
    assert "not proven by the fit" in text


def test_experiment_refuses_a_picture_that_nothing_draws(tmp_path: Path) -> None:
    assert "Format 'doc' is not supported" in run("experiment", "article", "--picture", str(tmp_path / "x.doc"), code=2)


def test_experiment_refuses_traces_that_are_no_days(day: Path) -> None:
    assert "no trace of 1320 minutes or more" in run("experiment", "plans", str(day), code=2)
