"""The `sagescale` command; one thin file a subcommand."""

from __future__ import annotations

import typer

from cli import (
    bench,
    cost,
    data,
    demo,
    destroy,
    doctor,
    experiment,
    fit,
    invoke,
    loadtest,
    models,
    plan,
    predict,
    sandbox,
    simulate,
    sleep,
    smoke,
    train,
)

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Train, serve and scale models on Amazon SageMaker.")
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(experiment.app, name="experiment")
app.add_typer(models.app, name="models")
app.command()(bench.bench)
app.command()(cost.cost)
app.command()(data.data)
app.command()(demo.demo)
app.command()(destroy.destroy)
app.command()(doctor.doctor)
app.command()(fit.fit)
app.command()(invoke.invoke)
app.command()(loadtest.loadtest)
app.command()(plan.plan)
app.command()(predict.predict)
app.command()(simulate.simulate)
app.command()(sleep.sleep)
app.command()(smoke.smoke)
app.command()(train.train)
app.command()(sleep.wake)
