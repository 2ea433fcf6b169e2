"""Finds what was deployed: the stacks' outputs, in AWS or in the sandbox of this folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from config.loading import SettingsError, load
from config.settings import Settings
from sandbox import launch
from sandbox.runtime import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Runtime


class NotDeployedError(Exception):
    """The environment has no settings, no sandbox or no serving stack; the message says what to do."""


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

    @classmethod
    def find(cls, env: str, directory: Path = launch.DIRECTORY) -> Deployment:
        """Return the deployment of environment `env`; `sandbox` is the one that runs in `directory`.

        Raises
        ------
        NotDeployedError
            The sandbox is not running, or the environment's settings cannot be used.
        """
        try:
            settings = load(env)
        except SettingsError as error:
            raise NotDeployedError(str(error)) from error
        if env != "sandbox":
            return cls(env, settings, None)
        if runtime := launch.running(directory):
            return cls(env, settings, runtime)
        raise NotDeployedError("the sandbox is not running: start it with `sagescale sandbox up`")

    def client(self, service: str) -> Any:
        """Return the boto3 client of `service` for this environment."""
        return self.runtime.client(service) if self.runtime else boto3.client(service)

    def outputs(self, stack: str) -> dict[str, str]:
        """Return the outputs of one stack (`storage`, `training`, `serving`).

        Raises
        ------
        NotDeployedError
            There is no such stack.
        """
        name = f"{self.settings.project.name}-{self.env}-{stack}"
        try:
            (described,) = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except (ClientError, BotoCoreError) as error:
            raise NotDeployedError(
                f"stack {name} cannot be read ({error}): deploy it with `make deploy ENV={self.env}`"
            ) from error
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}

    def api_url(self, path: str) -> str:
        """Return the URL of a path of the API; the sandbox has no host names, so there it goes to the data plane."""
        outputs = self.outputs("serving")
        if not self.runtime:
            return outputs["ApiUrl"].rstrip("/") + path
        stage = outputs["ApiUrl"].rstrip("/").rpartition("/")[2]
        return f"{self.runtime.dataplane_url}/restapis/{outputs['ApiId']}/{stage}/_user_request_{path}"

    def api_headers(self, url: str, body: bytes, content_type: str) -> Mapping[str, str]:
        """Return the headers that the API's kind of authentication wants."""
        headers = {"Content-Type": content_type}
        auth = self.settings.api.auth
        if auth == "api_key":
            key = self.client("apigateway").get_api_key(apiKey=self.outputs("serving")["ApiKeyId"], includeValue=True)
            return {**headers, "x-api-key": key["value"]}
        if auth == "iam":
            request = AWSRequest("POST", url, data=body, headers=headers)
            region = self.client("apigateway").meta.region_name
            SigV4Auth(self._credentials(), "execute-api", region).add_auth(request)
            return dict(request.headers)
        return headers

    def _credentials(self) -> Any:
        if self.runtime:
            return Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY)
        return boto3.Session().get_credentials()
