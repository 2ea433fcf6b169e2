"""Finds what was deployed: the stacks' outputs, in AWS or in the sandbox of this folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from config.loading import DIRECTORY, SettingsError, load
from config.settings import Settings
from sandbox import launch
from sandbox.runtime import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Runtime


def settings_of(env: str) -> Settings:
    """Return an environment's settings, read where app.py reads them; raises SettingsError."""
    return load(env, settings_directory())


def settings_directory() -> Path:
    """Return the folder of the settings files."""
    return Path(os.environ.get("SAGESCALE_CONFIG_DIR", DIRECTORY))


class NotDeployedError(Exception):
    """The environment has no settings, no region, no sandbox or no serving stack; the message says what to do."""


AWS_ERRORS = (NotDeployedError, ClientError, BotoCoreError)
"""What every command of a deployed environment tells its user without a traceback."""


@dataclass(frozen=True)
class Deployment:
    """One deployed environment.

    Parameters
    ----------
    runtime : Runtime or None
        The running sandbox; None for AWS.
    """

    env: str
    settings: Settings
    runtime: Runtime | None
    _known: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What no deploy changes: clients, and what every request needs: the API's address, its key, the credentials."""

    @classmethod
    def find(cls, env: str, directory: Path = launch.DIRECTORY) -> Deployment:
        """Return the deployment of environment `env`: in AWS, or in the sandbox that runs in `directory`.

        `sandbox` is there, and so are all where `sagescale sandbox env` has pointed this shell, as for `cdk deploy`.

        Raises
        ------
        NotDeployedError
            The sandbox is not running, or the environment's settings cannot be used.
        """
        try:
            settings = settings_of(env)
        except SettingsError as error:
            raise NotDeployedError(str(error)) from error
        runtime = launch.running(directory)
        if env == "sandbox" and runtime is None:
            raise NotDeployedError(f"no sandbox runs in {directory.resolve()}: start it with `sagescale sandbox up`")
        is_there = env == "sandbox" or (runtime and os.environ.get("AWS_ENDPOINT_URL") == runtime.endpoint_url)
        return cls(env, settings, runtime if is_there else None)

    def that_trains(self) -> Deployment:
        """Return this deployment; raises NotDeployedError where its model was trained elsewhere."""
        if self.settings.trains:
            return self
        raise NotDeployedError(
            f"{self.env} trains nothing, its model comes from elsewhere: change [model] in its settings, and "
            f"`make deploy ENV={self.env}`"
        )

    def client(self, service: str) -> Any:
        """Return the boto3 client of `service` for this environment.

        Raises
        ------
        NotDeployedError
            Nothing names a region.
        """
        if self.runtime:
            return self.runtime.client(service)
        return self._once(f"client of {service}", lambda: self._aws_client(service))

    def _aws_client(self, service: str) -> Any:
        # AWS_REGION is what the CDK CLI reads; boto3 knows AWS_DEFAULT_REGION and profiles
        region = self.settings.project.region or os.environ.get("AWS_REGION") or boto3.Session().region_name
        if region is None:
            raise NotDeployedError(f"no region: set AWS_REGION, or [project] region in the settings of {self.env}")
        return boto3.client(service, region_name=region)

    def outputs(self, stack: str) -> dict[str, str]:
        """Return the outputs of one stack (`storage`, `training`, `serving`).

        Raises
        ------
        NotDeployedError
            There is no such stack, or none that ever stood.
        """
        name = f"{self.settings.project.name}-{self.env}-{stack}"
        try:
            (described,) = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except (ClientError, BotoCoreError) as error:
            if "does not exist" in str(error):
                raise NotDeployedError(f"stack {name} does not exist: `make deploy ENV={self.env}`") from error
            raise NotDeployedError(f"stack {name} cannot be read: {error}") from error
        if not described.get("Outputs"):
            raise NotDeployedError(
                f"stack {name} is {described['StackStatus']} and has no outputs; `make deploy ENV={self.env}` "
                "says why it does not stand"
            )
        return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}

    def api_url(self, path: str) -> str:
        """Return the URL of a path of the API; the sandbox has no host names, so there it goes to the data plane."""
        return str(self._once("base_url", self._base_url)) + path

    def _base_url(self) -> str:
        outputs = self.outputs("serving")
        url = outputs["ApiUrl"].rstrip("/")
        if not self.runtime:
            return url
        stage = url.rpartition("/")[2]
        return f"{self.runtime.dataplane_url}/restapis/{outputs['ApiId']}/{stage}/_user_request_"

    def api_headers(self, url: str, body: bytes, content_type: str) -> Mapping[str, str]:
        """Return the headers that the API's kind of authentication wants."""
        headers = {"Content-Type": content_type}
        auth = self.settings.api.auth
        if auth == "api_key":
            return {**headers, "x-api-key": self._once("api_key", self._api_key)}
        if auth == "iam":
            request = AWSRequest("POST", url, data=body, headers=headers)
            credentials, region = self._once("signer", self._signer)
            SigV4Auth(credentials, "execute-api", region).add_auth(request)
            return dict(request.headers)
        return headers

    def _api_key(self) -> str:
        key_id = self.outputs("serving")["ApiKeyId"]
        return str(self.client("apigateway").get_api_key(apiKey=key_id, includeValue=True)["value"])

    def _signer(self) -> tuple[Any, str]:
        region = self.client("apigateway").meta.region_name
        if self.runtime:
            return Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY), region
        return boto3.Session().get_credentials(), region  # which renew themselves

    def _once(self, what: str, find: Callable[[], Any]) -> Any:
        """Look something up at its first use only: a load test must not ask CloudFormation at every request."""
        if what not in self._known:
            self._known[what] = find()
        return self._known[what]
