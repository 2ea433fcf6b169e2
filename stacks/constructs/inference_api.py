"""The REST API in front of the endpoint.

`POST /invocations` goes straight to the endpoint, without a Lambda, and keeps its true status codes.
`POST /predictions` takes domain records and answers with labels.
"""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from constructs import Construct

from config.settings import Api
from stacks.constructs.lambda_function import LambdaFunction
from stacks.constructs.staged_code import ROOT
from stacks.naming import Naming

CONTENT_TYPES = ("text/csv", "application/json", "application/jsonlines")
PASSED_HEADERS = ("Content-Type", "Accept")
# What the endpoint answers (SageMaker Runtime, InvokeEndpoint "Errors") and how it reaches the caller; without a
# pattern of its own an error would arrive as the default, and CDK's own integration makes that default 200.
STATUSES = {"200": r"2\d{2}", "400": "400", "413": "413", "415": "415", "424": "424", "429": "429", "503": "503"}
DEFAULT_STATUS = "500"
AUTHORIZATION = {
    "iam": apigateway.AuthorizationType.IAM,
    "api_key": apigateway.AuthorizationType.NONE,
    "none": apigateway.AuthorizationType.NONE,
}


class InferenceApi(Construct):
    """A regional REST API with one stage.

    Parameters
    ----------
    endpoint_name : str
        A literal: it changes the deployment when the endpoint is another one.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, naming: Naming, endpoint_name: str, settings: Api
    ) -> None:
        super().__init__(scope, construct_id)
        self._naming = naming
        self._settings = settings
        self.api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=naming.prefix,
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=False,
            deploy_options=apigateway.StageOptions(
                stage_name="v1",
                throttling_rate_limit=settings.throttle_rate_per_second,
                throttling_burst_limit=settings.throttle_burst,
                metrics_enabled=True,
            ),
        )
        self._add("invocations", self._endpoint_integration(endpoint_name), with_statuses=True)
        self._add("predictions", apigateway.LambdaIntegration(self._predict(endpoint_name)))
        if settings.auth == "api_key":
            self._require_api_key()

    def _add(self, path: str, integration: apigateway.Integration, *, with_statuses: bool = False) -> None:
        statuses = [*STATUSES, DEFAULT_STATUS] if with_statuses else []
        headers = PASSED_HEADERS if with_statuses else ()
        self.api.root.add_resource(path).add_method(
            "POST",
            integration,
            authorization_type=AUTHORIZATION[self._settings.auth],
            api_key_required=self._settings.auth == "api_key",
            request_parameters={f"method.request.header.{header}": False for header in headers},
            method_responses=[
                apigateway.MethodResponse(
                    status_code=status, response_parameters={"method.response.header.Content-Type": True}
                )
                for status in statuses
            ],
        )

    def _endpoint_integration(self, endpoint_name: str) -> apigateway.AwsIntegration:
        invoke = self._invoke_statement()
        role = iam.Role(self, "InvokeRole", assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"))
        role.add_to_policy(invoke)
        return apigateway.AwsIntegration(
            service="runtime.sagemaker",
            path=f"endpoints/{endpoint_name}/invocations",
            integration_http_method="POST",
            options=apigateway.IntegrationOptions(
                credentials_role=role,
                timeout=Duration.millis(self._settings.timeout_ms),
                passthrough_behavior=apigateway.PassthroughBehavior.NEVER,  # any other content type gets 415
                request_templates=dict.fromkeys(CONTENT_TYPES, "$input.body"),
                request_parameters={
                    f"integration.request.header.{header}": f"method.request.header.{header}"
                    for header in PASSED_HEADERS
                },
                integration_responses=[
                    *(_response(status, pattern) for status, pattern in STATUSES.items()),
                    _response(DEFAULT_STATUS, None),
                ],
            ),
        )

    def _predict(self, endpoint_name: str) -> LambdaFunction:
        function = LambdaFunction(
            self,
            "Predict",
            source="predict",
            description="Encodes domain records, asks the endpoint and answers with labels.",
            environment={"ENDPOINT_NAME": endpoint_name, "POWERTOOLS_SERVICE_NAME": self._naming.prefix},
            parts={f"training/{file}": ROOT / "training" / file for file in ("__init__.py", "schema.py")},
            libraries=True,
        )
        function.add_to_role_policy(self._invoke_statement())
        return function

    def _invoke_statement(self) -> iam.PolicyStatement:
        """Return what invoking any endpoint of this environment takes: during a switch there are two."""
        arn = Stack.of(self).format_arn(
            service="sagemaker", resource="endpoint", resource_name=f"{self._naming.prefix}-*"
        )
        return iam.PolicyStatement(actions=["sagemaker:InvokeEndpoint"], resources=[arn])

    def _require_api_key(self) -> None:
        key = self.api.add_api_key("ApiKey")
        plan = self.api.add_usage_plan(
            "UsagePlan",
            throttle=apigateway.ThrottleSettings(
                rate_limit=self._settings.throttle_rate_per_second, burst_limit=self._settings.throttle_burst
            ),
            api_stages=[apigateway.UsagePlanPerApiStage(api=self.api, stage=self.api.deployment_stage)],
        )
        plan.add_api_key(key)
        CfnOutput(Stack.of(self), "ApiKeyId", value=key.key_id, description="The key's value: apigateway get-api-key")


def _response(status: str, pattern: str | None) -> apigateway.IntegrationResponse:
    return apigateway.IntegrationResponse(
        status_code=status,
        selection_pattern=pattern,
        response_parameters={"method.response.header.Content-Type": "integration.response.header.Content-Type"},
    )
