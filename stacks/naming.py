"""The names of one environment: stacks, parameters, endpoint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from config.settings import Variant


@dataclass(frozen=True)
class Naming:
    """Physical names, all of them beginning with the project and the environment.

    Parameters
    ----------
    project, env : str
        The project's name and the environment's.
    """

    project: str
    env: str

    @property
    def prefix(self) -> str:
        """`<project>-<env>`."""
        return f"{self.project}-{self.env}"

    def stack(self, thing: str) -> str:
        """Name of a stack."""
        return f"{self.prefix}-{thing}"

    def parameter(self, path: str) -> str:
        """Name of an SSM parameter."""
        return f"/{self.project}/{self.env}/{path}"

    @property
    def approved_model_parameter(self) -> str:
        """Written by promotion: the S3 URI of the model to serve. Not owned by CloudFormation."""
        return self.parameter("model/approved")

    @property
    def served_model_parameter(self) -> str:
        """The S3 URI of the model that is served, written once the endpoint really serves it."""
        return self.parameter("model/served")

    @property
    def endpoint_name_parameter(self) -> str:
        """Where clients that skip the API read the endpoint's name."""
        return self.parameter("endpoint/name")

    @property
    def training_run_parameter(self) -> str:
        """The run as it was deployed last, as JSON."""
        return self.parameter("training/run")

    @property
    def model_package_group(self) -> str:
        """Group of the model registry: one version for every model that passed the gate."""
        return self.prefix

    @property
    def drift_check(self) -> str:
        """Name of the state machine that compares captured requests with the training records.

        Monitoring watches it by this name: an export could not go in the deploy that switches the check off.
        """
        return f"{self.prefix}-drift"

    def endpoint(self, variants: Iterable[Variant]) -> str:
        """Name of the endpoint: a new one when variants or instance types change, which AWS refuses to update in place.

        Under registered scaling an update that changes an instance type or removes a variant fails.
        """
        return f"{self.prefix}-{self.variants_hash(variants)}"

    def variants_hash(self, variants: Iterable[Variant]) -> str:
        """Return eight hex digits that change with the variants and their instance types."""
        types = {variant.name: variant.instance_type for variant in variants}
        return hashlib.sha256(json.dumps(types, sort_keys=True).encode()).hexdigest()[:8]
