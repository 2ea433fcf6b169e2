"""Request validation by an API's models: JSON schema draft 4, compiled once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import fastjsonschema
import orjson

from sandbox.dataplane.gateway_responses import RejectedError

_REFERENCE = "/models/"


class BadModelError(ValueError):
    """A model whose schema is none."""


class BodyValidator:
    """Checks bodies against the models of a method, by media type.

    Parameters
    ----------
    models : dict
        Schema by media type.
    named : dict
        Every schema of the API by name: models may refer to each other by URL.

    Raises
    ------
    BadModelError
    """

    def __init__(self, models: Mapping[str, Any], named: Mapping[str, Any]) -> None:
        def resolve(url: str) -> Any:
            name = url.partition(_REFERENCE)[2]
            if name not in named:
                raise BadModelError(f"a model refers to {url}, known models: {', '.join(sorted(named)) or 'none'}")
            return named[name]

        self._validators: dict[str, Callable[[Any], Any]] = {}
        for media_type, schema in models.items():
            try:
                compiled = fastjsonschema.compile(schema, handlers={"https": resolve}, use_default=False)
            except fastjsonschema.JsonSchemaDefinitionException as error:
                raise BadModelError(f"the model for {media_type} is no JSON schema: {error}") from error
            self._validators[media_type] = compiled

    def check(self, media_type: str, body: bytes) -> None:
        """Raise RejectedError where `body` does not match its model; media types without a model are not checked."""
        validate = self._validators.get(media_type)
        if validate is None:
            return
        try:
            validate(orjson.loads(body))
        except orjson.JSONDecodeError as error:
            raise RejectedError("BAD_REQUEST_BODY", details=f"[not JSON: {error}]") from None
        except fastjsonschema.JsonSchemaValueException as error:
            raise RejectedError("BAD_REQUEST_BODY", details=f"[{error.message}]") from None
