"""Monitoring: one dashboard, the alarms, and the topic that tells people."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from autoscaling.prices import shipped_prices
from config.data_capture import Drift
from config.settings import Settings, Variant
from stacks.constructs.alarms import Alarms
from stacks.constructs.cost_budget import CostBudget
from stacks.constructs.drift_check import DIMENSION, METRIC, NAMESPACE
from stacks.constructs.endpoint_metrics import PERIOD, VariantMetrics
from stacks.constructs.inference_api import STAGE
from stacks.constructs.notice_topic import NoticeTopic
from stacks.constructs.protection import Protection
from stacks.naming import Naming

AT_THE_LIMIT_MINUTES = 15  # as long as a scale-out may take with its provisioning
PRICED_REGION = "us-east-1"  # whose prices are drawn where the settings name no region
BILLING_REGION = "us-east-1"  # CloudWatch user guide, "Create a billing alarm"
WIDTH = 12  # of 24 columns


class MonitoringStack(Stack):
    """What an operator looks at, and what wakes them.

    Parameters
    ----------
    workflow : IStateMachine or None
        The training workflow; None where the model was trained elsewhere.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        naming: Naming,
        settings: Settings,
        workflow: sfn.IStateMachine | None,
        protection: Protection,
        **stack: Any,
    ) -> None:
        super().__init__(scope, construct_id, **stack)
        self._settings = settings
        self._naming = naming
        topic = NoticeTopic(
            self, "AlarmTopic", "cloudwatch.amazonaws.com", key=protection.key, display_name=f"{naming.prefix} alarms"
        )
        if settings.monitoring.email:
            topic.add_subscription(subscriptions.EmailSubscription(settings.monitoring.email))
        self._alarms = Alarms(self, "Alarms", topic=topic)
        self._dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=naming.prefix)
        endpoint = naming.endpoint(settings.endpoint.variants)
        for variant in settings.endpoint.variants:
            self._watch_variant(variant, VariantMetrics(endpoint, variant.name, variant.instance_type))
        self._watch_api()
        if workflow:
            self._watch_training(workflow)
        if settings.monitoring.drift:
            self._watch_drift(settings.monitoring.drift)
        self._draw(_graph("Amazon SageMaker in this account, USD since the month began", _sagemaker_cost()))
        if settings.monitoring.budget:
            CostBudget(self, "Budget", naming=naming, settings=settings.monitoring.budget, topic=topic)
        CfnOutput(self, "AlarmTopicArn", value=topic.topic_arn)
        CfnOutput(self, "DashboardName", value=naming.prefix)

    def _watch_variant(self, variant: Variant, metrics: VariantMetrics) -> None:
        wanted, name = self._settings.monitoring, variant.name
        most = self._settings.scaling_of(variant).max_capacity
        self._alarms.add(
            f"{name}Latency",
            metrics.latency_ms("p99"),
            above=wanted.p99_latency_ms,
            minutes=5,
            what=f"One request in a hundred of variant {name} takes longer than {wanted.p99_latency_ms:g} ms.",
            runbook="latency-is-high",
        )
        self._alarms.add(
            f"{name}Errors",
            metrics.error_share(),
            above=wanted.error_share,
            minutes=3,
            what=f"More than {wanted.error_share:.1%} of the requests to variant {name} fail.",
            runbook="requests-fail",
        )
        self._alarms.add(
            f"{name}AtLimit",
            metrics.instances_in_service(),
            above=most - 0.5,
            minutes=AT_THE_LIMIT_MINUTES,
            what=f"Variant {name} runs on all {most} instances that scaling allows it.",
            runbook="scaling-has-reached-its-limit",
        )
        self._draw_variant(variant, metrics, most)

    def _draw_variant(self, variant: Variant, metrics: VariantMetrics, most: int) -> None:
        name = variant.name
        limit = cloudwatch.HorizontalAnnotation(value=most, label="max_capacity")
        errors = [
            metrics.counted(f"Invocation{kind}Errors").with_(label=label)
            for kind, label in (("4XX", "4xx"), ("5XX", "5xx"))
        ]
        self._draw(
            _graph(f"{name}: requests a minute", metrics.counted("Invocations")),
            _graph(f"{name}: latency in the container (ms)", metrics.latency_ms("p50"), metrics.latency_ms("p99")),
            _graph(f"{name}: CPU per vCPU, memory (%)", metrics.cpu_per_vcpu(), metrics.memory()),
            _graph(f"{name}: instances in service", metrics.instances_in_service(), limits=[limit]),
            _graph(f"{name}: scaling limit reached (1)", metrics.at_limit(most)),
            _graph(f"{name}: errors a minute", *errors, metrics.counted("InvocationModelErrors")),
            _graph(f"{name}: requests a minute and instance", metrics.counted("InvocationsPerInstance")),
            *self._cost_graphs(variant, metrics),
        )

    def _cost_graphs(self, variant: Variant, metrics: VariantMetrics) -> list[cloudwatch.GraphWidget]:
        """Return what the instances cost, where the table of prices knows their type and region."""
        price = shipped_prices().get((variant.instance_type, self._settings.project.region or PRICED_REGION))
        if price is None:
            return []
        return [_graph(f"{variant.name}: USD an hour", metrics.cost_usd_per_hour(price.usd_per_hour))]

    def _watch_api(self) -> None:
        def metric(name: str, statistic: str) -> cloudwatch.Metric:
            return cloudwatch.Metric(
                namespace="AWS/ApiGateway",
                metric_name=name,
                dimensions_map={"ApiName": self._naming.prefix, "Stage": STAGE},
                statistic=statistic,
                period=PERIOD,
            )

        share = self._settings.monitoring.error_share
        self._alarms.add(
            "ApiErrors",
            metric("5XXError", "Average"),  # each request counts 0 or 1: the average is the share
            above=share,
            minutes=3,
            what=f"More than {share:.1%} of the requests to the API get a 5xx status.",
            runbook="requests-fail",
        )
        self._draw(
            _graph("API: requests and errors a minute", *(metric(n, "Sum") for n in ("Count", "4XXError", "5XXError"))),
            _graph("API: latency (ms)", metric("Latency", "p50"), metric("Latency", "p99")),
        )

    def _watch_training(self, workflow: sfn.IStateMachine) -> None:
        self._alarms.add(
            "TrainingFailed",
            _runs(workflow, "ExecutionsFailed"),
            above=0,
            minutes=1,
            what="A training run has failed; what was served before is still served.",
            runbook="a-training-run-fails",
        )
        day = Duration.days(1)
        counts = [
            _runs(workflow, f"Executions{what}").with_(period=day)
            for what in ("Succeeded", "Failed", "TimedOut", "Aborted")
        ]
        self._draw(_graph("training runs a day", *counts))

    def _watch_drift(self, settings: Drift) -> None:
        check = sfn.StateMachine.from_state_machine_name(self, "DriftCheck", self._naming.drift_check)
        index = cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=METRIC,
            dimensions_map={DIMENSION: self._naming.prefix},
            statistic="Maximum",
            period=Duration.hours(1),
        )
        self._alarms.add(
            "Drift",
            index,
            above=settings.threshold,
            minutes=1,
            what=f"The stability index of a feature is above {settings.threshold:g}: clients send other records.",
            runbook="requests-drift-away-from-the-training-records",
            keeps_state=True,
        )
        self._alarms.add(
            "DriftCheckFailed",
            _runs(check, "ExecutionsFailed"),
            above=0,
            minutes=1,
            what="The drift check has failed, so nobody looks whether clients send other records.",
            runbook="requests-drift-away-from-the-training-records",
        )
        limit = cloudwatch.HorizontalAnnotation(value=settings.threshold, label="threshold")
        self._draw(_graph("drift: largest stability index of a feature", index, limits=[limit]))

    def _draw(self, *graphs: cloudwatch.GraphWidget) -> None:
        self._dashboard.add_widgets(*graphs)


def _runs(machine: sfn.IStateMachine, name: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="AWS/States",
        metric_name=name,
        dimensions_map={"StateMachineArn": machine.state_machine_arn},
        statistic="Sum",
        period=PERIOD,
    )


def _sagemaker_cost() -> cloudwatch.Metric:
    """Return what AWS has billed so far; published in one region, where billing alerts are switched on."""
    return cloudwatch.Metric(
        namespace="AWS/Billing",
        metric_name="EstimatedCharges",
        dimensions_map={"ServiceName": "AmazonSageMaker", "Currency": "USD"},
        statistic="Maximum",
        period=Duration.hours(6),
        region=BILLING_REGION,
    )


def _graph(
    title: str, *metrics: cloudwatch.IMetric, limits: list[cloudwatch.HorizontalAnnotation] | None = None
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        width=WIDTH,
        left=list(metrics),
        left_annotations=limits,
        left_y_axis=cloudwatch.YAxisProps(min=0),
    )
