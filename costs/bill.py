"""The bill of a month: one item for everything in the templates that costs money.

Instances are counted as the templates scale them, requests up to the stage's throttle, runs as their rules start them.
Not counted: data transfer, KMS and S3 requests, the ECR images, free tiers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

from autoscaling.template import DeployedVariant, TemplateError, deployed_variants
from costs.awake import awake
from costs.month import HOURS, NOTHING, SECONDS, Month, Range
from costs.resources import is_free
from costs.runs import jobs_of, scheduled_runs
from costs.service_prices import ServicePrices
from costs.template import Resource, Template, states_of

ALARMS_OF_TARGET_TRACKING = 2  # one out, one in; Application Auto Scaling makes them, the account pays
METRICS_OF_A_METHOD = 7  # Count, 4XXError, 5XXError, Latency, IntegrationLatency, CacheHitCount, CacheMissCount
TRACED_SHARE = 0.05  # and one request a second: X-Ray's default rule
InstancePrice = Callable[[str], float]
InstanceHours = Callable[[DeployedVariant], float]


class Item(NamedTuple):
    """One line of the bill."""

    stack: str
    what: str
    usd: Range


@dataclass(frozen=True)
class Tariff:
    """What things cost, and what is expected of the month.

    Parameters
    ----------
    instance_usd_per_hour : Callable
        By instance type; jobs and notebooks are assumed to cost what an endpoint's instance costs.
    variant_hours : Callable
        Expected instance hours of a month of a variant that does not sleep.
    """

    month: Month
    services: ServicePrices
    instance_usd_per_hour: InstancePrice
    variant_hours: InstanceHours


def bill(templates: Iterable[Template], tariff: Tariff) -> list[Item]:
    """Price everything.

    Raises
    ------
    ValueError
        A resource type that is neither priced nor known to be free, or an instance type without a price.
    """
    templates = list(templates)
    unknown = {
        f"{each.type} ({template.name}/{each.logical_id})"
        for template in templates
        for each in template.resources.values()
        if each.type not in PRICED and not is_free(each.type)
    }
    if unknown:
        raise ValueError(f"neither priced nor known to be free: {', '.join(sorted(unknown))}; see costs/resources.py")
    return [item for template in templates for item in _items(template, tariff)]


def total(items: Iterable[Item]) -> Range:
    """Return the sum of what has a price on a bill, in USD."""
    return reduce(Range.plus, (item.usd for item in items if item.usd.is_known), NOTHING)


def _items(template: Template, tariff: Tariff) -> Iterator[Item]:
    for resource_type, price in PRICED.items():
        resources = template.of_type(resource_type)
        if resources:
            for what, usd in price(resources, template, tariff):
                yield Item(template.name, what, usd)


Priced = Iterator[tuple[str, Range]]


def _endpoints(_: list[Resource], template: Template, tariff: Tariff) -> Priced:
    try:
        variants = deployed_variants(template.document)
    except TemplateError:
        return
    share = awake(template)
    for variant in variants:
        assert variant.instance_type, "a variant that scales has a config"
        low, high = variant.scaling.min_capacity * HOURS, variant.scaling.max_capacity * HOURS
        hours = Range(low * share.least, tariff.variant_hours(variant) * share.by_the_clock, high)
        what = f"variant {variant.variant}: {variant.scaling.min_capacity} to {variant.scaling.max_capacity} "
        usd = hours.times(tariff.instance_usd_per_hour(variant.instance_type))
        yield f"{what}{variant.instance_type}{share}", usd


def _scaling(policies: list[Resource], _: Template, tariff: Tariff) -> Priced:
    tracking = sum(each.properties["PolicyType"] == "TargetTrackingScaling" for each in policies)
    usd = tracking * ALARMS_OF_TARGET_TRACKING * tariff.services.usd("alarm_metrics")
    yield f"{tracking * ALARMS_OF_TARGET_TRACKING} alarms of target tracking", Range.always(usd)


def requests(template: Template, month: Month) -> Range:
    """Return the requests of a month to the API of a template."""
    rates = [
        setting["ThrottlingRateLimit"]
        for stage in template.of_type("AWS::ApiGateway::Stage")
        for setting in stage.properties.get("MethodSettings", [])
        if "ThrottlingRateLimit" in setting
    ]
    most = max(rates, default=10_000.0) * SECONDS  # without one, the account's own limit
    return Range(0.0, min(month.requests, most), most)


def _stages(stages: list[Resource], template: Template, tariff: Tariff) -> Priced:
    asked, services = requests(template, tariff.month), tariff.services
    yield "API requests", asked.times(services.usd("api_requests"))
    for stage in stages:
        if "AccessLogSetting" in stage.properties:
            yield "access log", asked.times(tariff.month.log_bytes / 1e9 * services.usd("log_gb"))
        if stage.properties.get("TracingEnabled"):
            traced = Range(*(TRACED_SHARE * count + min(count, SECONDS) for count in asked))
            yield "traces", traced.times(services.usd("traces"))
        if any(setting.get("MetricsEnabled") for setting in stage.properties.get("MethodSettings", [])):
            methods = len(template.of_type("AWS::ApiGateway::Method"))
            usd = methods * METRICS_OF_A_METHOD * services.usd("custom_metrics")
            yield f"metrics of {methods} methods, once called", Range(0.0, usd if asked.expected else 0.0, usd)


def _functions(functions: list[Resource], template: Template, tariff: Tariff) -> Priced:
    """Price the functions that requests go through; the others run while something is deployed or trained."""
    month, services = tariff.month, tariff.services
    methods = template.of_type("AWS::ApiGateway::Method")
    behind = {each.logical_id for method in methods for each in template.referred_to(method.properties["Integration"])}
    asked = requests(template, month)
    called = Range(0.0, asked.expected * month.predictions_share, asked.maximum)
    for each in functions:
        if each.logical_id in behind:
            gb_seconds = each.properties.get("MemorySize", 128) / 1024 * month.function_ms / 1000
            usd = services.usd("lambda_requests") + gb_seconds * services.usd("lambda_gb_seconds")
            yield f"function {each.logical_id}", called.times(usd)


def _alarms(alarms: list[Resource], _: Template, tariff: Tariff) -> Priced:
    metrics = sum(_metrics_of(each.properties) for each in alarms)
    usd = metrics * tariff.services.usd("alarm_metrics")
    yield f"{len(alarms)} alarms on {metrics} metrics", Range.always(usd)


def _metrics_of(alarm: Mapping[str, Any]) -> int:
    return sum("MetricStat" in query for query in alarm.get("Metrics", [])) or 1


def _by_number(item: str, name: str, hours: float = 1.0) -> Callable[[list[Resource], Template, Tariff], Priced]:
    def price(resources: list[Resource], _: Template, tariff: Tariff) -> Priced:
        yield f"{len(resources)} {name}", Range.always(len(resources) * hours * tariff.services.usd(item))

    return price


def _buckets(buckets: list[Resource], _: Template, tariff: Tariff) -> Priced:
    gb = tariff.month.stored_gb * len(buckets)
    yield f"{gb:g} GB in {len(buckets)} buckets", Range(0.0, gb, gb).times(tariff.services.usd("s3_gb"))


def _web_acls(acls: list[Resource], template: Template, tariff: Tariff) -> Priced:
    services, rules = tariff.services, sum(len(each.properties.get("Rules", [])) for each in acls)
    fixed = len(acls) * services.usd("web_acls") + rules * services.usd("web_acl_rules")
    yield f"firewall with {rules} rules", Range.always(fixed)
    yield "requests through the firewall", requests(template, tariff.month).times(services.usd("web_acl_requests"))


def _vpc_endpoints(endpoints: list[Resource], _: Template, tariff: Tariff) -> Priced:
    interfaces = [each.properties for each in endpoints if each.properties.get("VpcEndpointType") == "Interface"]
    count = sum(len(each.get("SubnetIds", [])) or 1 for each in interfaces)
    usd = count * HOURS * tariff.services.usd("vpc_endpoint_hours")
    yield f"{count} network interfaces of {len(interfaces)} VPC endpoints", Range.always(usd)


def _notebooks(notebooks: list[Resource], _: Template, tariff: Tariff) -> Priced:
    for each in notebooks:
        instance_type = each.properties["InstanceType"]
        usd = tariff.instance_usd_per_hour(instance_type)
        yield f"notebook on {instance_type}", Range(0.0, tariff.month.notebook_hours, HOURS).times(usd)


def _workflows(machines: list[Resource], template: Template, tariff: Tariff) -> Priced:
    month = tariff.month
    for machine in machines:
        scheduled = scheduled_runs(template, machine.logical_id)
        states = states_of(machine.properties["DefinitionString"])
        jobs = jobs_of(states)
        expected = scheduled + (month.runs if any(job.trains for job in jobs) else 0)
        usd = NOTHING
        for job in jobs:
            hours = min(month.job_minutes * 60, job.most_seconds) / 3600
            busy = Range(scheduled * hours, expected * hours, expected * job.most_seconds / 3600)
            usd = usd.plus(busy.times(job.instances * tariff.instance_usd_per_hour(job.instance_type)))
        yield f"runs of {machine.logical_id}, {scheduled:g} of them scheduled", usd
        transitions = len(states) * tariff.services.usd("state_transitions")
        yield f"state transitions of {machine.logical_id}", Range(scheduled, expected, expected).times(transitions)


PRICED: dict[str, Callable[[list[Resource], Template, Tariff], Priced]] = {
    "AWS::ApplicationAutoScaling::ScalingPolicy": _scaling,
    "AWS::ApiGateway::Stage": _stages,
    "AWS::CloudWatch::Alarm": _alarms,
    "AWS::CloudWatch::Dashboard": _by_number("dashboards", "dashboards"),
    "AWS::EC2::NatGateway": _by_number("nat_hours", "NAT gateways", HOURS),
    "AWS::EC2::VPCEndpoint": _vpc_endpoints,
    "AWS::KMS::Key": _by_number("kms_keys", "keys"),
    "AWS::Lambda::Function": _functions,
    "AWS::S3::Bucket": _buckets,
    "AWS::SageMaker::EndpointConfig": _endpoints,
    "AWS::SageMaker::NotebookInstance": _notebooks,
    "AWS::StepFunctions::StateMachine": _workflows,
    "AWS::WAFv2::WebACL": _web_acls,
}
