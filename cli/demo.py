"""`sagescale demo`: from nothing to a trained, served and called model, without an AWS account."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from cli import demo_run
from cli.deployment import Deployment, NotDeployedError
from cli.predict import RefusedError
from cli.synthesis import SynthesisError, synthesize
from sandbox import launch
from sandbox.processes import REPOSITORY_ROOT

T = TypeVar("T")
_console = Console()


def demo(
    output: Annotated[Path, typer.Option(help="Where summary.json, templates and the sandbox's files go.")] = Path(
        "build/demo"
    ),
) -> None:
    """Deploy every stack into a sandbox with the CDK CLI, train on KDD99, serve, call, and tell what happened."""
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    begin = time.monotonic()
    try:
        facts = _run(output)
    except (demo_run.DemoError, SynthesisError, launch.SandboxError, NotDeployedError, RefusedError) as error:
        _console.print(f"[red]The demo failed:[/] {error}", highlight=False)
        raise typer.Exit(1) from error
    finally:
        launch.stop(output / "sandbox")
    facts["total_seconds"] = round(time.monotonic() - begin, 1)
    (output / "summary.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    _console.print(_table(facts))
    _tell_what_is_next(output)


def _run(output: Path) -> dict[str, Any]:
    source = json.loads((REPOSITORY_ROOT / "data" / "SOURCE.json").read_text(encoding="utf-8"))
    with ThreadPoolExecutor(1) as beside:
        synthesis = beside.submit(synthesize, "sandbox", output / "cdk.out")
        runtime = _step("starting the embedded AWS", lambda _: launch.start(output / "sandbox"))
        _step("bootstrapping it with the CDK CLI", lambda _: launch.bootstrap(runtime))
        _step("synthesizing the stacks, since the start", lambda _: synthesis.result())
    deployment = Deployment.find("sandbox", output / "sandbox")
    begin = time.monotonic()
    stacks = _step(
        "deploying: storage, training (preprocess, train, evaluate, gate, promote), serving",
        lambda show: demo_run.deploy(deployment, output / "cdk.out", show),
    )
    deploy_seconds = round(time.monotonic() - begin, 1)
    assert deployment.settings.dataset, "the demo's environment trains"
    test_file = REPOSITORY_ROOT / deployment.settings.dataset.test
    training = demo_run.training_facts(deployment)
    connections = demo_run.labelled_connections(test_file)
    predictions = _step("calling the API", lambda _: demo_run.predictions(deployment, connections))
    burst = _step("a burst of requests", lambda _: demo_run.burst(deployment, test_file))
    if burst.failed:
        raise demo_run.DemoError(f"{burst.failed} requests of the burst failed: {dict(burst.statuses)}")
    article = _step(
        "the article's load: 1000 users, threshold 15,000, twenty minutes in twenty seconds",
        lambda show: demo_run.article(deployment, output / "article", show),
    )
    return {
        "stacks": stacks,
        "deploy_seconds": deploy_seconds,
        "synthetic_data": source["synthetic"],
        **training,
        "predictions": predictions,
        "requests_per_second": round(burst.requests_per_second),
        "p99_ms": round(burst.percentile_ms(99), 2),
        "article": article,
    }


def _step(name: str, act: Callable[[Callable[[str], None]], T]) -> T:
    """Run one step under a spinner that shows its latest line, and say how long it took."""
    begin = time.monotonic()
    with _console.status(name) as status:
        result = act(lambda line: status.update(f"{name}\n  [dim]{line.strip()[:100]}"))
    _console.print(f"[green]✓[/] {name} [dim]{time.monotonic() - begin:.1f} s")
    return result


def _table(facts: dict[str, Any]) -> Table:
    table = Table(title="SageScale demo", show_header=False, title_justify="left")
    if facts["synthetic_data"]:
        table.add_row("[bold red]data", "[bold red]SYNTHETIC: KDD99 could not be found or fetched (see `make data`)")
    stacks = ", ".join(f"{name.rpartition('-')[2]} {seconds:.0f} s" for name, seconds in facts["stacks"].items())
    table.add_row("stacks", f"{stacks}; {facts['deploy_seconds']:.0f} s in all")
    table.add_row("records", f"{facts['rows_train']:,} to train on, {facts['rows_test']:,} to test on")
    table.add_row("training job", f"{facts['train_seconds']} s")
    for metric in ("accuracy", "f1", "roc_auc", "false_alarm_rate"):
        table.add_row(metric.replace("_", " "), f"{facts[metric]:.4f}")
    for row in facts["predictions"]:
        verdict = "ok" if (row["actual"] == "normal.") == (row["label"] == "normal") else "missed"
        table.add_row(
            f"a {row['actual'].rstrip('.')} connection", f"{row['label']} (score {row['score']:.4f}) {verdict}"
        )
    table.add_row("burst", f"{facts['requests_per_second']:,} requests/s, p99 {facts['p99_ms']} ms, none failed")
    article = facts["article"]
    table.add_row(
        "article, 15,000 a minute",
        f"{article['instances_end']['max']:.0f} instances at the end, "
        f"p95 {article['p95_ms_worst_minute']:.0f} ms at worst, "
        f"{article['p95_ms_last_minute']:.0f} ms in the last minute, {article['failed']} failed",
    )
    table.add_row("in all", f"{facts['total_seconds']:.0f} s")
    return table


def _tell_what_is_next(output: Path) -> None:
    _console.print(f"The load test as pictures: {output / 'article' / 'report.html'}", highlight=False)
    _console.print(f"All of it as JSON: {output / 'summary.json'}. What to type next:", highlight=False)
    _console.print("  make sandbox                    keep a sandbox, then `make deploy ENV=sandbox`", highlight=False)
    _console.print(
        "  sagescale simulate --env dev --workload article    try scaling before paying for it", highlight=False
    )
    _console.print("  make deploy ENV=dev             the same stacks in your AWS account", highlight=False)
