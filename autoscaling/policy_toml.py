"""Write a variant's scaling as TOML, as it stands in a settings file."""

import json
from typing import Any

from autoscaling.policies import VariantScaling


def to_toml(scaling: VariantScaling, table: str = "endpoint.variants.scaling") -> str:
    """Write bounds and policies.

    Parameters
    ----------
    scaling
        What to write; fields that have their defaults are left out.
    table
        Name of the table.

    Returns
    -------
    str
        TOML that gives the same object when it is read.
    """
    content = scaling.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    lines = [f"[{table}]"]
    lines += [f"{key} = {_value(value)}" for key, value in content.items() if key != "policies"]
    lines[1:1] = [] if "min_capacity" in content else [f"min_capacity = {scaling.min_capacity}"]
    for policy, values in zip(scaling.policies, content.get("policies", []), strict=True):
        lines += ["", f"[[{table}.policies]]", f"kind = {_value(policy.kind)}"]
        lines += [f"{key} = {_value(value)}" for key, value in values.items() if key != "kind"]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, list):
        rows = ",\n".join(f"  {_value(item)}" for item in value)
        return f"[\n{rows},\n]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)  # strings, numbers and booleans are written alike
