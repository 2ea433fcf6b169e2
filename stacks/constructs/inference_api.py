"""The REST API in front of the endpoint.

`POST /invocations` goes straight to the endpoint, without a Lambda, and keeps its true status codes.
`POST /predictions` takes domain records and answers with labels.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Duration, Stack, Token
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_iam as iam
from constructs import Construct

from config.api import Api, Domain
from stacks.constructs.acknowledgements import acknowledge
from stacks.constructs.api_callers import ApiCallers, require_api_key
from stacks.constructs.api_firewall import ApiFirewall
from stacks.constructs.api_logs import AccessLog, keep_execution_log, let_api_gateway_log
from stacks.constructs.autoscaled_endpoint import acknowledge_endpoints, endpoints_arn
from stacks.constructs.lambda_function import LambdaFunction
from stacks.constructs.prediction_request import validate_predictions
from stacks.constructs.protection import Protection
from stacks.constructs.staged_code import ROOT
from stacks.naming import Naming

STAGE = "v1"
CONTENT_TYPES = ("text/csv", "application/json", "application/jsonlines")
PASSED_HEADERS = ("Content-Type", "Accept")
# What the endpoint answers (SageMaker Runtime, InvokeEndpoint "Errors") and how it reaches the caller; without a
# pattern of its own an error would arrive as the default, and CDK's own integration makes that default 200.
STATUSES = {"200": r"2\d{2}", "400": "400", "413": "413", "415": "415", "424": "424", "429": "429", "503": "503"}
DEFAULT_STATUS = "500"
ALLOW_ORIGIN = "Access-Control-Allow-Origin"


class InferenceApi(Construct):
    """A regional REST API with one stage.

    Parameters
    ----------
    endpoint_name : str
        A literal: it changes the deployment when the endpoint is another one.
    with_predictions : bool
        Add `POST /predictions`, which encodes records as the training code does; other models know other records.
    most_instances : int
        To how many instances the endpoint may grow; the throttle follows.
    keep_users : bool
        Protect the user pool, where there is one.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        naming: Naming,
        endpoint_name: str,
        settings: Api,
        with_predictions: bool,
        most_instances: int,
        keep_users: bool,
        protection: Protection,
    ) -> None:
        super().__init__(scope, construct_id)
        self._naming = naming
        self._settings = settings
        self._function: LambdaFunction | None = None
        self._protection = protection
        rate, burst = settings.throttle(most_instances)
        self.api = self._rest_api(rate, burst)
        callers = ApiCallers(self, "Callers", api=self.api, settings=settings, keep_users=keep_users)
        self._method = callers.method_options
        self._add_invocations(endpoint_name)
        if with_predictions:
            self._add_predictions(endpoint_name)
        else:
            acknowledge(self.api, "APIG2", "only the model knows what it takes: it answers 400 itself")
        if settings.auth == "api_key":
            require_api_key(self.api, rate_per_second=rate, burst=burst)
        if settings.cors_origin:
            self._allow_origin(settings.cors_origin)
        if settings.domain:
            self._add_domain(settings.domain)
        if settings.firewall:
            ApiFirewall(self, "Firewall", stage=self.api.deployment_stage, settings=settings.firewall)
        else:
            acknowledge(self.api, "APIG3", "[api.firewall] in the settings adds AWS WAF, which has a price of its own")

    def _rest_api(self, rate_per_second: float, burst: int) -> apigateway.RestApi:
        api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=self._naming.prefix,
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=False,
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE,
                throttling_rate_limit=rate_per_second,
                throttling_burst_limit=burst,
                metrics_enabled=True,
                **AccessLog(self, "AccessLog").stage_options,
            ),
        )
        keep_execution_log(api, STAGE)
        if self._settings.log_role:
            let_api_gateway_log(self, api.deployment_stage)
        return api

    def _add_invocations(self, endpoint_name: str) -> None:
        headers = ["Content-Type", *([ALLOW_ORIGIN] if self._settings.cors_origin else [])]
        self.api.root.add_resource("invocations").add_method(
            "POST",
            self._endpoint_integration(endpoint_name),
            request_parameters={f"method.request.header.{header}": False for header in PASSED_HEADERS},
            method_responses=[
                apigateway.MethodResponse(
                    status_code=status,
                    response_parameters={f"method.response.header.{header}": True for header in headers},
                )
                for status in (*STATUSES, DEFAULT_STATUS)
            ],
            **self._method,
        )

    def _add_predictions(self, endpoint_name: str) -> None:
        self.api.root.add_resource("predictions").add_method(
            "POST",
            self._predict_integration(self._predict(endpoint_name)),
            **validate_predictions(self.api),
            **self._method,
        )

    def _endpoint_integration(self, endpoint_name: str) -> apigateway.AwsIntegration:
        role = iam.Role(self, "InvokeRole", assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"))
        role.add_to_policy(self._invoke_statement())
        acknowledge_endpoints(role, self._naming)
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
                    *(self._response(status, pattern) for status, pattern in STATUSES.items()),
                    self._response(DEFAULT_STATUS, None),
                ],
            ),
        )

    def _response(self, status: str, pattern: str | None) -> apigateway.IntegrationResponse:
        headers = {"method.response.header.Content-Type": "integration.response.header.Content-Type"}
        if self._settings.cors_origin:
            headers[f"method.response.header.{ALLOW_ORIGIN}"] = f"'{self._settings.cors_origin}'"
        return apigateway.IntegrationResponse(
            status_code=status, selection_pattern=pattern, response_parameters=headers
        )

    def _predict(self, endpoint_name: str) -> LambdaFunction:
        origin = {"CORS_ORIGIN": self._settings.cors_origin} if self._settings.cors_origin else {}
        function = LambdaFunction(
            self,
            "Predict",
            source="predict",
            description="Encodes domain records, asks the endpoint and answers with labels.",
            environment={"ENDPOINT_NAME": endpoint_name, "POWERTOOLS_SERVICE_NAME": self._naming.prefix, **origin},
            parts={f"training/{file}": ROOT / "training" / file for file in ("__init__.py", "answers.py", "schema.py")},
            libraries=True,
        )
        function.add_to_role_policy(self._invoke_statement())
        self._protection.function(function)
        acknowledge_endpoints(function.execution_role, self._naming)
        self._function = function
        return function

    def follow(self, endpoint_name: Any) -> None:
        """Let the function that encodes records ask for the endpoint by this reference, and change after it."""
        if self._function:
            self._function.add_environment("ENDPOINT_NAME", Token.as_string(endpoint_name))

    def _predict_integration(self, function: LambdaFunction) -> apigateway.AwsIntegration:
        """Return what the CDK's LambdaIntegration is, without the path of the app in its permission's name.

        That path differs between a workstation and a stage of a pipeline, and so would the templates.
        """
        function.add_permission(
            "ApiMayInvoke",
            principal=iam.ServicePrincipal("apigateway.amazonaws.com"),
            source_arn=self.api.arn_for_execute_api("POST", "/predictions", STAGE),
        )
        return apigateway.AwsIntegration(
            proxy=True, service="lambda", path=f"2015-03-31/functions/{function.function_arn}/invocations"
        )

    def _invoke_statement(self) -> iam.PolicyStatement:
        """Return what invoking any endpoint of this environment takes: during a switch there are two."""
        return iam.PolicyStatement(actions=["sagemaker:InvokeEndpoint"], resources=[endpoints_arn(self, self._naming)])

    def _allow_origin(self, origin: str) -> None:
        """Let a browser's page of `origin` call, and read also what the gateway itself refuses."""
        for path in ("invocations", "predictions"):
            if resource := self.api.root.get_resource(path):
                resource.add_cors_preflight(allow_origins=[origin], allow_methods=["POST"])
        responses: dict[str, Any] = {
            "Refused": apigateway.ResponseType.DEFAULT_4_XX,
            "Failed": apigateway.ResponseType.DEFAULT_5_XX,
        }
        for name, kind in responses.items():
            self.api.add_gateway_response(name, type=kind, response_headers={ALLOW_ORIGIN: f"'{origin}'"})

    def _add_domain(self, domain: Domain) -> None:
        certificate = acm.Certificate.from_certificate_arn(self, "Certificate", domain.certificate_arn)
        name = self.api.add_domain_name(
            "Domain",
            domain_name=domain.name,
            certificate=certificate,
            endpoint_type=apigateway.EndpointType.REGIONAL,
            security_policy=apigateway.SecurityPolicy.TLS_1_2,
        )
        CfnOutput(Stack.of(self), "ApiDomainTarget", value=name.domain_name_alias_domain_name)
