"""Lambda's state: moto's backend and functions, with invocation in worker processes instead of Docker."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from types import ModuleType
from typing import Any, ClassVar

from moto.awslambda import models
from moto.awslambda.exceptions import InvalidParameterValueException

from sandbox.functions import urls
from sandbox.functions.asynchronous import QueuedEvent, invoke_in_background
from sandbox.functions.pool import Outcome, Pool, Version
from sandbox.logs import LogShipper
from sandbox.runtime import Runtime

KEPT = ("LoggingConfig", "DeadLetterConfig")  # moto drops them


class Workers:
    """The pools of all functions, by ARN with version."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.shipper = LogShipper(runtime)
        self._pools: dict[str, Pool] = {}
        self._lock = threading.Lock()

    def run(self, version: Version, event: Any, request_id: str) -> Outcome:
        """Run `event` on a worker of `version`."""
        with self._lock:
            pool = self._pools.setdefault(version.arn, Pool(self.runtime, self.shipper))
        return pool.run(version, event, request_id)

    def forget(self, arn: str) -> None:
        """End the workers of a function, or of one version of it."""
        with self._lock:
            names = [known for known in self._pools if known == arn or known.startswith(f"{arn}:")]
            gone = [self._pools.pop(name) for name in names]
        for pool in gone:
            pool.end()

    def stop(self) -> None:
        """End all workers."""
        with self._lock:
            pools = list(self._pools.values())
        for pool in pools:
            pool.end()
        self.shipper.stop()


class Function(models.LambdaFunction):
    """A function version that runs."""

    workers: ClassVar[Workers]

    def __init__(self, account_id: str, spec: dict[str, Any], region: str, version: str | int = 1) -> None:
        super().__init__(account_id, spec, region, version)
        self.more_configuration: dict[str, Any] = {}
        self._keep(spec)

    def get_configuration(self, on_create: bool = False) -> dict[str, Any]:
        """Return the answer of GetFunctionConfiguration."""
        return {**super().get_configuration(on_create), **self.more_configuration}

    def update_configuration(self, config_updates: dict[str, Any]) -> dict[str, Any]:
        """Change what UpdateFunctionConfiguration changes."""
        check_supported({"Runtime": self.run_time, **config_updates})
        super().update_configuration(config_updates)
        self._keep(config_updates)
        return self.get_configuration()

    def invoke(self, body: str, request_headers: Any, response_headers: Any) -> str | bytes:
        """Answer Invoke; calls from moto's own services come without headers and are asynchronous."""
        event = json.loads(body) if body else {}
        request_id = str(uuid.uuid4())
        default = "RequestResponse" if request_headers else "Event"
        kind = (request_headers or {}).get("x-amz-invocation-type", default)
        if kind == "DryRun":
            return ""
        if kind == "Event":
            config = dict(self.event_invoke_config[0].config) if self.event_invoke_config else {}
            config["DeadLetterConfig"] = self.more_configuration.get("DeadLetterConfig")
            queued = QueuedEvent(
                event=event,
                request_id=request_id,
                function_arn=self.function_arn,
                role_arn=self.role,
                config=config,
            )
            invoke_in_background(queued, lambda: self._run(event, request_id), self.workers.runtime)
            return ""
        outcome = self._run(event, request_id)
        response_headers["x-amzn-requestid"] = request_id
        response_headers["x-amz-executed-version"] = str(self.version)
        response_headers["x-amz-log-result"] = base64.b64encode(outcome.log_tail).decode()
        if outcome.failed:
            response_headers["x-amz-function-error"] = "Unhandled"
        return outcome.payload.encode()

    def _run(self, event: Any, request_id: str) -> Outcome:
        version = Version(
            arn=self.function_arn,
            name=self.function_name,
            version=str(self.version),
            role_arn=self.role,
            handler=self.handler or "",
            code=self.code_bytes,
            code_sha256=self.code_sha_256,
            variables=dict(self.environment_vars),
            timeout_seconds=int(self.timeout),
            memory_mb=int(self.memory_size),
            log_group=self.logs_group_name,
        )
        return self.workers.run(version, event, request_id)

    def _keep(self, spec: dict[str, Any]) -> None:
        self.more_configuration |= {name: spec[name] for name in KEPT if spec.get(name)}
        group = self.more_configuration.get("LoggingConfig", {}).get("LogGroup")
        self.logs_group_name = group or f"/aws/lambda/{self.function_name}"


class FunctionsBackend(models.LambdaBackend):
    """One account's Lambda in one region."""

    @property
    def _url_module(self) -> ModuleType:
        return urls

    def create_function(self, spec: dict[str, Any]) -> models.LambdaFunction:
        """Keep a function the sandbox can run; others are refused by name."""
        check_supported(spec)
        return super().create_function(spec)

    def delete_function(self, function_name: str, qualifier: str | None = None) -> None:
        """Forget a function and end its workers."""
        arn = self.get_function(function_name, qualifier).function_arn
        super().delete_function(function_name, qualifier)
        Function.workers.forget(arn)


def check_supported(spec: dict[str, Any]) -> None:
    """Refuse a function that would not run as deployed.

    Raises
    ------
    InvalidParameterValueException
        It is no Python function in a zip, or it uses layers.
    """
    problems = []
    if spec.get("PackageType", "Zip") != "Zip":
        problems.append(f"PackageType {spec['PackageType']} (it takes Zip)")
    elif not str(spec.get("Runtime", "")).startswith("python3."):
        problems.append(f"Runtime {spec.get('Runtime')} (it takes python3.x)")
    if spec.get("Layers"):
        problems.append(f"Layers {', '.join(spec['Layers'])} (put the packages into the function's own asset)")
    if problems:
        raise InvalidParameterValueException("The sandbox does not emulate " + "; ".join(problems))
