"""From a settings file to settings; every problem is reported at once, with file and key."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from config.settings import Settings

DIRECTORY = Path(__file__).parent


class SettingsError(Exception):
    """The settings file cannot be used; the message lists every problem."""


def environments(directory: Path = DIRECTORY) -> list[str]:
    """Return the names of the environments that have a settings file."""
    return sorted(path.stem for path in directory.glob("*.toml"))


def load(env: str, directory: Path = DIRECTORY) -> Settings:
    """Read and validate the settings of one environment.

    Parameters
    ----------
    env : str
        Name of the environment: the file's name without ``.toml``.
    directory : Path
        Folder of the settings files.

    Returns
    -------
    Settings
        Frozen; unknown keys do not occur.

    Raises
    ------
    SettingsError
        The file is missing, is no TOML, or holds values that are not allowed: all of them are named.
    """
    path = directory / f"{env}.toml"
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        known = ", ".join(environments(directory)) or "none"
        raise SettingsError(f"there is no {path}; environments with settings: {known}") from None
    return parse(text, path)


def parse(text: bytes, path: Path) -> Settings:
    """Validate what is in a settings file, or would be.

    Parameters
    ----------
    text : bytes
        TOML in UTF-8.
    path : Path
        Of the file, for messages.

    Returns
    -------
    Settings

    Raises
    ------
    SettingsError
        As of `load`.
    """
    try:
        values = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join([f"{path}: {error.error_count()} problem(s)", *_problems(error)])) from None


def _problems(error: ValidationError) -> Iterable[str]:
    for problem in error.errors(include_url=False):
        key = _key(problem["loc"])
        if problem["type"] == "extra_forbidden":
            yield f"  {key}: unknown key; allowed here: {', '.join(known_keys(problem['loc'][:-1]))}"
        elif problem["type"] == "missing":
            yield f"  {key}: missing; it has no default"
        else:
            yield f"  {key}: {problem['msg'].removeprefix('Value error, ')} (got {_shortened(problem['input'])})"


def known_keys(location: tuple[str | int, ...]) -> list[str]:
    """Return the keys that the table at `location` may have, as a problem's location names it."""
    schema = Settings.model_json_schema()
    tables = _alternatives(schema, schema)
    for part in location:
        inner = [found for table in tables if (found := _below(table, part))]
        of_kind = [table for table in tables if table.get("properties", {}).get("kind", {}).get("const") == part]
        tables = of_kind or [alternative for table in inner for alternative in _alternatives(table, schema)]
    return sorted({key for table in tables for key in table.get("properties", {})})


def _below(table: dict[str, Any], part: str | int) -> Any:
    if isinstance(part, int):
        return table.get("items")
    return table.get("properties", {}).get(part) or table.get("additionalProperties")


def _alternatives(table: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Follow references and choices of a JSON schema to what they end in."""
    if "$ref" in table:
        return _alternatives(schema["$defs"][table["$ref"].rpartition("/")[2]], schema)
    choices = table.get("anyOf") or table.get("oneOf")
    return [end for choice in choices for end in _alternatives(choice, schema)] if choices else [table]


def _key(location: tuple[str | int, ...]) -> str:
    """Write a location as it stands in the file: ``endpoint.variants[0].name``."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(parts).lstrip(".") or "(top level)"


def _shortened(value: object, longest: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"
