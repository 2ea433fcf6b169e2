"""Model servers: one local process for each instance of a variant."""

from __future__ import annotations

import http.client
import shutil
import threading
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sandbox.logs import LogShipper
from sandbox.ports import free_ports
from sandbox.processes import Process, log_tail, terminate
from sandbox.runtime import Runtime
from sandbox.sagemaker.container import Instance, aws_environment
from sandbox.sagemaker.images import hosting_image
from sandbox.sagemaker.resources import Model
from sandbox.sagemaker.transfer import TransferError, download_object, unpack

LOG_GROUP = "/aws/sagemaker/Endpoints"
HEALTH_CHECK_SECONDS = 240.0  # "healthy within 4 min of start", and 2 s a ping: your-algorithms-inference-code.html
PING_TIMEOUT_SECONDS = 2.0
PING_INTERVAL_SECONDS = 0.05
STOP_GRACE_SECONDS = 30.0  # SIGTERM, SIGKILL 30 s later
REASON_LINES = 5


class LaunchError(Exception):
    """An instance that did not come into service; the text is fit for a FailureReason."""


@dataclass(frozen=True)
class Server:
    """One instance in service.

    Parameters
    ----------
    instance_id : str
        Unique in the sandbox.
    port : int
        Loopback port of its model server.
    process : Process
        The model server.
    root : Path
        Directory that stands in for its ``/``.
    """

    instance_id: str
    port: int
    process: Process
    root: Path


@dataclass(frozen=True)
class Fleet:
    """Where the instances of one endpoint's variant come from.

    Parameters
    ----------
    runtime : Runtime
        The sandbox.
    shipper : LogShipper
        Takes their logs.
    endpoint_name, variant_name : str
        Whose instances they are.
    health_check_seconds : float
        How long an instance may take to answer its first ping.
    closing : threading.Event
        Set when the sandbox goes down: nobody waits for an instance any more.
    """

    runtime: Runtime
    shipper: LogShipper
    endpoint_name: str
    variant_name: str
    health_check_seconds: float
    closing: threading.Event

    def launch(self, model: Model, count: int) -> list[Server]:
        """Start `count` instances side by side, and return them when all are healthy.

        Raises
        ------
        LaunchError
            One did not start; the others are ended again.
        """
        if count == 0:
            return []
        with ThreadPoolExecutor(count, thread_name_prefix=self.endpoint_name) as pool:
            attempts = [pool.submit(self._launch_one, model) for _ in range(count)]
        servers = [attempt.result() for attempt in attempts if attempt.exception() is None]
        failure = next((error for attempt in attempts if (error := attempt.exception())), None)
        if failure:
            self.retire(servers)
            raise failure
        return servers

    def retire(self, servers: Iterable[Server]) -> None:
        """End `servers`, which take no more traffic, and delete their files but the logs."""
        servers = list(servers)
        terminate(*(server.process for server in servers), grace_seconds=STOP_GRACE_SECONDS)
        for server in servers:
            self.shipper.release(server.process.log)
            shutil.rmtree(server.root)

    def _launch_one(self, model: Model) -> Server:
        instance_id = f"i-{uuid.uuid4().hex[:12]}"
        home = self.runtime.directory / "endpoints" / self.endpoint_name / self.variant_name
        machine = Instance(host=instance_id, root=home / instance_id, log=home / f"{instance_id}.log")
        self._fetch_model(model, machine)
        image = hosting_image(model.container["Image"])
        assert image.host is not None, "hosting_image() let an image pass that cannot host"
        isolated = bool(model.request.get("EnableNetworkIsolation"))
        role_arn = model.request["ExecutionRoleArn"]
        own = model.container.get("Environment") or {}
        environment = {**aws_environment(self.runtime, role_arn, isolated=isolated), **own}
        (port,) = free_ports(1)
        process = machine.start(image.host(machine.path("/opt/ml/model"), port), environment)
        stream = f"{self.variant_name}/{instance_id}"
        self.shipper.follow(machine.log, group=f"{LOG_GROUP}/{self.endpoint_name}", stream=stream, role_arn=role_arn)
        server = Server(instance_id, port, process, machine.root)
        try:
            self._wait_until_healthy(server)
        except LaunchError:
            self.retire([server])
            raise
        return server

    def _fetch_model(self, model: Model, machine: Instance) -> None:
        directory = machine.path("/opt/ml/model")
        directory.mkdir(parents=True)
        uri = model.container.get("ModelDataUrl")
        if not uri:
            return
        archive = machine.root / "model.tar.gz"
        try:
            download_object(self.runtime.client("s3", model.request["ExecutionRoleArn"]), uri, archive)
            unpack(archive, directory)
        except TransferError as error:
            shutil.rmtree(machine.root)
            raise LaunchError(f"Failed to download model data for variant {self.variant_name}: {error}") from error

    def _wait_until_healthy(self, server: Server) -> None:
        deadline = time.monotonic() + self.health_check_seconds
        while not _answers_ping(server.port):
            code = server.process.exit_code
            if code is not None or time.monotonic() > deadline:
                state = f"exited with code {code}" if code is not None else "still runs"
                lines = " | ".join(log_tail(server.process.log, REASON_LINES)) or "nothing"
                raise LaunchError(
                    f"The primary container for production variant {self.variant_name} did not pass the ping health "
                    f"check. It {state}; it printed: {lines}"
                )
            if self.closing.wait(PING_INTERVAL_SECONDS):
                raise LaunchError("The sandbox is going down")


def _answers_ping(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PING_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
