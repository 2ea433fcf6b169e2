"""The deployed API tells the truth: each status of docs/api.md is provoked where it arises and arrives as it is."""

import json
import os
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from cli.predict import RefusedError, ask
from cli.smoke import RECORD
from sandbox import launch
from sandbox.dataplane.permission import KEPT_SECONDS
from tests.integration.workstation import Workstation
from training.schema import encode_csv

ROW = encode_csv(RECORD).encode()
CSV, JSON = "text/csv", "application/json"


@pytest.fixture(scope="module")
def workstation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workstation]:
    folder = tmp_path_factory.mktemp("workstation")
    runtime = launch.start(folder / "sandbox", owner_pid=os.getpid())
    launch.bootstrap(runtime)
    made = Workstation(folder, runtime)
    made.deploy()
    yield made
    launch.stop(folder / "sandbox")


def call(workstation: Workstation, path: str, body: bytes, content_type: str, **headers: str) -> tuple[int, Any]:
    url = workstation.deployment().api_url(path)
    sent = {"Content-Type": content_type, **headers}
    answer = urllib3.request("POST", url, body=body, headers=sent, retries=False, timeout=60.0)
    return answer.status, json.loads(answer.data)


def route(workstation: Workstation, instances: list[dict[str, Any]]) -> None:
    """Send the endpoint's traffic to these instances."""
    name = workstation.parameter("endpoint/name")
    body = json.dumps({"variants": [{"name": "main", "instances": instances}]}).encode()
    url = f"{workstation.runtime.dataplane_url}/_sandbox/endpoints/{name}"
    urllib.request.urlopen(urllib.request.Request(url, data=body, method="PUT"), timeout=60).close()


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
    statuses = {call(workstation, "/invocations", ROW, CSV)[0] for _ in range(5)}
    assert 429 in statuses
    workstation.deploy()


@pytest.mark.verify
def test_a_user_of_the_pool_is_answered_and_nobody_else(workstation: Workstation) -> None:
    workstation.deploy(api={"auth": "cognito"})
    with pytest.raises(RefusedError, match="answered 401"):
        ask(workstation.deployment(), [RECORD])
    outputs = workstation.outputs("serving")
    pool, client = outputs["UserPoolId"], outputs["UserPoolClientId"]
    token = sign_in(workstation.runtime.client("cognito-idp"), pool, client)
    status, answer = call(workstation, "/predictions", json.dumps(RECORD).encode(), JSON, Authorization=token)
    assert (status, len(answer["predictions"])) == (200, 1)
    head, claims, signature = token.split(".")
    forged = ".".join([head, claims, signature[:-8] + "AAAAAAAA"])
    assert call(workstation, "/predictions", b"{}", JSON, Authorization=forged)[0] == 401


@pytest.mark.verify
def test_an_endpoint_without_room_is_503_and_one_that_is_gone_400(workstation: Workstation) -> None:
    workstation.deploy()
    route(workstation, [])
    assert call(workstation, "/invocations", ROW, CSV)[0] == 503
    assert call(workstation, "/predictions", json.dumps(RECORD).encode(), JSON)[0] == 503
    name = workstation.parameter("endpoint/name")
    url = f"{workstation.runtime.dataplane_url}/_sandbox/endpoints/{name}"
    urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=60).close()
    assert call(workstation, "/invocations", ROW, CSV)[0] == 400


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
