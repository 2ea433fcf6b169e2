"""The report of load tests: pictures, tables and reasons in one file."""

from loadtest.report.page import write_report
from loadtest.report.run import Run

__all__ = ["Run", "write_report"]
