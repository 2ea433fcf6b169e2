"""Cognito user pools."""

from __future__ import annotations

from sandbox.cloudformation.provisioner import Outcome, Provisioner, Request, provisions

_SERVICE = "cognito-idp"


@provisions("AWS::Cognito::UserPool")
class UserPool(Provisioner):
    """A user pool."""

    replaced_by = frozenset()
    fixed = frozenset({"AliasAttributes", "Schema", "UsernameAttributes", "UsernameConfiguration"})

    def create(self, request: Request) -> Outcome:
        """CreateUserPool."""
        name = request.physical_name("UserPoolName", longest=128)
        made = request.call_with_all(_SERVICE, "create_user_pool", "UserPoolName", "EnabledMfas", PoolName=name)
        return self._outcome(request, made["UserPool"]["Id"])

    def update(self, request: Request) -> Outcome:
        """UpdateUserPool."""
        fixed = ("UserPoolName", "UsernameAttributes", "AliasAttributes", "UsernameConfiguration", "Schema")
        request.call_with_all(_SERVICE, "update_user_pool", *fixed, "EnabledMfas", UserPoolId=request.physical_id)
        return self._outcome(request, request.physical_id)

    def delete(self, request: Request) -> None:
        """DeleteUserPool."""
        request.call(_SERVICE, "delete_user_pool", UserPoolId=request.physical_id)

    def _outcome(self, request: Request, pool_id: str) -> Outcome:
        provider = f"{_SERVICE}.{request.runtime.region}.amazonaws.com/{pool_id}"
        attributes = {
            "Arn": request.arn(_SERVICE, f"userpool/{pool_id}"),
            "ProviderName": provider,
            "ProviderURL": f"https://{provider}",
            "UserPoolId": pool_id,
        }
        return Outcome(pool_id, attributes)


@provisions("AWS::Cognito::UserPoolClient")
class UserPoolClient(Provisioner):
    """An app client of a user pool."""

    replaced_by = frozenset({"UserPoolId", "GenerateSecret"})

    def create(self, request: Request) -> Outcome:
        """CreateUserPoolClient."""
        name = request.physical_name("ClientName", longest=128)
        made = request.call_with_all(_SERVICE, "create_user_pool_client", "ClientName", ClientName=name)
        return self._outcome(made["UserPoolClient"]["ClientId"], made["UserPoolClient"].get("ClientSecret"))

    def update(self, request: Request) -> Outcome:
        """UpdateUserPoolClient."""
        client_id = request.physical_id
        made = request.call_with_all(_SERVICE, "update_user_pool_client", "GenerateSecret", ClientId=client_id)
        return self._outcome(client_id, made["UserPoolClient"].get("ClientSecret"))

    def delete(self, request: Request) -> None:
        """DeleteUserPoolClient."""
        request.call(_SERVICE, "delete_user_pool_client", "UserPoolId", ClientId=request.physical_id)

    def _outcome(self, client_id: str, secret: str | None) -> Outcome:
        attributes = {"ClientId": client_id, "Name": client_id} | ({"ClientSecret": secret} if secret else {})
        return Outcome(client_id, attributes)
