"""`sagescale models`: what was approved, what is served, and going back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError
from rich.console import Console

from cli.deployment import AWS_ERRORS, Deployment
from cli.options import EnvOption, TextOrJsonOption
from cli.simulation_report import aligned
from cli.train import RunFailedError, execute

app = typer.Typer(no_args_is_help=True, help="The registry: every model that passed the gate, and which one is served.")
METRICS = ("accuracy", "f1", "roc_auc", "false_alarm_rate")
_console = Console()


class UnknownModelError(Exception):
    """There is no such model to promote; the message says which there are."""


@dataclass(frozen=True)
class RegisteredModel:
    """One version of the registry.

    Parameters
    ----------
    key : str
        Of the run that made it: a hash of dataset, code, image and hyperparameters.
    image : str
        Repository and tag of the container that serves it.
    """

    version: int
    key: str
    url: str
    image: str
    metrics: dict[str, float]
    created: datetime
    is_served: bool


@app.command("list")
def list_(env: EnvOption = "dev", output_format: TextOrJsonOption = "text") -> None:
    """Show every registered model, the newest first."""
    found = _answer(registered, env)
    if output_format == "json":
        models = [{**asdict(model), "created": model.created.isoformat()} for model in found]
        typer.echo(json.dumps({"models": models}, indent=2))
        return
    if not found:
        typer.echo(f"no model of {env} is registered yet")
        return
    header = ["version", *(metric.replace("_", " ") for metric in METRICS), "made (UTC)", "", "key"]
    typer.echo("\n".join(aligned(header, [_cells(model) for model in found])))


@app.command()
def promote(
    version: Annotated[int, typer.Argument(help="As `sagescale models list` shows it.")], env: EnvOption = "dev"
) -> None:
    """Serve a registered model: through the gate, then as an update of the serving stack."""
    _answer(lambda deployment: promote_key(deployment, _key_of(deployment, version)), env)
    _console.print(f"[green]✓[/] version {version} is served")


@app.command()
def rollback(env: EnvOption = "dev") -> None:
    """Serve the model that was served before the present one."""
    key = _answer(roll_back, env)
    _console.print(f"[green]✓[/] model {key} is served again")


def registered(deployment: Deployment) -> list[RegisteredModel]:
    """Return the versions of the registry, the newest first; none before the first training."""
    client = deployment.client("sagemaker")
    served = _served(deployment)
    group = f"{deployment.settings.project.name}-{deployment.env}"
    try:
        pages = client.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
        arns = [item["ModelPackageArn"] for page in pages for item in page["ModelPackageSummaryList"]]
    except ClientError as error:
        if error.response["Error"]["Code"] in {"ValidationException", "ResourceNotFound"}:
            return []
        raise
    models = [_described(client.describe_model_package(ModelPackageName=arn), served) for arn in arns]
    return sorted(models, key=lambda model: -model.version)


def promote_key(deployment: Deployment, key: str) -> None:
    """Serve the approved model of run `key`.

    Raises
    ------
    RunFailedError
        With the workflow's reason.
    UnknownModelError
        The container that is deployed is not that of this model.
    """
    images = {model.key: model.image for model in registered(deployment)}
    served = next((model.image for model in registered(deployment) if model.is_served), None)
    if served and images.get(key, served) != served:
        raise UnknownModelError(
            f"model {key} was made for {images[key]}, and {served} is what serves: deploy the settings it was trained "
            "with, which promotes it again without training"
        )
    with _console.status(f"promoting {key}") as status:
        execute(deployment, "promote", {"key": key}, status.update)


def roll_back(deployment: Deployment) -> str:
    """Serve the model that was served before, and return its key.

    Raises
    ------
    UnknownModelError
        No other model was ever served.
    """
    parameter = _parameter(deployment, "model/served")
    pages = deployment.client("ssm").get_paginator("get_parameter_history").paginate(Name=parameter)
    history = [item["Value"] for page in pages for item in page["Parameters"]]
    earlier = [url for url in history if url != history[-1]]
    if not earlier:
        raise UnknownModelError("no other model was served before: there is nothing to go back to")
    key = _key(earlier[-1])
    promote_key(deployment, key)
    return key


def _key_of(deployment: Deployment, version: int) -> str:
    models = registered(deployment)
    for model in models:
        if model.version == version:
            return model.key
    known = ", ".join(str(model.version) for model in models) or "none"
    raise UnknownModelError(f"there is no version {version}; registered: {known}")


def _served(deployment: Deployment) -> str:
    names = [_parameter(deployment, "model/served")]
    found = deployment.client("ssm").get_parameters(Names=names)["Parameters"]
    return str(found[0]["Value"]) if found else ""


def _parameter(deployment: Deployment, path: str) -> str:
    return f"/{deployment.settings.project.name}/{deployment.env}/{path}"


def _key(url: str) -> str:
    """Return the run's key of `s3://bucket/models/<key>/model.tar.gz`."""
    return url.split("/")[-2]


def _described(package: dict[str, Any], served: str) -> RegisteredModel:
    properties = package["CustomerMetadataProperties"]
    (container,) = package["InferenceSpecification"]["Containers"]
    url = container["ModelDataUrl"]
    return RegisteredModel(
        version=package["ModelPackageVersion"],
        key=properties["key"],
        url=url,
        image=container["Image"].partition("/")[2],
        metrics={name: float(properties[name]) for name in METRICS if name in properties},
        created=package["CreationTime"],
        is_served=url == served,
    )


def _cells(model: RegisteredModel) -> list[str]:
    metrics = [f"{model.metrics[metric]:.4f}" if metric in model.metrics else "" for metric in METRICS]
    made = f"{model.created.astimezone(UTC):%Y-%m-%d %H:%M}"
    return [str(model.version), *metrics, made, "served" if model.is_served else "", model.key]


def _answer(act: Any, env: str) -> Any:
    try:
        return act(Deployment.find(env).that_trains())
    except (*AWS_ERRORS, RunFailedError, UnknownModelError) as error:
        typer.echo(f"sagescale models: {error}", err=True)
        raise typer.Exit(1) from error
