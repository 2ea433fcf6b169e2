"""API Gateway with stages that serve, and an API as the serving stack defines it."""

import http.client
import json
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox import restapis


@pytest.fixture(scope="session")
def gateway(runtime: Any, dataplane: Any) -> Any:
    restapis.install(runtime)
    return runtime.client("apigateway")


class Api:
    """One REST API and calls to it."""

    def __init__(self, gateway: Any, runtime: Any, name: Any) -> None:
        self.gateway = gateway
        self.runtime = runtime
        self.id = gateway.create_rest_api(name=name)["id"]
        self.root = gateway.get_resources(restApiId=self.id)["items"][0]["id"]

    def resource(self, part: Any, parent: Any = None) -> Any:
        created = self.gateway.create_resource(restApiId=self.id, parentId=parent or self.root, pathPart=part)
        return created["id"]

    def mock(self, resource: Any, verb: Any = "GET", status: Any = "200", body: Any = "", **method: Any) -> Any:
        """Define a method that answers `status` with `body`, without any backend."""
        place = {"restApiId": self.id, "resourceId": resource, "httpMethod": verb}
        self.gateway.put_method(**place, **{"authorizationType": "NONE"} | method)
        self.gateway.put_integration(
            **place, type="MOCK", requestTemplates={"application/json": json.dumps({"statusCode": int(status)})}
        )
        self.gateway.put_integration_response(
            **place, statusCode=status, responseTemplates={"application/json": body} if body else {}
        )
        return place

    def deploy(self, stage: Any = None) -> Any:
        arguments = {"stageName": stage} if stage else {}
        return self.gateway.create_deployment(restApiId=self.id, **arguments)["id"]

    def call(self, path: Any, verb: Any = "GET", body: Any = None, stage: Any = "v1", headers: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.runtime.dataplane_port, timeout=20)
        try:
            target = f"/restapis/{self.id}/{stage}/_user_request_{path}"
            connection.request(verb, target, body, {"Content-Type": "application/json", **(headers or {})})
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        return SimpleNamespace(status=response.status, headers=response.headers, body=content.decode())


@pytest.fixture
def api(gateway: Any, runtime: Any, name: Any) -> Any:
    created = Api(gateway, runtime, name)
    yield created
    if created.id in {each["id"] for each in gateway.get_rest_apis()["items"]}:
        gateway.delete_rest_api(restApiId=created.id)
