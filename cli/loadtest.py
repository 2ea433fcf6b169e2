"""`sagescale loadtest`: drive the deployed API with many users, judge the test, write the report."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import yaml
from rich.console import Console

from autoscaling.workload import Workload
from autoscaling.workload_text import parse_csv, parse_named
from cli.deployment import Deployment, NotDeployedError
from cli.load_generators import Credentials, GeneratorError, Load, Test, run_jmeter, run_locust
from cli.load_report import to_run
from cli.records import NoRecordsError, csv_bodies
from loadtest.report import write_report
from loadtest.results import ResultsError, read_jtl
from loadtest.verdict import Criteria
from sandbox import launch

_console = Console(stderr=True)
_DEFAULTS = Criteria()
_CONTENT_TYPE = "text/csv"


def loadtest(  # noqa: PLR0917 - one parameter an option
    env: Annotated[str, typer.Option(help="Environment: the name of a file in config/.")] = "dev",
    scenario: Annotated[
        Literal["article", "locust"], typer.Option(help="article: Taurus with JMeter; locust: Locust alone.")
    ] = "article",
    users: Annotated[int, typer.Option(min=1, help="Users who each wait for their answer.")] = 1000,
    ramp: Annotated[int, typer.Option(min=1, help="Seconds until all users are there.")] = 600,
    hold: Annotated[int, typer.Option(min=1, help="Seconds that they stay.")] = 600,
    workload: Annotated[
        str | None, typer.Option(help="Locust only, instead of users, ramp and hold: a name or a CSV minute,requests.")
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
) -> None:
    """Drive the deployed API with many users; exit code 1 if the test fails its criteria."""
    criteria = Criteria(
        max_p95_ms=max_p95_ms, max_error_share=max_error_share, max_5xx_share=max_5xx_share, min_rps=min_rps
    )
    folder = output.resolve() / scenario
    try:
        load = Load.of(_read(workload, scenario)) if workload else Load.ramp_and_hold(users, ramp, hold)
        deployment = Deployment.find(env, directory)
        test = _test(deployment, load, folder)
        with _console.status(f"{scenario}: up to {max(load.users):,.0f} users; log: {folder / 'generator.log'}"):
            if scenario == "article":
                options = yaml.safe_load(jmeter.read_text(encoding="utf-8")) if jmeter else None
                results = run_jmeter(test, ramp_seconds=ramp, hold_seconds=hold, jmeter=options)
            else:
                results = run_locust(test)
        failures = _judge(results, criteria, deployment, folder, f"{scenario} against {env}")
    except (NotDeployedError, NoRecordsError, GeneratorError, ResultsError, OSError, ValueError) as error:
        _console.print(f"sagescale loadtest: {error}", style="red", markup=False)
        raise typer.Exit(1) from error
    for failure in failures:
        _console.print(f"failed: {failure}", style="red", markup=False)
    typer.echo(f"{'failed' if failures else 'passed'}; {folder / 'report.html'}")
    if failures:
        raise typer.Exit(1)


def _read(text: str, scenario: str) -> Workload:
    if scenario != "locust":
        raise GeneratorError("--workload is for --scenario locust; the article's is --users, --ramp and --hold")
    path = Path(text)
    return parse_csv(path.read_text(encoding="utf-8")) if path.suffix == ".csv" else parse_named(text)


def _test(deployment: Deployment, load: Load, folder: Path) -> Test:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    url = deployment.api_url("/invocations")
    credentials = Credentials.of(deployment)
    headers: dict[str, Any] = {} if credentials else dict(deployment.api_headers(url, b"", _CONTENT_TYPE))
    headers.pop("Content-Type", None)
    return Test(
        url=url,
        headers=headers,
        records=csv_bodies(deployment.settings),
        load=load,
        credentials=credentials,
        folder=folder,
    )


def _judge(results: Path, criteria: Criteria, deployment: Deployment, folder: Path, name: str) -> list[str]:
    samples = read_jtl(results)
    failures = criteria.failures(samples)
    run = to_run(samples, deployment, name=folder.name, summary=f"{name}.", failures=failures)
    write_report([run], folder, title=f"Load test: {name}")
    return failures
