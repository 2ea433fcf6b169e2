"""InvokeEndpoint: the wire format as boto3 reads it, statuses, variants."""

import asyncio
import json
import socket
import time
from collections import Counter
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from serving.http_answer import Answer

JSON = b"application/json"


def client(plane: Any) -> Any:
    return boto3.client(
        "sagemaker-runtime",
        endpoint_url=f"http://127.0.0.1:{plane.port}",
        region_name="us-east-1",
        aws_access_key_id="AKIATEST",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}),
    )


def test_boto3_reads_the_answer(plane: Any, make_server: Any) -> None:
    attributes = b"X-Amzn-SageMaker-Custom-Attributes: trace=1\r\n"
    model = make_server(lambda head, body: Answer(200, b"text/plain", body[::-1], attributes))
    plane.route(main=[model])

    answer = client(plane).invoke_endpoint(
        EndpointName="kdd", Body=b"abc", ContentType="text/csv", Accept="text/plain", CustomAttributes="c=2"
    )

    assert answer["Body"].read() == b"cba"
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("text/plain", "main")
    assert answer["CustomAttributes"] == "trace=1"
    assert len(answer["ResponseMetadata"]["RequestId"]) == 36
    sent = model.calls[0].head
    assert (sent.method, sent.path) == ("POST", "/invocations")
    assert (sent.headers["content-type"], sent.headers["accept"]) == ("text/csv", "text/plain")
    assert sent.headers["x-amzn-sagemaker-custom-attributes"] == "c=2"
    assert "authorization" not in sent.headers


def test_unknown_endpoint_is_a_validation_error(plane: Any) -> None:
    with pytest.raises(ClientError) as caught:
        client(plane).invoke_endpoint(EndpointName="nobody", Body=b"1")

    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert "Endpoint nobody of account 123456789012 not found." in str(caught.value)


@pytest.mark.parametrize(("status", "kind"), [(400, "client"), (500, "server"), (301, "server")])
def test_containers_error_is_a_model_error(plane: Any, make_server: Any, status: Any, kind: Any) -> None:
    plane.route(main=[make_server(lambda head, body: Answer(status, JSON, b"row 1 is bad"))])

    with pytest.raises(ClientError) as caught:
        client(plane).invoke_endpoint(EndpointName="kdd", Body=b"1")

    error = caught.value.response
    assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == ("ModelError", 424)
    assert f'Received {kind} error ({status}) from primary with message "row 1 is bad"' in error["Error"]["Message"]
    assert (error["OriginalStatusCode"], error["OriginalMessage"]) == (status, "row 1 is bad")
    counted = plane.metrics()
    assert (counted["Invocations"], counted["InvocationModelErrors"]) == (1, 1)
    assert counted["Invocation4XXErrors"] == (status == 400)
    assert counted["Invocation5XXErrors"] == (status != 400)


def test_payload_over_6_mb_is_refused(plane: Any, make_server: Any) -> None:
    model = make_server()
    plane.route(main=[model])

    assert plane.invoke(b"1" * 6_291_456).status == 200
    assert plane.invoke(b"1" * 6_291_457).status == 413
    assert len(model.calls) == 1


def test_target_variant_is_invoked(plane: Any, make_server: Any) -> None:
    first, second = make_server(), make_server()
    plane.route(first=[first], second=[second])

    for _ in range(5):
        answer = plane.invoke(X_Amzn_SageMaker_Target_Variant="second")
        assert answer.headers["x-Amzn-Invoked-Production-Variant"] == "second"
    unknown = plane.invoke(X_Amzn_SageMaker_Target_Variant="third")

    assert (len(first.calls), len(second.calls)) == (0, 5)
    assert (unknown.status, unknown.headers["x-amzn-ErrorType"]) == (400, "ValidationError")


def test_what_is_not_emulated_is_refused_by_name(plane: Any, make_server: Any) -> None:
    plane.route(main=[make_server()])

    answer = plane.invoke(X_Amzn_SageMaker_Target_Model="a.tar.gz")

    assert answer.status == 400
    assert "does not emulate x-amzn-sagemaker-target-model" in json.loads(answer.body)["Message"]


def test_weights_share_the_traffic(plane: Any, make_server: Any) -> None:
    server = make_server()
    instances = [{"id": "i-0", "port": server.port}]
    variants = [{"name": name, "weight": weight, "instances": instances} for name, weight in (("a", 3), ("b", 1))]
    plane.put("endpoints/kdd", {"variants": variants})

    async def invoke_many() -> Any:
        endpoint = plane.endpoints.get("kdd")
        return Counter(endpoint.choose().name for _ in range(4000))

    shares = plane.background.run(invoke_many())

    assert shares["a"] == pytest.approx(3000, abs=150)  # 5.5 standard deviations of a binomial(4000, 3/4)


def test_get_is_not_invoke_endpoint(plane: Any) -> None:
    answer = plane.call("GET", "/endpoints/kdd/invocations")

    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_unknown_path_is_named(plane: Any) -> None:
    answer = plane.call("POST", "/endpoints/kdd/async-invocations")

    assert answer.status == 404
    assert "POST /endpoints/kdd/async-invocations" in json.loads(answer.body)["message"]


def test_chunked_answer_of_a_container_is_passed_on(plane: Any, background: Any) -> None:
    async def speak(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"1,2,3")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write(b"2\r\nde\r\n0\r\n\r\n")
        try:
            await reader.read()
        finally:
            writer.close()

    server = background.run(asyncio.start_server(speak, "127.0.0.1", 0))
    background.closers.append(server.close)
    port = server.sockets[0].getsockname()[1]
    plane.put("endpoints/kdd", {"variants": [{"name": "main", "instances": [{"id": "i-0", "port": port}]}]})

    assert plane.invoke().body == b"abcde"


def test_answer_that_ends_with_its_connection_is_passed_on(plane: Any, background: Any) -> None:
    async def speak(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"1,2,3")
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end")
        writer.close()

    server = background.run(asyncio.start_server(speak, "127.0.0.1", 0))
    background.closers.append(server.close)
    port = server.sockets[0].getsockname()[1]
    plane.put("endpoints/kdd", {"variants": [{"name": "main", "instances": [{"id": "i-0", "port": port}]}]})

    assert [plane.invoke().body for _ in range(2)] == [b"until the end"] * 2


def test_server_that_speaks_no_http_is_a_model_error(plane: Any, background: Any) -> None:
    async def speak(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"1,2,3")
        writer.write(b"what?\r\n\r\n")
        await writer.drain()
        try:
            await reader.read()
        finally:
            writer.close()

    server = background.run(asyncio.start_server(speak, "127.0.0.1", 0))
    background.closers.append(server.close)
    port = server.sockets[0].getsockname()[1]
    plane.put("endpoints/kdd", {"variants": [{"name": "main", "instances": [{"id": "i-0", "port": port}]}]})

    answer = plane.invoke()

    assert answer.status == 424
    assert json.loads(answer.body)["OriginalMessage"] == "The container closed the connection without an answer"


def test_pipelined_requests_are_answered_in_order(plane: Any, make_server: Any) -> None:
    async def late(head: Any, body: Any) -> Any:
        await asyncio.sleep(0.05 if body == b"first" else 0)
        return Answer(200, b"text/plain", body)

    plane.route(main=[make_server(late)])
    head = "POST /endpoints/kdd/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}"
    stream = "".join(head.format(len(body), body) for body in ("first", "second", "third")).encode()

    with socket.create_connection(("127.0.0.1", plane.port), timeout=10) as client:
        client.sendall(stream)
        client.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: client.recv(65536), b""))

    places = [received.index(b"\r\n\r\n" + body) for body in (b"first", b"second", b"third")]
    assert places == sorted(places)


def test_client_that_leaves_does_not_hold_its_instance(plane: Any, make_server: Any) -> None:
    async def late(head: Any, body: Any) -> Any:
        await asyncio.sleep(0.1)
        return Answer(200, b"text/plain", b"too late")

    model = make_server(late)
    plane.route(main=[model])
    with socket.create_connection(("127.0.0.1", plane.port), timeout=10) as client:
        client.sendall(b"POST /endpoints/kdd/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        while not model.calls:
            time.sleep(0.005)

    assert plane.route(main=[make_server()]) == {"undrained": []}
    assert plane.invoke().status == 200
