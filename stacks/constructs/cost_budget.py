"""A budget of the environment's costs that tells the alarm topic."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from config.monitoring import Budget
from stacks.naming import Naming


class CostBudget(Construct):
    """AWS Budgets watches what resources with the environment's tags cost; data are up to a day old."""

    def __init__(
        self, scope: Construct, construct_id: str, *, naming: Naming, settings: Budget, topic: sns.Topic
    ) -> None:
        super().__init__(scope, construct_id)
        allowed = _let_budgets_publish(topic)
        percentages = [("ACTUAL", each) for each in settings.alert_percentages]
        if settings.forecast_percentage:
            percentages.append(("FORECASTED", settings.forecast_percentage))
        kinds = budgets.CfnBudget
        budget = kinds(
            self,
            "Budget",
            budget=kinds.BudgetDataProperty(
                budget_name=naming.prefix,
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=kinds.SpendProperty(amount=settings.monthly_usd, unit="USD"),
                metrics=["UnblendedCost"],
                filter_expression=kinds.ExpressionProperty(
                    and_=[_tagged("project", naming.project), _tagged("env", naming.env)]
                ),
            ),
            notifications_with_subscribers=[
                kinds.NotificationWithSubscribersProperty(
                    notification=kinds.NotificationProperty(
                        comparison_operator="GREATER_THAN",
                        notification_type=kind,
                        threshold=percentage,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[kinds.SubscriberProperty(subscription_type="SNS", address=topic.topic_arn)],
                )
                for kind, percentage in percentages
            ],
        )
        budget.node.add_dependency(allowed)


def _tagged(key: str, value: str) -> budgets.CfnBudget.ExpressionProperty:
    return budgets.CfnBudget.ExpressionProperty(
        tags=budgets.CfnBudget.TagValuesProperty(key=key, values=[value], match_options=["EQUALS"])
    )


def _let_budgets_publish(topic: sns.Topic) -> Construct:
    """Let the account's budgets, and nobody else's, tell the topic; AWS checks that when the budget is made."""
    stack = Stack.of(topic)
    granted = topic.add_to_resource_policy(
        iam.PolicyStatement(
            actions=["sns:Publish"],
            principals=[iam.ServicePrincipal("budgets.amazonaws.com")],
            resources=[topic.topic_arn],
            conditions={
                "StringEquals": {"aws:SourceAccount": stack.account},
                "ArnLike": {"aws:SourceArn": f"arn:{stack.partition}:budgets::{stack.account}:*"},
            },
        )
    )
    assert isinstance(granted.policy_dependable, Construct)
    return granted.policy_dependable
