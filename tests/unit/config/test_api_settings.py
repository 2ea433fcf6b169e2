import pytest
from pydantic import ValidationError

from config.api import Api


def test_throttle_is_what_the_largest_fleet_can_answer() -> None:
    assert Api().throttle(10) == (12_000, 6_000)
    assert Api(requests_per_second_per_instance=50).throttle(1) == (50, 100)  # the shortest burst


def test_throttle_of_the_settings_wins() -> None:
    assert Api(throttle_rate_per_second=5, throttle_burst=2).throttle(10) == (5, 2)


@pytest.mark.parametrize("origin", ["example.org", "https://example.org/path", "https://a b"])
def test_an_origin_is_scheme_and_host_or_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="cors_origin"):
        Api(cors_origin=origin)


def test_a_certificate_of_another_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="certificate_arn"):
        Api.model_validate(
            {"domain": {"name": "api.example.org", "certificate_arn": "arn:aws:iam::1:server-certificate"}}
        )
