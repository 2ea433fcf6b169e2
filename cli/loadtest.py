"""`sagescale loadtest`: drive the deployed API with many users, judge the test, write the report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import yaml
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from autoscaling.capacity import InstanceCapacity
from cli.deployment import Deployment, NotDeployedError
from cli.load_generators import Credentials, GeneratorError, Load, Test, run_jmeter, run_locust
from cli.load_report import to_run
from cli.options import EnvOption, TextOrJsonOption
from cli.records import NoRecordsError, csv_bodies, parse_bodies
from cli.scaling_options import read_file, read_workload
from loadtest.report import Run, write_report
from loadtest.results import read_jtl
from loadtest.verdict import Criteria
from sandbox import launch

_console = Console(stderr=True)
_DEFAULTS = Criteria()
_CONTENT_TYPE = "text/csv"


def loadtest(  # noqa: PLR0917 - one parameter an option
    env: EnvOption = "dev",
    scenario: Annotated[
        Literal["article", "locust"], typer.Option(help="article: Taurus with JMeter; locust: Locust alone.")
    ] = "article",
    users: Annotated[int, typer.Option(min=1, help="Users who each wait for their answer.")] = 1000,
    ramp: Annotated[int, typer.Option(min=1, help="Seconds until all users are there.")] = 600,
    hold: Annotated[int, typer.Option(min=1, help="Seconds that they stay.")] = 600,
    workload: Annotated[
        str | None,
        typer.Option(help="Locust only, instead of users, ramp and hold: a name, or a file as simulate takes it."),
    ] = None,
    bodies: Annotated[
        Path | None, typer.Option(help="CSV rows to send, one a line; by default records of the dataset's test file.")
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(help="Of every request, e.g. 'Authorization: <id token>' for Cognito; repeatable."),
    ] = None,
    max_p95_ms: Annotated[float, typer.Option(help="Fail above.")] = _DEFAULTS.max_p95_ms,
    max_error_share: Annotated[float, typer.Option(help="Fail above; 0 to 1.")] = _DEFAULTS.max_error_share,
    max_5xx_share: Annotated[float, typer.Option(help="Fail above; 0 to 1.")] = _DEFAULTS.max_5xx_share,
    min_rps: Annotated[float, typer.Option(help="Fail below: requests/s answered well.")] = _DEFAULTS.min_rps,
    jmeter: Annotated[
        Path | None, typer.Option(help="YAML with options of Taurus's JMeter module; by default Taurus fetches JMeter.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Where samples, logs and the report go.")] = Path("build/loadtest"),
    directory: Annotated[Path, typer.Option(help="Of the sandbox, for --env sandbox.")] = launch.DIRECTORY,
    output_format: TextOrJsonOption = "text",
) -> None:
    """Drive the deployed API with many users; exit code 1 if the test fails its criteria, 2 if it could not be run."""
    criteria = Criteria(
        max_p95_ms=max_p95_ms, max_error_share=max_error_share, max_5xx_share=max_5xx_share, min_rps=min_rps
    )
    folder = output.resolve() / scenario
    try:
        options = read_file(jmeter, _parse_options) if jmeter else None
        headers = _parse_headers(header or [])
        load = _load(workload, scenario) if workload else Load.ramp_and_hold(users, ramp, hold)
        deployment = Deployment.find(env, directory)
        test = _test(deployment, load, folder, bodies=bodies, headers=headers)
        with _console.status(f"{scenario}: up to {max(load.users):,.0f} users; log: {folder / 'generator.log'}"):
            if scenario == "article":
                results = run_jmeter(test, ramp_seconds=ramp, hold_seconds=hold, jmeter=options)
            else:
                results = run_locust(test)
        with _console.status("report; CloudWatch publishes the last minute after its end"):
            run, failures = _judge(results, criteria, deployment, test, f"{scenario} against {env}")
    except (NotDeployedError, NoRecordsError, GeneratorError, ClientError, BotoCoreError, OSError, ValueError) as error:
        _console.print(f"sagescale loadtest: {error}", style="red", markup=False)
        raise typer.Exit(2) from error
    report = folder / "report.html"
    if output_format == "json":
        typer.echo(json.dumps(_as_json(run, failures, report), indent=2))
    else:
        typer.echo(_text(run, failures, report, results))
    if failures:
        raise typer.Exit(1)


def _as_json(run: Run, failures: list[str], report: Path) -> dict[str, Any]:
    totals = {name: value["measured"] for name, value in run.totals.items()}
    return {"totals": totals, "statuses": run.statuses, "failures": failures, "report": str(report)}


def _text(run: Run, failures: list[str], report: Path, results: Path) -> str:
    rows = {name: _shown(value["measured"]) for name, value in run.totals.items()}
    rows |= {f"answered {code}" if code != "0" else "not answered": f"{n:,}" for code, n in run.statuses.items()}
    width = max(map(len, rows))
    lines = [f"{name:<{width}}  {value}" for name, value in rows.items()]
    lines += [f"failed: {failure}" for failure in failures]
    return "\n".join([*lines, f"report: {report}", f"next: sagescale fit {results}"])


def _shown(value: float | str | None) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _load(workload: str, scenario: str) -> Load:
    if scenario != "locust":
        raise GeneratorError("--workload is for --scenario locust; the article's is --users, --ramp and --hold")
    return Load.of(read_workload(workload, None, InstanceCapacity()))


def _parse_options(text: str) -> dict[str, Any]:
    """Read options of Taurus's JMeter module; raises ValueError."""
    try:
        options = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {error}") from None
    if not isinstance(options, dict):
        raise ValueError("no mapping of options, such as `path: /opt/jmeter/bin/jmeter`")  # noqa: TRY004 - the file's
    return options


def _parse_headers(headers: list[str]) -> dict[str, str]:
    pairs = [each.partition(":") for each in headers]
    if wrong := [name for name, colon, _ in pairs if not (name.strip() and colon)]:
        raise ValueError(f"header {wrong[0]!r}; allowed: 'Name: value'")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _test(deployment: Deployment, load: Load, folder: Path, *, bodies: Path | None, headers: Mapping[str, str]) -> Test:
    """Find what is sent where; the folder is emptied only when all is there."""
    if deployment.settings.api.auth == "cognito" and "authorization" not in map(str.lower, headers):
        raise GeneratorError("the API wants a user's id token (auth = cognito): --header 'Authorization: <id token>'")
    url = deployment.api_url("/invocations")
    credentials = Credentials.of(deployment)
    records = read_file(bodies, parse_bodies) if bodies else csv_bodies(deployment.settings)
    own: dict[str, Any] = {} if credentials else dict(deployment.api_headers(url, b"", _CONTENT_TYPE))
    own.pop("Content-Type", None)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return Test(
        url=url,
        headers=own | dict(headers),
        records=records,
        load=load,
        credentials=credentials,
        folder=folder,
    )


def _judge(results: Path, criteria: Criteria, deployment: Deployment, test: Test, name: str) -> tuple[Run, list[str]]:
    samples = read_jtl(results)
    users = "requests a second" if test.load.paced else "users who each wait for their answer"
    summary = f"{name}: up to {max(test.load.users):,.0f} {users}, {samples.seconds:,.0f} s."
    failures = criteria.failures(samples)
    run = to_run(samples, deployment, name=test.folder.name, summary=summary, failures=failures)
    write_report([run], test.folder, title=f"Load test: {name}")
    return run, failures
