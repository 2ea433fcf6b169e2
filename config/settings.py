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
from config.group import Group

CLOUDFORMATION_WAIT_SECONDS = 3600  # the most a custom resource may take (CloudFormation, ServiceTimeout)
LONGEST_TRAINING_SECONDS = 55 * 60  # leaves five minutes of that for CloudFormation and the answer
MOST_VARIANTS = 10  # production variants of an endpoint config (SageMaker API, CreateEndpointConfig)
JOB_START_SECONDS = 240  # assumed: what SageMaker takes to find an instance and pull the image

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,18}[a-z0-9]$")]
InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]
Hyperparameter = str | bool | int | float


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


class Gate(Group):
    """What a model must reach on the test records before it is served."""

    metric: Literal["accuracy", "f1", "roc_auc", "precision", "recall", "false_alarm_rate"] = "accuracy"
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _has_one_bound(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give exactly one of at_least and at_most")
        return self


class Job(Group):
    """A processing job: its machine and its bound in time."""

    instance_type: InstanceType = "ml.m5.xlarge"
    volume_size_gb: Annotated[int, Field(ge=1, le=16384)] = 20
    max_runtime_seconds: Annotated[int, Field(ge=60, le=5 * 24 * 3600)] = 360


class Training(Group):
    """The jobs between raw records and an approved model."""

    algorithm: Literal["linear-learner"] = "linear-learner"
    instance_type: InstanceType = "ml.c4.xlarge"
    volume_size_gb: Annotated[int, Field(ge=1, le=16384)] = 20
    max_runtime_seconds: Annotated[int, Field(ge=60, le=28 * 24 * 3600)] = 600
    hyperparameters: dict[str, Hyperparameter] = Field(default_factory=dict, validate_default=True)
    """Linear Learner's own names; `feature_dim` is filled in from the dataset's schema."""
    preprocess: Job = Job(max_runtime_seconds=480)
    evaluate: Job = Job()
    gate: Gate = Gate(metric="accuracy", at_least=0.9)
    on_deploy: bool = True
    """Train as part of `cdk deploy`; otherwise the deploy takes what was approved last."""

    @field_validator("hyperparameters")
    @classmethod
    def _has_the_articles_values(cls, given: dict[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        return {"predictor_type": "binary_classifier", "mini_batch_size": 1000, **given}

    @property
    def longest_seconds(self) -> int:
        """Longest time the jobs may take, with one of them, the longest, run twice after a fault of AWS."""
        jobs = (self.preprocess.max_runtime_seconds, self.max_runtime_seconds, self.evaluate.max_runtime_seconds)
        bounds = [seconds + JOB_START_SECONDS for seconds in jobs]
        return sum(bounds) + max(bounds)

    @model_validator(mode="after")
    def _fits_into_a_deployment(self) -> Self:
        if self.on_deploy and self.longest_seconds > LONGEST_TRAINING_SECONDS:
            raise ValueError(
                f"the jobs could take {self.longest_seconds} s, and CloudFormation waits "
                f"{CLOUDFORMATION_WAIT_SECONDS} s at most: lower max_runtime_seconds of preprocess, training or "
                f"evaluate until they sum to {LONGEST_TRAINING_SECONDS} s, or set on_deploy = false"
            )
        return self


class Model(Group):
    """The model's container."""

    environment: dict[str, str] = Field(default_factory=dict)
    """Variables of the serving container."""
    network_isolation: bool = False
    """Run the container without any network, SageMaker's own included."""


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


class Endpoint(Group):
    """What answers."""

    variants: tuple[Variant, ...] = (Variant(),)

    @field_validator("variants")
    @classmethod
    def _make_an_endpoint(cls, variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
        if not 1 <= len(variants) <= MOST_VARIANTS:
            raise ValueError(f"{len(variants)} variants; an endpoint has 1 to {MOST_VARIANTS}")
        names = [variant.name for variant in variants]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two variants are called {', '.join(twice)}; each needs a name of its own")
        if not sum(variant.initial_weight for variant in variants):
            raise ValueError("no variant has an initial_weight above 0, so none would get a request")
        return variants


class Settings(Group):
    """Everything one environment needs."""

    project: Project
    dataset: Dataset
    training: Training = Training()
    model: Model = Model()
    endpoint: Endpoint = Endpoint()
    scaling: VariantScaling = VariantScaling(
        min_capacity=1, max_capacity=10, policies=(TargetTrackingPolicy(target=30_000),)
    )
    """How variants scale that bring no `scaling` of their own."""
    api: Api = Api()

    def scaling_of(self, variant: Variant) -> VariantScaling:
        """Return the bounds and policies of `variant`."""
        return variant.scaling or self.scaling
