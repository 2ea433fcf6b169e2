"""Measured capacities by instance type, as `sagescale fit` writes them and the simulator and the planner read them."""

import tomllib

from pydantic import ValidationError

from autoscaling.capacity import InstanceCapacity
from autoscaling.problems import problems_of


def parse_capacities(text: str) -> dict[str, InstanceCapacity]:
    """Read capacities.

    Parameters
    ----------
    text
        TOML: one table an instance type, such as `["ml.m5.large"]` with `max_rps = 410` and `unloaded_seconds = 0.05`.

    Returns
    -------
    dict of InstanceCapacity
        By instance type, in order of the text.

    Raises
    ------
    ValueError
        Every problem, with instance type and field.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not TOML: {error}") from None
    capacities, problems = {}, []
    for instance_type, values in tables.items():
        try:
            capacities[instance_type] = InstanceCapacity.model_validate(values)
        except ValidationError as error:
            problems.append(problems_of(error, prefix=f"{instance_type}: ", whole="table"))
    if problems:
        raise ValueError("; ".join(problems))
    return capacities
