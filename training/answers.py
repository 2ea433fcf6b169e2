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
        if isinstance(entry, dict):
            score = float(entry["score"])
            label = entry.get("predicted_label")
            return score, int(score >= THRESHOLD) if label is None else _label(label)
        score = float(entry[-1] if isinstance(entry, list) and len(entry) in (1, 2) else entry)
    except (KeyError, TypeError, ValueError):
        raise ValueError(
            f"came {entry!r:.60}; a score, the scores of both labels, or an object with score is wanted"
        ) from None
    return score, int(score >= THRESHOLD)


def _label(value: Any) -> int:
    if value not in (0, 1):
        raise ValueError(value)
    return int(value)
