"""Errors a user can mend, in the words of Amazon's algorithms."""


class ClientError(ValueError):
    """Data or hyperparameters that cannot be trained on; reported as ``ClientError: ...`` in the FailureReason."""
