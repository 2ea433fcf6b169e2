"""Options that many commands have."""

from typing import Annotated, Literal

import typer

EnvOption = Annotated[str, typer.Option(help="Environment: the name of a file in config/.")]
TextOrJsonOption = Annotated[
    Literal["text", "json"], typer.Option("--format", help="text for people, json for scripts.")
]
