"""Who may call the API: signed requests, holders of a key, users of a pool, or anyone."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from config.api import Api
from stacks.constructs.acknowledgements import acknowledge


class ApiCallers(Construct):
    """Authentication of one API.

    `method_options` is what every method takes.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, api: apigateway.RestApi, settings: Api, keep_users: bool
    ) -> None:
        super().__init__(scope, construct_id)
        self._keep_users = keep_users
        self.method_options: dict[str, Any] = {"authorization_type": apigateway.AuthorizationType.NONE}
        if settings.auth == "iam":
            self.method_options = {"authorization_type": apigateway.AuthorizationType.IAM}
        elif settings.auth == "cognito":
            self.method_options = {
                "authorization_type": apigateway.AuthorizationType.COGNITO,
                "authorizer": apigateway.CognitoUserPoolsAuthorizer(
                    self, "Authorizer", cognito_user_pools=[self._user_pool()]
                ),
            }
        elif settings.auth == "api_key":
            self.method_options["api_key_required"] = True
        self._explain(api, settings)

    def _explain(self, api: apigateway.RestApi, settings: Api) -> None:
        if settings.auth in {"none", "api_key"}:
            acknowledge(api, "APIG4", f'[api] auth = "{settings.auth}" in the settings asks for no identity')
        if settings.auth != "cognito":
            acknowledge(api, "COG4", f'[api] auth = "{settings.auth}" in the settings: Cognito is one choice of four')

    def _user_pool(self) -> cognito.UserPool:
        pool = cognito.UserPool(
            self,
            "Users",
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True),
            mfa=cognito.Mfa.REQUIRED,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            password_policy=cognito.PasswordPolicy(
                min_length=14, require_lowercase=True, require_uppercase=True, require_digits=True, require_symbols=True
            ),
            deletion_protection=self._keep_users,
            removal_policy=RemovalPolicy.RETAIN if self._keep_users else RemovalPolicy.DESTROY,
        )
        for rule in ("COG3", "COG8"):
            acknowledge(pool, rule, "threat protection is a paid plan of Cognito, and nobody can sign up by themselves")
        client = pool.add_client(
            "Client", auth_flows=cognito.AuthFlow(user_srp=True), prevent_user_existence_errors=True
        )
        stack = Stack.of(self)
        CfnOutput(stack, "UserPoolId", value=pool.user_pool_id)
        CfnOutput(stack, "UserPoolClientId", value=client.user_pool_client_id)
        return pool


def require_api_key(api: apigateway.RestApi, *, rate_per_second: float, burst: int) -> None:
    """Add one key and the usage plan that admits it; its id is an output of the stack."""
    key = api.add_api_key("ApiKey")
    plan = api.add_usage_plan(
        "UsagePlan",
        throttle=apigateway.ThrottleSettings(rate_limit=rate_per_second, burst_limit=burst),
        api_stages=[apigateway.UsagePlanPerApiStage(api=api, stage=api.deployment_stage)],
    )
    plan.add_api_key(key)
    CfnOutput(Stack.of(api), "ApiKeyId", value=key.key_id, description="The key's value: apigateway get-api-key")
