"""`sagescale data`: KDD99 into data/, or made-up records that say so loudly."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.panel import Panel

from training import dataset


def data(
    directory: Annotated[Path, typer.Option(help="Where the files go.")] = Path("data"),
) -> None:
    """Find KDD99 ($KDD99_DIR, data/, ../shared/kdd99/), fetch it, or make up records of its shape."""
    console = Console()
    given = os.environ.get("KDD99_DIR")
    places = [*([Path(given)] if given else []), Path("../shared/kdd99")]
    source = dataset.prepare(directory, places, lambda line: console.print(line, style="dim", highlight=False))
    if source.synthetic:
        warning = (
            f"The records in {directory}/ are MADE UP: KDD99 was found nowhere near and could not be fetched.\n"
            "Everything works with them, but accuracy and the like mean nothing.\n"
            f"For the real ones put {dataset.TRAIN} and {dataset.TEST} into a directory, set KDD99_DIR to it, and run "
            "`make data` again."
        )
        console.print(Panel(warning, title="SYNTHETIC DATA", style="bold red"))
    else:
        console.print(f"KDD99 is in {directory}/ (from {source.source})", highlight=False)
