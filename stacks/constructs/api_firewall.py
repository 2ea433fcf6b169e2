"""AWS WAF in front of a stage: AWS's managed rules, and a limit of requests a client."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from config.api import Firewall

MANAGED_RULES = ("AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesKnownBadInputsRuleSet")
# Blocks every body over 8 KB, and a batch of 20 records is larger: counted, not blocked (AWS WAF, "Core rule set").
COUNTED_RULES = {"AWSManagedRulesCommonRuleSet": ["SizeRestrictions_BODY"]}

_Acl = wafv2.CfnWebACL


class ApiFirewall(Construct):
    """A web ACL for one stage; what it blocks is answered with 403."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: apigateway.Stage, settings: Firewall) -> None:
        super().__init__(scope, construct_id)
        groups = {**{name: [] for name in MANAGED_RULES}, **COUNTED_RULES}
        acl = _Acl(
            self,
            "WebAcl",
            scope="REGIONAL",
            default_action=_Acl.DefaultActionProperty(allow={}),
            visibility_config=_visible("Api"),
            rules=[
                _rate_rule(settings.requests_per_client),
                *(
                    _managed_rule(number, name, counted)
                    for number, (name, counted) in enumerate(groups.items(), start=1)
                ),
            ],
        )
        association = wafv2.CfnWebACLAssociation(
            self,
            "Association",
            web_acl_arn=acl.attr_arn,
            resource_arn=Stack.of(self).format_arn(
                service="apigateway",
                account="",
                resource=f"/restapis/{stage.rest_api.rest_api_id}/stages/{stage.stage_name}",
            ),
        )
        association.node.add_dependency(stage)


def _rate_rule(requests: int) -> wafv2.CfnWebACL.RuleProperty:
    return _Acl.RuleProperty(
        name="RequestsPerClient",
        priority=0,
        action=_Acl.RuleActionProperty(block={}),
        statement=_Acl.StatementProperty(
            rate_based_statement=_Acl.RateBasedStatementProperty(limit=requests, aggregate_key_type="IP")
        ),
        visibility_config=_visible("RequestsPerClient"),
    )


def _managed_rule(priority: int, name: str, counted: list[str]) -> wafv2.CfnWebACL.RuleProperty:
    count = _Acl.RuleActionProperty(count={})
    return _Acl.RuleProperty(
        name=name,
        priority=priority,
        override_action=_Acl.OverrideActionProperty(none={}),
        statement=_Acl.StatementProperty(
            managed_rule_group_statement=_Acl.ManagedRuleGroupStatementProperty(
                vendor_name="AWS",
                name=name,
                rule_action_overrides=[
                    _Acl.RuleActionOverrideProperty(name=rule, action_to_use=count) for rule in counted
                ],
            )
        ),
        visibility_config=_visible(name),
    )


def _visible(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    return _Acl.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, sampled_requests_enabled=True, metric_name=name
    )
