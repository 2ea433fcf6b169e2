import tomllib

import jsonschema
import pytest

from config.json_schema import FILE, render
from config.loading import DIRECTORY, environments


def test_committed_schema_is_the_settings_own() -> None:
    assert FILE.read_text() == render(), "run `python -m config.json_schema`"


@pytest.mark.parametrize("env", environments())
def test_shipped_environments_satisfy_the_schema(env: str) -> None:
    import json

    jsonschema.validate(tomllib.loads((DIRECTORY / f"{env}.toml").read_text()), json.loads(FILE.read_text()))
