"""What the API answers while the endpoint is asleep: 503 and why, from the gateway itself.

A stage serves its deployment's snapshot. So there are two deployments, of which one exists at a time: switching the
parameter makes the other one from methods that have just been changed, and the endpoint goes after the stage has moved.
"""

from __future__ import annotations

import json
from typing import Any

from aws_cdk import Token, TreeInspector
from aws_cdk import aws_apigateway as apigateway
from constructs import Construct, IDependable

from stacks.constructs.endpoint_state import EndpointState

STATUS = "503"
ANSWER = json.dumps({"message": "the endpoint is asleep: `sagescale wake` brings it back"})
CONTENT_TYPE = "method.response.header.Content-Type"
MAPS = frozenset({"requestParameters", "requestTemplates", "responseParameters", "responseTemplates"})


class AsleepApi(Construct):
    """Lets the POST methods of `api`, and its stage, follow the endpoint's state.

    Parameters
    ----------
    endpoint : IDependable
        There before the deployment that leads to it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        api: apigateway.RestApi,
        state: EndpointState,
        endpoint: IDependable,
    ) -> None:
        super().__init__(scope, construct_id)
        self._state = state
        asleep = apigateway.Deployment(self, "Deployment", api=api)
        asleep.node.add_dependency(*api.methods)
        for method in api.methods:
            if method.http_method == "POST":
                self._answer(method)
        awake, stage = api.latest_deployment, api.deployment_stage.node.default_child
        assert awake, "the API is made with its deployment"
        assert isinstance(stage, apigateway.CfnStage)
        awake.node.add_dependency(endpoint)
        for deployment, condition in ((awake, state.awake), (asleep, state.asleep)):
            resource = deployment.node.default_child
            assert isinstance(resource, apigateway.CfnDeployment)
            resource.cfn_options.condition = condition
        stage.deployment_id = Token.as_string(state.choose(awake.deployment_id, asleep.deployment_id))

    def _answer(self, method: apigateway.Method) -> None:
        resource = method.node.default_child
        assert isinstance(resource, apigateway.CfnMethod)
        inspector = TreeInspector()
        resource.inspect(inspector)  # all properties at once: asked for one by one, each is an exchange with the CDK
        properties = resource.stack.resolve(inspector.attributes["aws:cdk:cloudformation:props"])
        awake = properties["integration"]
        resource.integration = self._state.choose(_as_cloudformation(awake), _asleep(awake))
        if not properties.get("methodResponses"):  # a proxy integration needs none
            resource.method_responses = [
                apigateway.CfnMethod.MethodResponseProperty(
                    status_code=STATUS, response_parameters={CONTENT_TYPE: True}
                )
            ]


def _asleep(awake: dict[str, Any]) -> dict[str, Any]:
    """Return an integration that answers without an endpoint whatever `awake` takes."""
    responses = {response["statusCode"]: response for response in awake.get("integrationResponses", [])}
    headers = responses.get(STATUS, {}).get("responseParameters", {})  # CORS, where it is on
    content_types = awake.get("requestTemplates", {"application/json": ""})
    return {
        "Type": "MOCK",
        "PassthroughBehavior": "NEVER",
        "RequestTemplates": dict.fromkeys(content_types, json.dumps({"statusCode": int(STATUS)})),
        "IntegrationResponses": [
            {
                "StatusCode": STATUS,
                "ResponseParameters": {**headers, CONTENT_TYPE: "'application/json'"},
                "ResponseTemplates": {"application/json": ANSWER},
            }
        ],
    }


def _as_cloudformation(value: Any) -> Any:
    """Write the properties of a resolved construct as CloudFormation does, which a condition does not do by itself."""
    if isinstance(value, list):
        return [_as_cloudformation(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key[0].upper() + key[1:]: item if key in MAPS else _as_cloudformation(item) for key, item in value.items()}
