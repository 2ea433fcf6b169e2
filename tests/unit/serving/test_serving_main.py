"""The command: it serves, drains on SIGTERM, and says why it cannot start."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox.ports import free_ports
from serving.artifact import read_artifact, write_artifact

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("SAGESCALE_SHARED", ROOT.parent / "shared"))
AWS_ARTIFACT = SHARED / "linear_learner" / "model.tar.gz"


def start(*arguments: Any) -> Any:
    return subprocess.Popen([sys.executable, "-m", "serving", *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True)


def wait_until_up(port: Any, seconds: Any = 20) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5) as response:
                assert response.status == 200
                return
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(f"nothing answers on {port}")


def predict(port: Any, body: Any) -> Any:
    call = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "text/csv"})
    with urllib.request.urlopen(call, timeout=10) as response:
        return json.load(response)["predictions"]


@pytest.mark.skipif(not AWS_ARTIFACT.exists(), reason=f"{AWS_ARTIFACT} is not here")
def test_artifact_written_by_aws_is_served_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(AWS_ARTIFACT.read_bytes())
    (tmp_path / "requirements.txt").write_text("not ours\n")
    model, (port,) = read_artifact(AWS_ARTIFACT), free_ports(1)
    rows = np.random.default_rng(5).normal(size=(3, 513))
    process = start("--model-dir", str(tmp_path), "--port", str(port))
    try:
        wait_until_up(port)
        lines = [",".join(map(repr, row)) for row in rows.tolist()]
        scores = [each["score"] for each in predict(port, "\n".join(lines).encode())]
        one = predict(port, lines[0].encode())
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)

    expected = rows @ model.weights[:, 0].astype(float) + float(model.bias[0])
    np.testing.assert_allclose(scores, expected, rtol=1e-9)
    np.testing.assert_allclose(one[0]["score"], expected[0], rtol=1e-9)
    assert process.returncode == 0


def test_directory_without_model_ends_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").touch()

    process = start("--model-dir", str(tmp_path), "--port", "0")
    _, errors = process.communicate(timeout=20)

    assert process.returncode == 1
    assert "holds no model: model_algo-1 or model.tar.gz is wanted, found weights.bin" in errors
    assert "Traceback" not in errors


def test_port_that_is_taken_ends_with_its_reason(tmp_path: Path, binary_model: Any) -> None:
    write_artifact(binary_model, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start("--model-dir", str(tmp_path), "--port", str(port))
        _, errors = process.communicate(timeout=20)

    assert process.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in errors
    assert "Traceback" not in errors


def test_serve_form_takes_the_containers_directory_and_port() -> None:
    from serving.__main__ import parse_options

    options = parse_options(["serve"])

    assert (options.model_dir, options.port, options.host) == (Path("/opt/ml/model"), 8080, "0.0.0.0")


def test_sigterm_lets_a_request_under_way_finish(tmp_path: Path, binary_model: Any) -> None:
    write_artifact(binary_model, tmp_path)
    (port,) = free_ports(1)
    process = start("--model-dir", str(tmp_path), "--port", str(port))
    try:
        wait_until_up(port)
        head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 5\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(head + b"1,2")
            time.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            client.sendall(b",3")
            assert client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
        process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0
