"""The deployed API tells the truth: each status of docs/openapi.json is provoked where it arises and arrives as it is.

The tests follow each other: what takes the model away comes last, and then all that was answered is compared with the
document.
"""

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import urllib3

from cli.predict import RefusedError, ask
from cli.smoke import RECORD
from sandbox.dataplane.permission import KEPT_SECONDS
from stacks.openapi import document
from tests.integration.workstation import Workstation
from training.schema import encode_csv

CSV, JSON = "text/csv", "application/json"
ASKED = {"/invocations": (encode_csv(RECORD).encode(), CSV), "/predictions": (json.dumps(RECORD).encode(), JSON)}
ROW = ASKED["/invocations"][0]
SLOW_SECONDS = 60.0  # the function waits 25, the gateway 29
answered: set[tuple[str, int]] = set()


@pytest.fixture(scope="module", autouse=True)
def deployed(workstation: Workstation) -> None:
    workstation.deploy()


def call(workstation: Workstation, path: str, body: bytes, content_type: str, **headers: str) -> tuple[int, Any]:
    url = workstation.deployment().api_url(path)
    sent = {"Content-Type": content_type, **headers}
    answer = urllib3.request("POST", url, body=body, headers=sent, retries=False, timeout=60.0)
    answered.add((path, answer.status))
    return answer.status, json.loads(answer.data)


def ask_both(workstation: Workstation) -> list[int]:
    """Return with which statuses a good request to each resource is answered; both are on their way at once."""
    with ThreadPoolExecutor(len(ASKED)) as pool:
        asked = [pool.submit(call, workstation, path, *sent) for path, sent in ASKED.items()]
        return [each.result()[0] for each in asked]


def predict_function(workstation: Workstation) -> str:
    """Return the name of the function behind /predictions."""
    functions = workstation.runtime.client("lambda").list_functions()["Functions"]
    (name,) = [each["FunctionName"] for each in functions if "InferencePredict" in each["FunctionName"]]
    return str(name)


def route(workstation: Workstation, instances: list[dict[str, Any]]) -> None:
    """Send the endpoint's traffic to these instances."""
    name = workstation.parameter("endpoint/name")
    body = json.dumps({"variants": [{"name": "main", "instances": instances}]}).encode()
    url = f"{workstation.runtime.dataplane_url}/_sandbox/endpoints/{name}"
    urllib.request.urlopen(urllib.request.Request(url, data=body, method="PUT"), timeout=60).close()


@contextmanager
def model(workstation: Workstation, answer: Callable[[], tuple[int, bytes]]) -> Iterator[None]:
    """Let the endpoint's only instance be one that answers so."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = answer()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        route(workstation, [{"id": "i-made-up", "port": server.server_port}])
        try:
            yield
        finally:
            server.shutdown()


@contextmanager
def slow_model(workstation: Workstation) -> Iterator[None]:
    """Let the endpoint answer when everybody has given up."""
    over = threading.Event()

    def wait() -> tuple[int, bytes]:
        over.wait(SLOW_SECONDS)
        return 200, b"{}"

    with model(workstation, wait):
        try:
            yield
        finally:
            over.set()


@pytest.mark.verify
@pytest.mark.parametrize(
    ("path", "body", "content_type", "status"),
    [
        ("/invocations", ROW, CSV, 200),
        ("/predictions", json.dumps(RECORD).encode(), JSON, 200),
        ("/predictions", b"[]", JSON, 400),
        ("/predictions", json.dumps({**RECORD, "count": "many"}).encode(), JSON, 400),
        ("/invocations", ROW + b"\n" + b"0" * 6_300_000, CSV, 413),
        ("/predictions", json.dumps({"records": [RECORD] * 8_000}).encode(), JSON, 413),
        ("/invocations", ROW, "image/png", 415),
        ("/predictions", json.dumps(RECORD).encode(), "text/plain", 415),
        ("/invocations", b"1,2,3", CSV, 424),
    ],
)
def test_a_callers_fault_is_told_as_such(
    workstation: Workstation, path: str, body: bytes, content_type: str, status: int
) -> None:
    assert call(workstation, path, body, content_type)[0] == status


@pytest.mark.verify
def test_a_permission_that_is_missing_is_500(workstation: Workstation) -> None:
    iam, cloudformation = workstation.runtime.client("iam"), workstation.runtime.client("cloudformation")
    resources = cloudformation.list_stack_resources(StackName="kdd99-sandbox-serving")["StackResourceSummaries"]
    roles = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}
    (role,) = [name for logical_id, name in roles.items() if logical_id.startswith("InferenceInvokeRole2")]
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=policy)
    deadline = time.monotonic() + 3 * KEPT_SECONDS  # what was allowed stays allowed for a while
    while (status := call(workstation, "/invocations", ROW, CSV)[0]) == 200 and time.monotonic() < deadline:
        time.sleep(1)
    assert status == 500
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))
    assert call(workstation, "/invocations", ROW, CSV)[0] == 200


@pytest.mark.verify
def test_more_than_the_throttle_is_429(workstation: Workstation) -> None:
    workstation.deploy(api={"auth": "none", "throttle_rate_per_second": 0.5, "throttle_burst": 1})
    for path, sent in ASKED.items():
        assert 429 in {call(workstation, path, *sent)[0] for _ in range(5)}, path


@pytest.mark.verify
def test_a_user_of_the_pool_is_answered_and_nobody_else(workstation: Workstation) -> None:
    workstation.deploy(api={"auth": "cognito"})
    with pytest.raises(RefusedError, match="answered 401"):
        ask(workstation.deployment(), [RECORD])
    assert ask_both(workstation) == [401, 401]
    outputs = workstation.outputs("serving")
    pool, client = outputs["UserPoolId"], outputs["UserPoolClientId"]
    token = sign_in(workstation.runtime.client("cognito-idp"), pool, client)
    status, answer = call(workstation, "/predictions", json.dumps(RECORD).encode(), JSON, Authorization=token)
    assert (status, len(answer["predictions"])) == (200, 1)
    head, claims, signature = token.split(".")
    forged = ".".join([head, claims, signature[:-8] + "AAAAAAAA"])
    assert call(workstation, "/predictions", b"{}", JSON, Authorization=forged)[0] == 401


@pytest.mark.verify
def test_a_request_without_a_signature_is_403(workstation: Workstation) -> None:
    workstation.deploy(api={"auth": "iam"})
    assert ask_both(workstation) == [403, 403]
    workstation.deploy()
    assert ask_both(workstation) == [200, 200]


@pytest.mark.verify
def test_a_model_that_answers_no_classifiers_answer_is_502_to_who_wants_labels(workstation: Workstation) -> None:
    with model(workstation, lambda: (200, b'{"greeting": "hello"}')):
        assert ask_both(workstation) == [200, 502]  # /invocations hands on what the model says


@pytest.mark.verify
def test_a_model_that_fails_is_424(workstation: Workstation) -> None:
    with model(workstation, lambda: (500, b"out of memory")):
        assert ask_both(workstation) == [424, 424]


@pytest.mark.verify
def test_a_model_that_is_too_slow_is_504(workstation: Workstation) -> None:
    with slow_model(workstation):
        assert ask_both(workstation) == [504, 504]


@pytest.mark.verify
def test_a_function_that_times_out_is_502(workstation: Workstation) -> None:
    functions, name = workstation.runtime.client("lambda"), predict_function(workstation)
    before = functions.get_function_configuration(FunctionName=name)["Timeout"]
    functions.update_function_configuration(FunctionName=name, Timeout=2)
    with slow_model(workstation):
        status, answer = call(workstation, "/predictions", *ASKED["/predictions"])
    assert (status, answer) == (502, {"message": "Internal server error"})  # the gateway's words
    functions.update_function_configuration(FunctionName=name, Timeout=before)


@pytest.mark.verify
def test_an_endpoint_without_room_is_503_and_one_that_is_gone_400(workstation: Workstation) -> None:
    route(workstation, [])
    assert ask_both(workstation) == [503, 503]
    name = workstation.parameter("endpoint/name")
    url = f"{workstation.runtime.dataplane_url}/_sandbox/endpoints/{name}"
    urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=60).close()
    assert call(workstation, "/invocations", ROW, CSV)[0] == 400


@pytest.mark.verify
def test_a_function_that_is_gone_is_500(workstation: Workstation) -> None:
    workstation.runtime.client("lambda").delete_function(FunctionName=predict_function(workstation))
    assert call(workstation, "/predictions", *ASKED["/predictions"])[0] == 500


@pytest.mark.verify
def test_every_status_of_the_document_was_provoked_and_no_other() -> None:
    operations = {path: item["post"] for path, item in document()["paths"].items()}
    declared = {(path, int(status)) for path, operation in operations.items() for status in operation["responses"]}
    assert answered == declared


def sign_in(cognito: Any, pool: str, client: str) -> str:
    """Make a user and return an id token of theirs."""
    cognito.set_user_pool_mfa_config(UserPoolId=pool, MfaConfiguration="OFF")  # a second factor needs somebody's phone
    name, password = "user@example.org", "Long-enough-1234!"
    cognito.admin_create_user(UserPoolId=pool, Username=name)
    cognito.admin_set_user_password(UserPoolId=pool, Username=name, Password=password, Permanent=True)
    asked = cognito.initiate_auth(
        ClientId=client, AuthFlow="USER_SRP_AUTH", AuthParameters={"USERNAME": name, "SRP_A": "00"}
    )
    responses = {
        "USERNAME": asked["ChallengeParameters"]["USERNAME"],
        "PASSWORD_CLAIM_SIGNATURE": "moto takes any",
        "PASSWORD_CLAIM_SECRET_BLOCK": asked["Session"],
        "TIMESTAMP": "now",
    }
    answer = cognito.respond_to_auth_challenge(
        ClientId=client, ChallengeName="PASSWORD_VERIFIER", ChallengeResponses=responses
    )
    return str(answer["AuthenticationResult"]["IdToken"])
