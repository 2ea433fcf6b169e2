"""The article's scenario with Taurus and JMeter, to its end, offline: Debian's JMeter 2.13 stands in for the user's.

Debian's XStream 1.4.20 denies JMeter every type it loads, so a class that allows them stands before it on the class
path; for this test only.
"""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from cli import load_generators
from cli.load_generators import Credentials, Load, run_jmeter, run_locust
from cli.load_generators import Test as LoadTest
from loadtest.results import Samples, read_jtl
from loadtest.verdict import Criteria
from tests.integration.load.conftest import JARS, Options, needs_jmeter
from tests.integration.scaling.conftest import Scalable

KEYS = Credentials("AKIDEXAMPLE", "a-secret-for-tests", "a-token", "eu-west-1")
RECORDS = [b"1.0,2.0,3.0", b"4.5,0,1"]

pytestmark = [pytest.mark.verify, needs_jmeter]


class Api(ThreadingHTTPServer):
    """Remembers what it was asked; answers `status`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, status: int = 200) -> None:
        self.asked: list[tuple[dict[str, str], bytes]] = []
        self.status = status
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/invocations"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    server: Api

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    yield server
    server.shutdown()
    server.server_close()


def a_test(api: Api, folder: Path, credentials: Credentials | None = None, **headers: str) -> LoadTest:
    load = Load.ramp_and_hold(5, 2, 6)
    return LoadTest(url=api.url, headers=headers, records=RECORDS, load=load, credentials=credentials, folder=folder)


def is_signed_by(keys: Credentials, api: Api, headers: dict[str, str], body: bytes) -> bool:
    """Whether botocore comes to the same signature."""
    request = AWSRequest("POST", api.url, data=body, headers={"Content-Type": "text/csv"})
    request.context["timestamp"] = headers["X-Amz-Date"]
    signer = SigV4Auth(BotoCredentials(keys.access_key, keys.secret_key, keys.token), "execute-api", keys.region)
    request.headers["X-Amz-Date"] = headers["X-Amz-Date"]
    request.headers["X-Amz-Security-Token"] = keys.token
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    return f"Signature={signature}" in headers["Authorization"]


def test_scenario_runs_to_its_end_with_real_records_and_a_key(api: Api, jmeter: Options, tmp_path: Path) -> None:
    results = run_jmeter(
        a_test(api, tmp_path, None, **{"x-api-key": "the-key"}), ramp_seconds=2, hold_seconds=6, jmeter=jmeter
    )
    samples = read_jtl(results)
    assert Criteria().failures(samples) == []
    assert samples.users.max() == 5
    assert len(api.asked) == samples.codes.size
    headers, _ = api.asked[0]
    assert headers["x-api-key"] == "the-key"
    assert headers["Content-Type"] == "text/csv"
    assert {body for _, body in api.asked} == set(RECORDS)


@pytest.mark.skipif(not (JARS / "groovy-all.jar").exists(), reason="needs Groovy: apt-get install groovy")
def test_jmeter_signs_as_botocore_does_and_leaves_no_secret_behind(api: Api, jmeter: Options, tmp_path: Path) -> None:
    run_jmeter(a_test(api, tmp_path, KEYS), ramp_seconds=2, hold_seconds=6, jmeter=jmeter)
    assert api.asked
    assert all(is_signed_by(KEYS, api, headers, body) for headers, body in api.asked[:50])
    left = [path for path in tmp_path.rglob("*") if path.is_file() and KEYS.secret_key.encode() in path.read_bytes()]
    assert left == []


def test_locust_signs_as_botocore_does(api: Api, tmp_path: Path) -> None:
    samples = read_jtl(run_locust(a_test(api, tmp_path, KEYS)))
    assert Criteria().failures(samples) == []
    assert all(is_signed_by(KEYS, api, headers, body) for headers, body in api.asked[:50])


@pytest.mark.parametrize("generator", ["jmeter", "locust"])
def test_broken_model_fails_the_test(api: Api, jmeter: Options, tmp_path: Path, generator: str) -> None:
    api.status = 424  # what a model's error becomes
    test = a_test(api, tmp_path)
    if generator == "jmeter":
        results = run_jmeter(test, ramp_seconds=2, hold_seconds=6, jmeter=jmeter)
    else:
        results = run_locust(test)
    failures = Criteria().failures(read_jtl(results))
    assert "error share is 1, at most 0.01 is wanted" in failures


@pytest.mark.parametrize("generator", ["jmeter", "locust"])
def test_deployed_model_that_cannot_score_the_records_fails_the_test(
    scalable: Scalable, jmeter: Options, tmp_path: Path, generator: str
) -> None:
    def samples_of(folder: str) -> Samples:
        load = Load.ramp_and_hold(5, 2, 6)
        (tmp_path / folder).mkdir()
        test = LoadTest(
            url=scalable.url, headers={}, records=RECORDS, load=load, credentials=None, folder=tmp_path / folder
        )
        if generator == "locust":
            return read_jtl(run_locust(test))
        return read_jtl(run_jmeter(test, ramp_seconds=2, hold_seconds=6, jmeter=jmeter))

    assert Criteria().failures(samples_of("sound")) == []
    with scalable.instead(scalable.serve(f"narrow-{generator}", [[1.0]] * 2)):  # the records have three columns
        failures = Criteria().failures(samples_of("broken"))
    assert "error share is 1, at most 0.01 is wanted" in failures


def test_generator_that_sends_nothing_fails_the_test(api: Api, tmp_path: Path) -> None:
    with pytest.raises(load_generators.GeneratorError, match="wrote no samples"):
        run_jmeter(
            a_test(api, tmp_path),
            ramp_seconds=2,
            hold_seconds=6,
            jmeter={"path": "/bin/true", "version": "2.13", "detect-plugins": False, "plugins": [], "force-ctg": False},
        )
