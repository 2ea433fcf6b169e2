"""Writes the JSON schema of the settings, for editors: ``python -m config.json_schema``; a test holds the file."""

from __future__ import annotations

import json
from pathlib import Path

from config.settings import Settings

FILE = Path(__file__).with_name("schema.json")


def render() -> str:
    """Return the JSON schema of a settings file."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Settings.model_json_schema()}
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
