"""A monthly budget of the whole account, whose forecast is mailed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_budgets as budgets

if TYPE_CHECKING:
    from constructs import Construct


def monthly_budget(scope: Construct, id: str, *, usd: int, email: str) -> None:
    """Tell `email` when the month is forecast to cost more than `usd`, and when it has.

    A budget that only tells is free ("AWS Budgets pricing", 2026-11-21). It reads the bills, which
    come up to a day late, and forecasts from about five weeks of them: it stops nothing
    ("Managing your costs with AWS Budgets", 2026-11-21).
    """
    budgets.CfnBudget(
        scope,
        id,
        budget=budgets.CfnBudget.BudgetDataProperty(
            budget_type="COST",
            time_unit="MONTHLY",
            budget_limit=budgets.CfnBudget.SpendProperty(amount=usd, unit="USD"),
            # What credits pay for is spent all the same: a new account has some, and would hear of
            # nothing until they are gone.
            cost_types=budgets.CfnBudget.CostTypesProperty(
                include_credit=False, include_refund=False
            ),
        ),
        notifications_with_subscribers=[
            budgets.CfnBudget.NotificationWithSubscribersProperty(
                notification=budgets.CfnBudget.NotificationProperty(
                    notification_type=kind,
                    comparison_operator="GREATER_THAN",
                    threshold=100,
                    threshold_type="PERCENTAGE",
                ),
                subscribers=[
                    budgets.CfnBudget.SubscriberProperty(subscription_type="EMAIL", address=email)
                ],
            )
            for kind in ("FORECASTED", "ACTUAL")
        ],
    )
