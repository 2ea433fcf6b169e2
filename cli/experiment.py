"""`sagescale experiment`: published against simulated, and the planner on many traces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from autoscaling import article as article_tests
from cli import planner_table, scaling_options
from cli.deployment import Deployment, NotDeployedError
from cli.live_article import INSTANCE_RPS, TIME_SCALE, run_article
from cli.live_text import live_text
from cli.options import EnvOption
from cli.records import NoRecordsError
from cli.scaling_options import Format
from cli.simulation_report import aligned, table_as_csv
from config.loading import SettingsError
from sandbox.live import ScalingError

app = typer.Typer(no_args_is_help=True, help="Experiments: the article's tests, and the planner on many traces.")
Traces = Annotated[list[Path], typer.Argument(help="CSV files (minute,requests), a day each.")]


@app.command()
def article(  # noqa: PLR0917 - one parameter an option
    live: Annotated[
        bool, typer.Option("--live", help="Run the tests in the sandbox, compressed, not in the simulator.")
    ] = False,
    report: Annotated[Path, typer.Option(help="Folder of the live report.")] = Path("build/article"),
    picture: Annotated[Path | None, typer.Option(help="Write a picture (PNG or SVG).")] = None,
    output_format: scaling_options.FormatOption = Format.TEXT,
    time_scale: Annotated[float, typer.Option(min=1, max=60, help="Live: sandbox seconds a second.")] = TIME_SCALE,
    instance_rps: Annotated[
        float, typer.Option(min=10, help="Live: what an instance serves; users and thresholds follow.")
    ] = INSTANCE_RPS,
) -> None:
    """Run the article's three tests and print published against simulated, at every delay setting."""
    if live:
        runs = _live(report, time_scale, instance_rps)
        typer.echo(json.dumps({"runs": runs}, indent=2) if output_format is Format.JSON else live_text(runs, report))
        if any(run["failed"] or run["disagreements"] for run in runs):
            raise typer.Exit(1)
        return
    found = article_tests.compare()
    if picture is not None:
        _draw_article(picture)
    if output_format is Format.JSON:
        typer.echo(json.dumps(found, indent=2))
    elif output_format is Format.CSV:
        rows = [[run["name"], run["average_rps"], *run["instances_end"]["values"]] for run in found["runs"]]
        typer.echo(table_as_csv(["name", "average_rps", *_setting_names(found)], rows))
    else:
        typer.echo(_article_text(found))


def _draw_article(picture: Path) -> None:
    from cli import scaling_figures  # noqa: PLC0415 - slow to load, and most runs draw nothing

    setting = article_tests.DELAYS[len(article_tests.DELAYS) // 2]
    results = [(test.name, article_tests.run(test, setting)) for test in article_tests.TESTS]
    try:
        scaling_figures.write(scaling_figures.of_tests(results, "The article's tests, simulated"), picture)
    except (OSError, ValueError) as error:
        typer.echo(f"sagescale experiment: {error}", err=True)
        raise typer.Exit(2) from error


def _live(report: Path, time_scale: float, instance_rps: float) -> list[dict[str, Any]]:
    try:
        return run_article(
            Deployment.find("sandbox"),
            report,
            time_scale=time_scale,
            instance_rps=instance_rps,
            on_progress=lambda text: typer.echo(text, err=True),
        )
    except (NotDeployedError, NoRecordsError, ScalingError) as error:
        typer.echo(f"sagescale experiment: {error}", err=True)
        raise typer.Exit(1) from error


def _setting_names(found: dict[str, Any]) -> list[str]:
    return [f"lag {each['publication_lag_minutes']}, {each['provisioning_minutes']} min" for each in found["settings"]]


def _article_text(found: dict[str, Any]) -> str:
    rows = []
    for run in found["runs"]:
        published = run["published"]
        rate = f"{published['average_rps']:.1f}" if "average_rps" in published else "-"
        ends = " ".join(map(str, run["instances_end"]["values"]))
        rows.append([run["name"], rate, f"{run['average_rps']:.1f}", f"{published['instances_end']:.0f}", ends])
    header = ["test", "published/s", "simulated/s", "published end", "simulated end, one per delay setting"]
    without = "; ".join(
        f"{run['name']} {' '.join(map(str, run['instances_end']['values']))}"
        for run in found["without_the_fourth_choice"]
    )
    capacity = found["capacity"]
    fitted = f"{capacity['max_rps']:g} requests/s an instance, {capacity['outside_seconds']:g} s outside its queue"
    return "\n".join(
        [
            *aligned(header, rows),
            "",
            f"Delay settings: {'; '.join(_setting_names(found))}.",
            f"Fitted to the first test: {fitted}.",
            "Assumed, and not proven by the fit:",
            *(f"  - {choice}" for choice in found["choices"]),
            f"Without the last of these: {without}.",
        ]
    )


@app.command()
def plans(
    traces: Traces,
    write: Annotated[Path | None, typer.Option(help="Write the table as Markdown.")] = None,
    env: EnvOption = "dev",
    output_format: scaling_options.FormatOption = Format.TEXT,
) -> None:
    """Plan on every trace, judge on it and on the next one of the same kind, and compare with AWS's rule."""
    try:
        fleet = scaling_options.fleet_of_settings(env, None)
        price = scaling_options.find_price(fleet.instance_type, fleet.region, None, None)
        table = planner_table.make(traces, fleet.instance_type, price.usd_per_hour)
        if write is not None:
            write.write_text(planner_table.as_markdown(table), encoding="utf-8")
    except (OSError, ValueError, SettingsError) as error:
        typer.echo(f"sagescale experiment: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(planner_table.render(table, output_format))


@app.command()
def elasticity(
    traces: Traces,
    env: EnvOption = "dev",
    output_format: scaling_options.FormatOption = Format.TEXT,
) -> None:
    """Measure elasticity (SPEC) of no scaling, AWS's rule and the planner's choice on every trace."""
    try:
        fleet = scaling_options.fleet_of_settings(env, None)
        price = scaling_options.find_price(fleet.instance_type, fleet.region, None, None)
        rows = planner_table.elasticities(traces, fleet.instance_type, price.usd_per_hour)
    except (OSError, ValueError, SettingsError) as error:
        typer.echo(f"sagescale experiment: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(planner_table.render_elasticities(rows, output_format))
