"""Errors of the CloudFormation API, spelled as AWS spells them."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class CloudFormationError(ServiceException):
    """An error that the API answers with status 400."""


class ValidationError(CloudFormationError):
    """The request, its template or its parameters cannot be accepted."""

    code = "ValidationError"


class AlreadyExistsError(CloudFormationError):
    """A stack or change set of that name exists."""

    code = "AlreadyExistsException"


class ChangeSetNotFoundError(CloudFormationError):
    """No change set has that name or id."""

    code = "ChangeSetNotFound"


class InvalidChangeSetStatusError(CloudFormationError):
    """The change set cannot be executed in the state it is in."""

    code = "InvalidChangeSetStatus"


class InsufficientCapabilitiesError(CloudFormationError):
    """The template needs a capability that the caller did not acknowledge."""

    code = "InsufficientCapabilitiesException"
