"""Scores and labels out of what an endpoint answers: one reading for the evaluation and for the API.

Linear Learner answers score and label, XGBoost a score, a script's model what the script returns: of each row the
probability of an attack, or the label itself, or both probabilities. Only the standard library is used: the predict
Lambda ships this file as it is.
"""

from __future__ import annotations

from typing import Any, Final

THRESHOLD: Final = 0.5  # of a probability, where the model names no label


def read_answer(content: Any) -> list[tuple[float, int]]:
    """Return score and label of every row.

    Parameters
    ----------
    content : object
        The answer's JSON: ``{"predictions": [...]}`` or a list.

    Raises
    ------
    ValueError
        Some entry is none of what is understood; the message shows it.
    """
    entries = content.get("predictions") if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise ValueError(f"came {content!r:.60}; a list of predictions is wanted, one a row")  # noqa: TRY004
    return [_read(entry) for entry in entries]


def _read(entry: Any) -> tuple[float, int]:
    try:
        if isinstance(entry, dict) and "predicted_label" in entry:
            return float(entry["score"]), _label(entry["predicted_label"])
        score = float(_score(entry))
    except (KeyError, TypeError, ValueError):
        score = float("nan")
    if not 0 <= score <= 1:
        raise ValueError(f"came {entry!r:.60}; a probability or a label is wanted, or both in an object")
    return score, int(score >= THRESHOLD)


def _score(entry: Any) -> Any:
    if isinstance(entry, dict):
        return entry["score"]
    return entry[-1] if isinstance(entry, list) and len(entry) in (1, 2) else entry


def _label(value: Any) -> int:
    return (0, 1).index(value)
