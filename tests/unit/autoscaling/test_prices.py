"""Prices come from a dated table that can be replaced."""

import pytest

from autoscaling.prices import parse_prices, price_of

HEADER = "instance_type,region,usd_per_hour,as_of,source\n"


def test_shipped_price_has_its_day_and_source() -> None:
    price = price_of("ml.m5.large")
    assert (price.usd_per_hour, price.as_of) == (0.115, "2026-09-28")
    assert "Price List API" in price.source


def test_own_table_replaces_the_shipped_one() -> None:
    table = parse_prices(HEADER + "ml.m5.large,eu-central-1,0.138,2026-11-01,bill\n")
    assert price_of("ml.m5.large", "eu-central-1", table).usd_per_hour == 0.138
    with pytest.raises(ValueError, match=r"no price for ml.m5.large in us-east-1; known there: none"):
        price_of("ml.m5.large", table=table)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("type,price\n", "line 1: columns"),
        (HEADER + "ml.m5.large,us-east-1,free,,x\n", "line 2: usd_per_hour 'free'; allowed: a number above 0"),
        (HEADER + "ml.m5.large,us-east-1,-1,,x\n", "line 2: usd_per_hour '-1'"),
        (HEADER + "ml.m5.large,us-east-1\n", "line 2: not 5 columns"),
        (HEADER + "a,b,1,,x\na,b,2,,x\n", "line 3: a in b twice"),
    ],
)
def test_table_is_refused_with_line_and_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_prices(text)
