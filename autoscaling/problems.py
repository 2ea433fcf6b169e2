"""Pydantic's problems with values, as one line."""

from pydantic import ValidationError


def problems_of(error: ValidationError, *, prefix: str = "", whole: str = "value") -> str:
    """Write the problems, each with its key.

    Parameters
    ----------
    error
        From a model's validation.
    prefix
        Before each problem.
    whole
        What stands for the key of a problem that has none.

    Returns
    -------
    str
        Without pydantic's own prefixes and links.
    """
    return "; ".join(
        f"{prefix}{'.'.join(map(str, problem['loc'])) or whole}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors(include_url=False)
    )
