"""The `sagescale` command; one thin file a subcommand.

A subcommand's file is loaded when it is asked for: all of them, with what they need, take over a second.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

SUBCOMMANDS = {  # name: where it is
    "bench": "bench.bench",
    "cost": "cost.cost",
    "data": "data.data",
    "demo": "demo.demo",
    "destroy": "destroy.destroy",
    "doctor": "doctor.doctor",
    "experiment": "experiment.app",
    "fit": "fit.fit",
    "invoke": "invoke.invoke",
    "loadtest": "loadtest.loadtest",
    "models": "models.app",
    "plan": "plan.plan",
    "predict": "predict.predict",
    "sandbox": "sandbox.app",
    "simulate": "simulate.simulate",
    "sleep": "sleep.sleep",
    "smoke": "smoke.smoke",
    "train": "train.train",
    "wake": "sleep.wake",
}


class _Subcommands(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names, as `sagescale --help` shows them."""
        return list(SUBCOMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - click's signature
        """Load a subcommand; None where there is none of that name."""
        if cmd_name not in SUBCOMMANDS:
            return None
        module, _, member = SUBCOMMANDS[cmd_name].partition(".")
        found = getattr(import_module(f"cli.{module}"), member)
        command = get_group(found) if isinstance(found, typer.Typer) else _command(found)
        command.name = cmd_name
        return command


def _command(function: Callable[..., Any]) -> Any:
    alone = typer.Typer(add_completion=False)
    alone.command()(function)
    return get_command(alone)


app = typer.Typer(cls=_Subcommands, no_args_is_help=True, add_completion=False)


@app.callback()
def sagescale() -> None:
    """Train, serve and scale models on Amazon SageMaker."""
