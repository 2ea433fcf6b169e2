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
from config.deployment import AllAtOnce, Deployment, misfits
from config.group import Group
from config.model import OWN_CONTAINER, Model
from config.monitoring import Monitoring
from config.notebook import Notebook
from config.pipeline import Pipeline
from config.retraining import Retraining
from config.tuning import Tuning

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
    margin: Annotated[float, Field(ge=0)] = 0.01
    """How much worse than the served model a retrained one may be."""

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


class ShardedJob(Job):
    """A processing job that may share its input files among several machines."""

    instance_count: Annotated[int, Field(ge=1, le=100)] = 1
    """With more than one, each gets a part of the files below an s3:// prefix."""


class Training(Group):
    """The jobs between raw records and an approved model."""

    algorithm: Literal["linear-learner"] = "linear-learner"
    instance_type: InstanceType = "ml.c4.xlarge"
    volume_size_gb: Annotated[int, Field(ge=1, le=16384)] = 20
    max_runtime_seconds: Annotated[int, Field(ge=60, le=28 * 24 * 3600)] = 600
    hyperparameters: dict[str, Hyperparameter] = Field(default_factory=dict, validate_default=True)
    """Linear Learner's own names; `feature_dim` is filled in from the dataset's schema."""
    instance_count: Annotated[int, Field(ge=1, le=100)] = 1
    """With more than one, each trains on a part of the rows."""
    preprocess: ShardedJob = ShardedJob(max_runtime_seconds=480)
    evaluate: Job = Job()
    tuning: Tuning | None = None
    """Search hyperparameters instead of training once; max_runtime_seconds bounds each of its jobs."""
    gate: Gate = Gate(metric="accuracy", at_least=0.9)
    retraining: Retraining | None = None
    """Train anew without a deploy, by the clock or on new data."""
    on_deploy: bool = True
    """Train as part of `cdk deploy`; otherwise the deploy takes what was approved last."""

    @field_validator("hyperparameters")
    @classmethod
    def _has_the_articles_values(cls, given: dict[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        return {"predictor_type": "binary_classifier", "mini_batch_size": 1000, **given}

    @property
    def longest_seconds(self) -> int:
        """Longest time the jobs may take, with one of them, the longest, run twice after a fault of AWS."""
        processing = [job.max_runtime_seconds + JOB_START_SECONDS for job in (self.preprocess, self.evaluate)]
        bounds = [*processing, self.longest_fit_seconds]
        return sum(bounds) + max(bounds)

    @property
    def longest_fit_seconds(self) -> int:
        """Longest time the training job may take, or all of those that tune."""
        return (self.max_runtime_seconds + JOB_START_SECONDS) * (self.tuning.waves if self.tuning else 1)

    @model_validator(mode="after")
    def _tunes_what_is_not_set(self) -> Self:
        fixed = {"feature_dim", "predictor_type", "num_classes"}
        if self.tuning and (both := fixed.intersection(self.tuning.names)):
            raise ValueError(f"{', '.join(sorted(both))} follows from the data and cannot be tuned")
        return self

    @model_validator(mode="after")
    def _fits_into_a_deployment(self) -> Self:
        if self.on_deploy and self.longest_seconds > LONGEST_TRAINING_SECONDS:
            raise ValueError(
                f"the jobs could take {self.longest_seconds} s, and CloudFormation waits "
                f"{CLOUDFORMATION_WAIT_SECONDS} s at most: lower max_runtime_seconds of preprocess, training or "
                f"evaluate until they sum to {LONGEST_TRAINING_SECONDS} s, or set on_deploy = false"
            )
        return self


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
        if self.model.source == "pretrained":
            unused = [name for name in ("dataset", "training") if name in self.model_fields_set]
            problems += [f"{name} has no meaning for a pre-trained model: leave it out" for name in unused]
        for variant in self.endpoint.variants:
            if variant.model and variant.model.source == "train":
                problems.append(f"variant {variant.name}: its model needs a path; without a model it serves [model]")
        if all(variant.model for variant in self.endpoint.variants):
            problems.append("no variant serves [model]: leave the model of one of them out")
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

    def model_of(self, variant: Variant) -> Model:
        """Return what `variant` serves."""
        return variant.model or self.model

    @property
    def trains(self) -> bool:
        """Whether anything is trained here."""
        return self.model.source == "train"

    def in_own_container(self, model: Model) -> bool:
        """Return whether serving/Dockerfile serves `model`, and not AWS's image."""
        return model.framework == "onnx" or self.endpoint.container == "fast"

    @property
    def needs_own_container(self) -> bool:
        """Whether a deploy builds serving/Dockerfile."""
        return any(self.in_own_container(self.model_of(variant)) for variant in self.endpoint.variants)

    def scaling_of(self, variant: Variant) -> VariantScaling:
        """Return the bounds and policies of `variant`."""
        return variant.scaling or self.scaling
