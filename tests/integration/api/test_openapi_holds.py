"""Ten thousand requests made from docs/openapi.json: no 5xx, and no answer that the document does not declare.

Some follow the document, some break it. What is asked is the deployed API, gateway and function included.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.workstation import Workstation

ROOT = Path(__file__).parents[3]
CASES = {  # to break 41 fields in every way takes the generator hundreds of times as long as to fill them
    ("/invocations", GenerationMode.POSITIVE): 4_000,
    ("/invocations", GenerationMode.NEGATIVE): 4_000,
    ("/predictions", GenerationMode.POSITIVE): 1_700,
    ("/predictions", GenerationMode.NEGATIVE): 300,
}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def base_url(workstation: Workstation) -> str:
    workstation.deploy()
    return workstation.deployment().api_url("")


@pytest.fixture(scope="module")
def answers() -> Counter[tuple[str, int]]:
    """How often each path answered with each status."""
    return Counter()


@pytest.fixture(scope="module")
def document() -> Any:
    return schemathesis.openapi.from_dict(json.loads((ROOT / "docs" / "openapi.json").read_text()))


@pytest.mark.verify
@pytest.mark.parametrize(("path", "mode"), CASES)
def test_every_answer_is_a_declared_one(
    path: str, mode: GenerationMode, document: Any, base_url: str, answers: Counter[tuple[str, int]]
) -> None:
    @seed(1)
    @settings(
        max_examples=CASES[path, mode],
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=document[path]["POST"].as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        response = case.call(base_url=base_url)
        answers[path, response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    ask()


@pytest.mark.verify
def test_ten_thousand_cases_were_asked_and_some_were_answered(answers: Counter[tuple[str, int]]) -> None:
    assert sum(answers.values()) >= sum(CASES.values()), answers
    assert answers["/predictions", 200] > 0, answers
    assert answers["/predictions", 400] > 0, answers
