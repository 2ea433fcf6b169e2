"""What a caller did wrong, as exceptions that carry an HTTP status; raised by readers and predictors, answered once."""

from __future__ import annotations

from collections.abc import Sequence

MAX_NAMED_ROWS = 5


class RequestError(ValueError):
    """A request that is not answered with predictions.

    Parameters
    ----------
    status : int
        The HTTP status to answer with.
    message : str
        What came, what is allowed.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class InvalidRowsError(RequestError):
    """Rows that cannot be scored, all of them, named by number (the first row is row 1).

    Parameters
    ----------
    problems : sequence of (int, str)
        Row number and what is wrong with it, in the order of the rows.
    """

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        named = [f"row {row}: {problem}" for row, problem in problems[:MAX_NAMED_ROWS]]
        if len(problems) > MAX_NAMED_ROWS:
            named.append(f"and {len(problems) - MAX_NAMED_ROWS} more rows")
        super().__init__(400, "; ".join(named))
        self.problems = tuple(problems)
