"""What AWS publishes, as far as alarms and dashboards may name it: dimensions, unit and statistics of each metric.

References
----------
- SageMaker developer guide, "Monitor Amazon SageMaker AI with Amazon CloudWatch". Percentiles of ModelLatency are not
  on that page; they work (seen in public dashboards). "Auto-rollback configuration and monitoring" has the dimension
  EndpointConfigName.
- API Gateway developer guide, "Amazon API Gateway dimensions and metrics".
- Step Functions developer guide, "Monitoring Step Functions metrics using Amazon CloudWatch".
- CloudWatch user guide, "Create a billing alarm to monitor your estimated AWS charges".
"""

from __future__ import annotations

from dataclasses import dataclass

PERCENTILES = frozenset({"p50", "p90", "p95", "p99"})
EXTREMES = frozenset({"Average", "Minimum", "Maximum", "Sum", "SampleCount"})


@dataclass(frozen=True)
class Published:
    """One metric."""

    dimensions: tuple[frozenset[str], ...]
    unit: str
    statistics: frozenset[str]


def _published(names: str, dimensions: str, unit: str, statistics: frozenset[str]) -> dict[str, Published]:
    """Return metrics by name; of `dimensions` one set is named, the sets stand apart by a bar."""
    sets = tuple(frozenset(names.split()) for names in dimensions.split("|"))
    return {name: Published(sets, unit, statistics) for name in names.split()}


INSTANCES, API, MACHINE = "EndpointName VariantName", "ApiName Stage", "StateMachineArn"
VARIANT = f"{INSTANCES} | {INSTANCES} EndpointConfigName"  # the latter of the new fleet, during an update
AVERAGE_AND_SUM = frozenset({"Average", "Sum"})
METRICS: dict[str, dict[str, Published]] = {
    "AWS/SageMaker": {
        **_published("Invocations InvocationsPerInstance", VARIANT, "None", frozenset({"Sum"})),
        **_published("Invocation4XXErrors Invocation5XXErrors InvocationModelErrors", VARIANT, "None", AVERAGE_AND_SUM),
        **_published("ConcurrentRequestsPerModel", VARIANT, "None", frozenset({"Minimum", "Maximum"})),
        **_published("ModelLatency OverheadLatency", VARIANT, "Microseconds", EXTREMES | PERCENTILES),
    },
    "/aws/sagemaker/Endpoints": _published(
        "CPUUtilization MemoryUtilization DiskUtilization", INSTANCES, "Percent", EXTREMES
    ),
    "AWS/ApiGateway": {
        **_published("4XXError 5XXError", API, "Count", AVERAGE_AND_SUM),
        **_published("Count", API, "Count", frozenset({"Sum", "SampleCount"})),
        **_published("Latency IntegrationLatency", API, "Milliseconds", EXTREMES | PERCENTILES),
    },
    "AWS/States": _published(
        "ExecutionsStarted ExecutionsSucceeded ExecutionsFailed ExecutionsTimedOut ExecutionsAborted",
        MACHINE,
        "Count",
        frozenset({"Sum"}),
    ),
    "AWS/Billing": _published("EstimatedCharges", "ServiceName Currency", "None", frozenset({"Maximum"})),
    "SageScale": _published("LargestPsi", "Environment", "None", EXTREMES),  # stacks/constructs/drift_check.py
}
