"""The load tests drive the scaling tests' endpoint."""

from tests.integration.scaling.conftest import scalable

__all__ = ["scalable"]
