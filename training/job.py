"""What every SageMaker Processing job of ours shares: its error, how it fails, and work done in parallel but in order.

References
----------
Failure: a non-zero exit code, and ``/opt/ml/output/message``, whose content becomes the job's ExitMessage (Amazon
SageMaker Developer Guide, "How Amazon SageMaker Processing configures your processing container").
``SAGEMAKER_BASE_DIR`` moves ``/opt/ml``, as in AWS's sagemaker-training toolkit.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class JobError(ValueError):
    """Input or arguments that a job cannot work with; the message says what came, what is allowed, what to do."""


def base_directory() -> Path:
    """Return the directory SageMaker mounts into a container, ``/opt/ml`` unless it was moved."""
    return Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))


def run(job: Callable[[], None]) -> int:
    """Run a job and return its exit code; a failure's message ends stderr and becomes the job's ExitMessage."""
    try:
        job()
    except Exception as error:
        if isinstance(error, JobError):
            message = str(error)
        else:
            traceback.print_exc()
            message = f"{type(error).__name__}: {error}"
        _leave_message(message)
        sys.stderr.write(message.rstrip() + "\n")
        return 1
    return 0


def _leave_message(message: str) -> None:
    path = base_directory() / "output" / "message"
    if base_directory().is_dir():  # absent outside SageMaker
        path.parent.mkdir(exist_ok=True)
        path.write_text(message)


def hosts() -> tuple[str, int]:
    """Return this machine's name and the number of machines of the job; one outside SageMaker."""
    path = base_directory() / "config" / "resourceconfig.json"
    if not path.exists():
        return "algo-1", 1
    content = json.loads(path.read_text())
    return content["current_host"], len(content["hosts"])


def in_order(function: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None) -> Iterator[Result]:
    """Yield ``function(item)`` of every item in order, computed by a few threads that run ahead a bounded way.

    Parameters
    ----------
    function : callable
        Should spend its time outside the interpreter lock (NumPy, pyarrow).
    items : iterable
        Drawn only as far as threads are free, so that memory stays flat.
    threads : int, optional
        One a processor.
    """
    threads = threads or os.cpu_count() or 1
    ahead: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                ahead.append(pool.submit(function, item))
                if len(ahead) > threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
