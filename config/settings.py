"""The settings of one environment, typed, frozen and validated.

One `Settings` object is all that distinguishes environments: `config/<env>.toml` holds the values, everything below
`app.py` receives its part of the object. Unknown keys are refused. Defaults are those of the article the project grew
from: Linear Learner on ml.c4.xlarge, served on ml.m4.xlarge, at most 10 instances, 30,000 invocations a minute.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from autoscaling.policies import TargetTrackingPolicy, VariantScaling
from config.api import Api
from config.data_capture import DataCapture
from config.deployment import AllAtOnce, Deployment, misfits
from config.group import Group
from config.model import OWN_CONTAINER, Model
from config.monitoring import Monitoring
from config.network import Network
from config.notebook import Notebook
from config.pipeline import Pipeline
from config.security import Security
from config.sleep import Sleep
from config.training import InstanceType, Training

MOST_VARIANTS = 10  # production variants of an endpoint config (SageMaker API, CreateEndpointConfig)
PARTS_OF_A_FILE = 8  # of a channel: training.preprocess.PARTS, which a test compares

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,18}[a-z0-9]$")]


class Project(Group):
    """What is deployed, and where."""

    name: Name
    """Lower-case letters, digits and dashes; every physical name begins with it."""
    account: Annotated[str, Field(pattern=r"^\d{12}$")] | None = None
    """By default the account of the credentials that deploy."""
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] | None = None
    """By default the region of the credentials that deploy."""
    retain_data: bool = True
    """Keep the bucket when the stacks are destroyed."""
    tags: dict[str, str] = Field(default_factory=dict)


class Dataset(Group):
    """Where the raw records are: a path below the project's root, or an ``s3://`` URI."""

    train: str
    test: str

    @field_validator("train", "test")
    @classmethod
    def _is_a_path_or_an_s3_uri(cls, value: str) -> str:
        scheme, separator, rest = value.partition("://")
        if separator and (scheme != "s3" or "/" not in rest.strip("/")):
            raise ValueError(f"{value!r} is neither a path nor s3://bucket/key")
        return value


class Variant(Group):
    """One production variant of the endpoint."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,62}$")] = "main"
    instance_type: InstanceType = "ml.m4.xlarge"
    initial_instance_count: Annotated[int, Field(ge=1, le=1000)] = 1
    """Counts when the endpoint is created; later min_capacity and the scaling policies decide."""
    initial_weight: Annotated[float, Field(ge=0)] = 1.0
    """Share of the requests, relative to the other variants' weights."""
    scaling: VariantScaling | None = None
    """By default the top-level [scaling]."""
    model: Model | None = None
    """What it serves; by default the top-level [model]."""
    shadow: bool = False
    """Gets copies of requests and its answers are dropped; initial_weight is its share of the other variant's."""


class Endpoint(Group):
    """What answers."""

    container: Literal["aws", "fast"] = "aws"
    """`fast` serves Linear Learner with serving/Dockerfile instead of AWS's image; ONNX models always run there."""
    variants: tuple[Variant, ...] = (Variant(),)
    deployment: Deployment = AllAtOnce()
    """How it moves to another model."""
    data_capture: DataCapture | None = None
    """Keep a sample of requests and answers."""
    sleep: Sleep | None = None
    """Lets it be put to sleep, which saves all of its instances; without this table it is always there."""

    @field_validator("variants")
    @classmethod
    def _make_an_endpoint(cls, variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
        if not 1 <= len(variants) <= MOST_VARIANTS:
            raise ValueError(f"{len(variants)} variants; an endpoint has 1 to {MOST_VARIANTS}")
        names = [variant.name for variant in variants]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two variants are called {', '.join(twice)}; each needs a name of its own")
        production = [variant for variant in variants if not variant.shadow]
        if not sum(variant.initial_weight for variant in production):
            raise ValueError("no variant has an initial_weight above 0, so none would get a request")
        if len(production) < len(variants) and (len(production), len(variants)) != (1, 2):
            raise ValueError(
                f"{len(variants) - len(production)} shadow variants beside {len(production)} others; "
                "AWS takes one beside exactly one other"
            )
        return variants


class Settings(Group):
    """Everything one environment needs."""

    project: Project
    dataset: Dataset | None = None
    """What to train on; a pre-trained model needs none."""
    training: Training = Training()
    model: Model = Model()
    endpoint: Endpoint = Endpoint()
    scaling: VariantScaling = VariantScaling(
        min_capacity=1, max_capacity=10, policies=(TargetTrackingPolicy(target=30_000),)
    )
    """How variants scale that bring no `scaling` of their own."""
    api: Api = Api()
    monitoring: Monitoring = Monitoring()
    security: Security = Security()
    network: Network | None = None
    """A VPC of its own; by default jobs, models and functions run in none."""
    pipeline: Pipeline | None = None
    """Deploy here on git push: `make deploy ENV=... PIPELINE=yes` once, then the pipeline changes itself too."""
    notebook: Notebook | None = None
    """A notebook instance beside the other stacks."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        problems = []
        if self.trains and self.dataset is None:
            problems.append("dataset is missing: name the records to train on, or a pre-trained model's path")
        retraining = self.training.retraining
        if self.dataset and retraining and retraining.on_new_data and not self.dataset.train.startswith("s3://"):
            problems.append(f"on_new_data watches an s3:// prefix, dataset.train is {self.dataset.train!r}")
        shards = self.training.preprocess.instance_count
        if self.dataset and shards > 1 and not self.dataset.train.startswith("s3://"):
            problems.append(
                f"training.preprocess.instance_count = {shards} shares the files below an s3:// prefix, "
                f"dataset.train is the one file {self.dataset.train!r}"
            )
        sharers = self.training.instance_count
        if self.dataset and not self.dataset.train.startswith("s3://") and sharers > PARTS_OF_A_FILE:
            problems.append(
                f"training.instance_count = {sharers} shares {PARTS_OF_A_FILE} parts, all that preprocessing makes of "
                f"the one file {self.dataset.train!r}: lower it, or put more files below an s3:// prefix"
            )
        if self.endpoint.container == "fast" and self.trains and not self.training.is_linear_learner:
            problems.append(
                'endpoint.container = "fast" serves Linear Learner and ONNX models only: leave it out, or train '
                'with algorithm = "linear-learner"'
            )
        if self.model.source == "pretrained":
            unused = [name for name in ("dataset", "training") if name in self.model_fields_set]
            problems += [f"{name} has no meaning for a pre-trained model: leave it out" for name in unused]
        for variant in self.endpoint.variants:
            if variant.model and variant.model.source == "train":
                problems.append(f"variant {variant.name}: its model needs a path; without a model it serves [model]")
        if all(variant.model for variant in self.endpoint.variants):
            problems.append("no variant serves [model]: leave the model of one of them out")
        problems += self._problems_of_drift()
        served = [self.model_of(variant) for variant in self.endpoint.variants]
        foreign = {str(model.framework) for model in served if model.framework} - OWN_CONTAINER
        if self.endpoint.container == "fast" and foreign:
            problems.append(f'endpoint.container = "fast" cannot serve {", ".join(sorted(foreign))}: leave it out')
        problems += misfits(self.endpoint.deployment, self._fleets)
        inferentia = [v.name for v in self.endpoint.variants if v.instance_type.startswith("ml.inf1.")]
        if inferentia and self.endpoint.deployment.bakes:
            problems.append(
                f"variant {inferentia[0]}: SageMaker updates Inf1 instances all at once, whatever the deployment says: "
                'use strategy = "all_at_once" without wait_interval_seconds'
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def _fleets(self) -> dict[str, tuple[int, int]]:
        """Least and most instances of each variant that answers."""
        answering = [variant for variant in self.endpoint.variants if not variant.shadow]
        return {variant.name: self.scaling_of(variant).bounds for variant in answering}

    def _problems_of_drift(self) -> list[str]:
        if not self.monitoring.drift:
            return []
        needed = {"[endpoint.data_capture]": self.endpoint.data_capture, "a model that is trained here": self.trains}
        return [
            f"monitoring.drift needs {what}: add it, or leave drift out" for what, there in needed.items() if not there
        ]

    def model_of(self, variant: Variant) -> Model:
        """Return what `variant` serves."""
        return variant.model or self.model

    @property
    def trains(self) -> bool:
        """Whether anything is trained here."""
        return self.model.source == "train"

    @property
    def has_predictions(self) -> bool:
        """Whether the API has `POST /predictions`, which knows what a model is trained on here."""
        return self.trains and self.training.learner.labelled

    def in_own_container(self, model: Model) -> bool:
        """Return whether serving/Dockerfile serves `model`, and not AWS's image."""
        return model.framework == "onnx" or self.endpoint.container == "fast"

    def is_isolated(self, model: Model) -> bool:
        """Return whether the container of `model` has no network; that of a training script fetches its source."""
        if model.network_isolation is not None:
            return model.network_isolation
        return self.security.network_isolation and not (model.source == "train" and self.training.script is not None)

    @property
    def needs_own_container(self) -> bool:
        """Whether a deploy builds serving/Dockerfile."""
        return any(self.in_own_container(self.model_of(variant)) for variant in self.endpoint.variants)

    def scaling_of(self, variant: Variant) -> VariantScaling:
        """Return the bounds and policies of `variant`."""
        return variant.scaling or self.scaling
