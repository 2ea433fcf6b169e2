"""Files that are empty, cut short, of another kind or nonsense: refused with file and place, never a traceback."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autoscaling.capacity import InstanceCapacity
from cli.main import app
from cli.scaling_options import read_workload
from loadtest.measurements import read_measurements
from loadtest.results import ResultsError

JTL = "timeStamp,elapsed,label,responseCode,success,allThreads\n"
ROWS = "".join(f"{1_000_000 + 100 * n},50,x,200,true,{1 + n // 100}\n" for n in range(1200))
LOCUST = "Timestamp,User Count,Type,Name,Total Request Count,Total Failure Count\n"
HISTORY = "".join(f"{1000 + n},{n},,Aggregated,{n * n},0\n" for n in range(60))


def cloudwatch(**changes: object) -> str:
    result = {"Label": "Invocations", "Timestamps": ["2026-01-05T00:00:00Z"], "Values": [1]} | changes
    return json.dumps({"MetricDataResults": [result]})


def saved(**measured: object) -> str:
    columns = {"users": [1], "requests_per_second": [1], "in_service": [1]} | measured
    return json.dumps({"name": "x", "summary": "", "measured": columns})


def refused(*arguments: str, code: int = 2) -> str:
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "no column timeStamp, elapsed, responseCode, success"),
        ("<?xml version='1.0'?>\n<testResults/>\n", "no column timeStamp"),
        (JTL, "no samples"),
        (JTL + ROWS + "1000,50,x,200\n", "line 1202, column success: None"),
        (JTL + ROWS + "1000,50", "line 1202, column responseCode: None"),
        (JTL + "2026-01-05 10:00,50,x,200,true,1\n" + ROWS, "line 2, column timeStamp: '2026-01-05 10:00'"),
        (JTL + ROWS + "1000,-5,x,200,true,1\n", "line 1202, column elapsed: '-5'"),
        (JTL + ROWS + "1000,nan,x,200,true,1\n", "line 1202, column elapsed: 'nan'"),
        (JTL + ROWS + "1000,1,x,200,true,many\n", "line 1202, column allThreads: 'many'"),
        (JTL + ROWS + "1800000000000,1,x,200,true,1\n", "line 1202, column timeStamp: 1800000000000 is 20,8"),
        (JTL + '1000,1,"' + "x" * 200_000, "field larger than field limit"),
        (JTL.replace(",allThreads", "") + "1000,1,x,200,true\n2000,1,x,200,true\n", "do not tell the users"),
        (LOCUST.replace("User Count", "Users") + HISTORY, "no column User Count"),
        (LOCUST + HISTORY + "1060,many,,Aggregated,9999,0\n", "line 62, column User Count: 'many'"),
        (LOCUST + HISTORY + "1060,5,,Aggregated,99", "line 62, column Total Failure Count: None"),
        (LOCUST + HISTORY + "1000,5,,Aggregated,0,0\n", "line 62: time or count goes back"),
        ('{"MetricDataResults": [', "line 1: not JSON"),
        ("[1, 2]", "neither GetMetricData's answer nor a saved run"),
        ('{"MetricDataResults": 5}', "no metric labelled Invocations, InvocationsPerInstance, ModelLatency"),
        ('{"MetricDataResults": [{}]}', "metric 1: 'Label'"),
        (cloudwatch(Values=[1, 2]), "metric 1: zip()"),
        (cloudwatch(Timestamps=["soon"]), "metric 1: Invalid isoformat string: 'soon'"),
        (cloudwatch(Values=["x"]), "metric 1: could not convert"),
        ('{"name": "x"}', "neither GetMetricData's answer nor a saved run"),
        (saved(users=["a"]), "nor a saved run: could not convert string to float: 'a'"),
        (saved(users=[1, 2]), "nor a saved run: measured: columns of [1, 2] minutes"),
        ("\udc80", "not a text in UTF-8 (byte 0)"),
    ],
)
def test_fit_refuses_what_is_no_result_and_says_where(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "results"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ResultsError) as told:
        read_measurements(path, instances=None)
    assert place in str(told.value)
    assert str(path) in str(told.value)


def test_fit_of_a_file_of_another_kind_writes_nothing(tmp_path: Path) -> None:
    path, output = tmp_path / "results", tmp_path / "capacities.toml"
    path.write_text("minute,requests\n0,1\n")
    assert f"{path}: no column timeStamp" in refused("fit", str(path), "--output", str(output))
    assert not output.exists()


def test_fit_of_a_test_that_only_failed_says_that_nothing_was_served(tmp_path: Path) -> None:
    path = tmp_path / "kpi.jtl"
    path.write_text(JTL + ROWS.replace(",200,true,", ",503,false,"))
    assert "no throughput" in refused("fit", str(path), "--output", str(tmp_path / "out.toml"), code=1)


def test_fit_leaves_a_file_alone_that_holds_no_capacities(tmp_path: Path) -> None:
    path, settings = tmp_path / "kpi.jtl", tmp_path / "dev.toml"
    rates = [min(10 * (1 + second), 200) for second in range(60)]
    moments = [1000 * (second + index / rate) for second, rate in enumerate(rates) for index in range(rate)]
    path.write_text(JTL + "".join(f"{moment:.0f},50,x,200,true,{1 + moment // 1000:.0f}\n" for moment in moments))
    settings.write_text('[project]\nname = "kdd99"\n')
    assert "project: name: Extra inputs" in refused("fit", str(path), "--interval", "2", "--output", str(settings))
    assert settings.read_text() == '[project]\nname = "kdd99"\n'


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "line 1: header ''"),
        ("# a comment\nminute,requests\n0,1\n", "line 1: header '# a comment'"),
        ("0,1\n1,1\n", "line 1: header '0,1'"),
        ("minute;requests\n0;1\n", "line 1: header 'minute;requests'"),
        ("minute,requests\n2026-01-05T00:00:00Z,5\n", "line 2: minute '2026-01-05T00:00:00Z'"),
        ("minute,requests\n0,1e300\n", "line 2: 1e300 requests; allowed: 0 to 1e+12"),
        ('minute,requests\n0,"' + "1\n" * 100_000, "field larger than field limit"),
        ('{"Datapoints": [{"Sum": null, "Timestamp": "x"}]}', "datapoint 1: None requests at 'x'"),
        ('{"Datapoints": [5]}', "datapoints without Sum"),
        ('{"MetricDataResults": [{}]}', "without as many Timestamps as Values"),
        ('{"Datapoints": [{"Sum": 1,', "line 1: not JSON"),
        ("\udc80", "not a text in UTF-8 (byte 0)"),
    ],
)
def test_what_is_no_workload_is_refused_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "day"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=re.escape(place)) as told:
        read_workload(str(path), None, InstanceCapacity())
    assert str(path) in str(told.value)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_simulate_takes_files_of_spreadsheets(tmp_path: Path, mark: str, end: str) -> None:
    path = tmp_path / "day.csv"
    path.write_bytes(f"{mark}minute,requests{end}0,5{end}1,6{end}{end}".encode())
    done = CliRunner().invoke(app, ["simulate", "--workload", str(path), "--format", "json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["timeline"]["requests"] == [5.0, 6.0]


@pytest.mark.parametrize(
    ("option", "text", "reason"),
    [
        ("--template", "{", "Expecting property name"),
        ("--template", "[1]", "no CloudFormation template"),
        ("--template", '{"Resources": {"A": 5}}', "no CloudFormation template"),
        ("--policy", "minute,requests", "Expected '=' after a key"),
        ("--policy", "max_capacity = 0", "max_capacity: Input should be greater than or equal to 1"),
        ("--capacities", "= 5", "not TOML"),
        ("--prices", "a,b", "line 1: columns ['a', 'b']"),
        ("--prices", "\udc80", "not a text in UTF-8"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path: Path, option: str, text: str, reason: str) -> None:
    path = tmp_path / "given"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    told = refused("simulate", option, str(path))
    assert f"{path}: " in told
    assert reason in told


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({}, "Target or one of its policies has no property 'ResourceId'"),
        ({"ResourceId": "endpoint/e/variant/v", "MinCapacity": 5, "MaxCapacity": 2}, "Target: value: min_capacity 5 >"),
        ({"ResourceId": "x", "MinCapacity": 1, "MaxCapacity": 2}, "Target: ResourceId is not endpoint/"),
    ],
)
def test_template_that_says_nonsense_is_refused_with_its_resource(
    tmp_path: Path, properties: dict[str, object], reason: str
) -> None:
    path = tmp_path / "x.template.json"
    target = {
        "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
        "Properties": {"ScalableDimension": "sagemaker:variant:DesiredInstanceCount", **properties},
    }
    path.write_text(json.dumps({"Resources": {"Target": target}}))
    assert f"{path}: {reason}" in refused("simulate", "--template", str(path))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--slo-p95-ms", "inf"], "slo: p95_ms: Input should be"),
        (["--provisioning-minutes", "5-6-7"], "provisioning '5-6-7'; allowed: minutes, a range such as 5-7, or never"),
        (["--provisioning-minutes", "inf"], "provisioning 'inf'; allowed"),
        (["--max-rps", "1e300"], "max_rps: Input should be less than or equal to"),
        (["--usd-per-hour", "-3"], "usd-per-hour -3; allowed: a finite number, 0 or more"),
        (["--starts-at", "soon"], "starts-at 'soon'; allowed: ISO 8601"),
        (["--starts-at", "0001-01-01T00:00:00+14:00"], "allowed: ISO 8601 of 1970 to 2100"),
        (["--workload", "constant:per_minute=5,minutes=99999999999"], "minutes=99999999999; allowed: 0 to 527040"),
        (["--workload", "users:count=5,ramp_minutes=-3"], "ramp_minutes=-3; allowed: 0 to 527040"),
        (["--workers", "100000"], "workers: Input should be less than or equal to 1024"),
        (["--picture", "picture.doc"], "Format 'doc' is not supported"),
        (["--lag-minutes", "nan"], "publication_lag_seconds: Input should be"),
    ],
)
def test_simulate_refuses_options_that_make_no_sense(options: list[str], reason: str) -> None:
    assert reason in refused("simulate", *options)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--jmeter", "{file}"], "no mapping of options"),
        (["--header", "nonsense"], "header 'nonsense'; allowed: 'Name: value'"),
        (["--scenario", "locust", "--workload", "{file}"], "line 1: header '5'"),
        (["--scenario", "locust", "--workload", "nowhere.csv"], "no file and no workload 'nowhere.csv'"),
        (["--jmeter", "{file}.missing"], "No such file"),
        ([], "start it with `sagescale sandbox up`"),
    ],
)
def test_loadtest_that_cannot_be_run_is_no_failed_test(tmp_path: Path, options: list[str], reason: str) -> None:
    path = tmp_path / "given"
    path.write_text("5\n")
    given = [option.format(file=path) for option in options]
    told = refused("loadtest", "--env", "sandbox", "--directory", str(tmp_path), "--output", str(tmp_path), *given)
    assert reason in " ".join(told.split())


def test_loadtest_without_credentials_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    told = refused("loadtest", "--env", "dev", "--output", str(tmp_path))
    assert "stack kdd99-dev-serving cannot be read: Unable to locate credentials" in " ".join(told.split())
