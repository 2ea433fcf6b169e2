"""What SageMaker publishes about a variant of an endpoint, as CloudWatch metrics of one minute.

ModelLatency is in microseconds: it is converted here, and nowhere else, to milliseconds and back.

References
----------
SageMaker developer guide, "Monitor Amazon SageMaker AI with Amazon CloudWatch"; the percentiles of ModelLatency work
though that page names only its averages, sums and extremes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

PERIOD = Duration.minutes(1)
MICROSECONDS_A_MILLISECOND = 1000
VCPUS = {"medium": 1, "large": 2, "xlarge": 4}  # and 4 n for nxlarge (Amazon EC2, "Instance types")
VCPUS_OF_EXCEPTIONS = {"ml.c4.8xlarge": 36, "ml.t2.medium": 2, "ml.t3.medium": 2}


class VariantMetrics:
    """Metrics of one variant."""

    def __init__(self, endpoint_name: str, variant_name: str, instance_type: str) -> None:
        self._dimensions = _dimensions(endpoint_name, variant_name)
        self._vcpus = vcpus(instance_type)

    def counted(self, name: str) -> cloudwatch.Metric:
        """Return a count of requests, such as Invocations, a minute."""
        return self._metric(name, "Sum")

    def latency_ms(self, statistic: str) -> cloudwatch.MathExpression:
        """Return the time in the container (ms)."""
        return cloudwatch.MathExpression(
            expression=f"latency_{statistic} / {MICROSECONDS_A_MILLISECOND}",
            using_metrics={f"latency_{statistic}": self._metric("ModelLatency", statistic)},
            period=PERIOD,
            label=f"{statistic} (ms)",
        )

    def error_share(self) -> cloudwatch.MathExpression:
        """Return the share of requests that the model or SageMaker failed (0 to 1); missing without requests."""
        return cloudwatch.MathExpression(
            expression="errors / invocations",
            using_metrics={
                "errors": self.counted("Invocation5XXErrors"),
                "invocations": self.counted("Invocations"),
            },
            period=PERIOD,
            label="failed share",
        )

    def instances_in_service(self) -> cloudwatch.MathExpression:
        """Return how many instances answered: SageMaker publishes no such metric, but it divides by it."""
        return cloudwatch.MathExpression(
            expression="invocations / invocations_per_instance",
            using_metrics={
                "invocations": self.counted("Invocations"),
                "invocations_per_instance": self.counted("InvocationsPerInstance"),
            },
            period=PERIOD,
            label="instances in service",
        )

    def at_limit(self, max_capacity: int) -> cloudwatch.MathExpression:
        """Return 1 while scaling has reached its limit, 0 otherwise."""
        return cloudwatch.MathExpression(
            expression=f"IF(instances > {max_capacity - 0.5}, 1, 0)",
            using_metrics={"instances": self.instances_in_service()},
            period=PERIOD,
            label="scaling limit reached",
        )

    def cost_usd_per_hour(self, usd_per_hour: float) -> cloudwatch.MathExpression:
        """Return what the instances in service cost (USD an hour)."""
        return cloudwatch.MathExpression(
            expression=f"instances * {usd_per_hour}",
            using_metrics={"instances": self.instances_in_service()},
            period=PERIOD,
            label="USD an hour",
        )

    def cpu_per_vcpu(self) -> cloudwatch.MathExpression:
        """Return the load of a vCPU (0 to 100): SageMaker's goes up to 100 a vCPU."""
        return cloudwatch.MathExpression(
            expression=f"cpu / {self._vcpus}",
            using_metrics={"cpu": self._metric("CPUUtilization", "Average", namespace="/aws/sagemaker/Endpoints")},
            period=PERIOD,
            label="CPU per vCPU (%)",
        )

    def memory(self) -> cloudwatch.Metric:
        """Return the share of memory in use (0 to 100)."""
        return self._metric("MemoryUtilization", "Average", namespace="/aws/sagemaker/Endpoints")

    def _metric(self, name: str, statistic: str, *, namespace: str = "AWS/SageMaker") -> cloudwatch.Metric:
        return _metric(name, statistic, self._dimensions, namespace=namespace)


class NewFleetMetrics:
    """Metrics of the instances that an update brings, apart from those it replaces.

    They have the configuration's name as a third dimension, and only during an update: a canary's errors are not
    thinned by the old fleet's answers.

    Parameters
    ----------
    endpoint_config_name : str
        Of the new fleet.

    References
    ----------
    SageMaker developer guide, "Auto-rollback configuration and monitoring".
    """

    def __init__(self, endpoint_name: str, variant_name: str, endpoint_config_name: str) -> None:
        self._dimensions = {
            **_dimensions(endpoint_name, variant_name),
            "EndpointConfigName": endpoint_config_name,
        }

    def share(self, name: str) -> cloudwatch.Metric:
        """Return the share of requests (0 to 1) that an error metric counts: each request adds 0 or 1 to it."""
        return _metric(name, "Average", self._dimensions)

    def latency_us(self, statistic: str) -> cloudwatch.Metric:
        """Return the time in the container in microseconds, as it is published: the alarm compares it so."""
        return _metric("ModelLatency", statistic, self._dimensions)


def _dimensions(endpoint_name: str, variant_name: str) -> dict[str, str]:
    return {"EndpointName": endpoint_name, "VariantName": variant_name}


def _metric(
    name: str, statistic: str, dimensions: Mapping[str, str], *, namespace: str = "AWS/SageMaker"
) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace, metric_name=name, dimensions_map=dict(dimensions), statistic=statistic, period=PERIOD
    )


def vcpus(instance_type: str) -> int:
    """Return the number of vCPUs of an instance type."""
    if instance_type in VCPUS_OF_EXCEPTIONS:
        return VCPUS_OF_EXCEPTIONS[instance_type]
    size = instance_type.rpartition(".")[2]
    match = re.fullmatch(r"(\d+)xlarge", size)
    return 4 * int(match[1]) if match else VCPUS.get(size, 4)
