"""Put a planned policy into an environment's settings file; the rest of the file stays as somebody wrote it."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Any

import tomlkit

from autoscaling.policies import VariantScaling
from autoscaling.policy_toml import to_toml
from cli.deployment import settings_directory, settings_of
from config.loading import SettingsError, parse


def write_plan(env: str, variant_name: str, scaling: VariantScaling, instance_type: str) -> Path:
    """Replace a variant's scaling, and its instance type where the plan chose another.

    Parameters
    ----------
    env
        Environment: the name of its settings file.
    variant_name
        One of its variants. Where the file names no variant there is one, and its scaling is the top-level table.
    scaling, instance_type
        What was planned.

    Returns
    -------
    Path
        The file, replaced in one step.

    Raises
    ------
    SettingsError
        It would not hold with this plan, or has its variants inline; it is as it was.
    """
    path = settings_directory() / f"{env}.toml"
    before = settings_of(env)
    (number,) = (i for i, each in enumerate(before.endpoint.variants) if each.name == variant_name)
    document = tomlkit.parse(path.read_bytes())
    written = document.get("endpoint", {}).get("variants")
    if isinstance(written, tomlkit.items.Array):
        raise SettingsError(f"{path}: endpoint.variants is a list of inline tables; write it as [[endpoint.variants]]")
    _replace(document if written is None else written[number], scaling)
    if before.endpoint.variants[number].instance_type != instance_type:
        _variant(document, variant_name, number)["instance_type"] = instance_type
    text = f"{document.as_string().rstrip()}\n".encode()
    parse(text, path)
    changed = path.with_suffix(".toml.new")
    changed.write_bytes(text)
    return changed.replace(path)


def _variant(document: tomlkit.TOMLDocument, name: str, number: int) -> Any:
    """Return a variant's table; a file without any gets it."""
    endpoint = document.setdefault("endpoint", tomlkit.table(is_super_table=True))
    if "variants" not in endpoint:
        endpoint["variants"] = tomlkit.aot()
        endpoint["variants"].append(tomlkit.item({"name": name}))
    return endpoint["variants"][number]


def _replace(table: Any, scaling: VariantScaling) -> None:
    followed = _end_of(table["scaling"].as_string()) if "scaling" in table else ""
    table["scaling"] = tomlkit.parse(to_toml(scaling, "scaling") + (followed or "\n"))["scaling"]


def _end_of(text: str) -> str:
    """Return what stands before the next table: blank lines and its comment."""
    lines = reversed(text.splitlines(keepends=True))
    return "".join(reversed(list(takewhile(lambda line: line.lstrip()[:1] in {"", "#"}, lines))))
