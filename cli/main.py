"""The `sagescale` command; one thin file a subcommand."""

from __future__ import annotations

import typer

from cli import data, demo, fit, loadtest, predict, sandbox, smoke, train

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Train, serve and scale models on Amazon SageMaker.")
app.add_typer(sandbox.app, name="sandbox")
app.command()(data.data)
app.command()(demo.demo)
app.command()(fit.fit)
app.command()(loadtest.loadtest)
app.command()(predict.predict)
app.command()(smoke.smoke)
app.command()(train.train)
