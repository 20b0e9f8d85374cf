"""Budgets that a stack makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.local.templates import Stack

if TYPE_CHECKING:
    from odyssey_cli.target import Target

ACCOUNT = "000000000000"


@pytest.fixture
def stack(target: Target) -> Stack:
    return Stack(target)


@pytest.fixture
def budgets(target: Target) -> Any:
    return target.client("budgets")


def notification(threshold: float, *addresses: str, type: str = "ACTUAL") -> dict[str, Any]:
    return {
        "Notification": {
            "NotificationType": type,
            "ComparisonOperator": "GREATER_THAN",
            "Threshold": threshold,
            "ThresholdType": "PERCENTAGE",
        },
        "Subscribers": [{"SubscriptionType": "EMAIL", "Address": address} for address in addresses],
    }


def budget(
    amount: float, *notifications: dict[str, Any], purpose: str = "tests", **data: Any
) -> dict[str, Any]:
    limit = {"Amount": amount, "Unit": "USD"}
    given = {"BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit, **data}
    return {
        "Type": "AWS::Budgets::Budget",
        "Properties": {
            "Budget": given,
            "NotificationsWithSubscribers": list(notifications),
            "ResourceTags": [{"Key": "purpose", "Value": purpose}],
        },
    }


def described(budgets: Any, name: str) -> Any:
    return budgets.describe_budget(AccountId=ACCOUNT, BudgetName=name)["Budget"]


def told(budgets: Any, name: str) -> dict[tuple[str, float], list[str]]:
    """Return whom a budget tells, by what and from where on."""
    of = {"AccountId": ACCOUNT, "BudgetName": name}
    found = budgets.describe_notifications_for_budget(**of)["Notifications"]
    addresses = {}
    for each in found:
        to = budgets.describe_subscribers_for_notification(**of, Notification=each)["Subscribers"]
        key = (each["NotificationType"], each["Threshold"])
        addresses[key] = [subscriber["Address"] for subscriber in to]
    return addresses


def tags(budgets: Any, name: str) -> list[dict[str, str]]:
    arn = f"arn:aws:budgets::{ACCOUNT}:budget/{name}"
    found: list[dict[str, str]] = budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"]
    return found


def test_a_budget_is_what_the_template_says(stack: Stack, budgets: Any) -> None:
    # GIVEN a budget with two notifications
    both = [
        notification(80, "a@example.org"),
        notification(100, "b@example.org", type="FORECASTED"),
    ]
    more = {"CostFilters": {"TagKeyValue": ["user:project$odyssey"]}}
    period = {"TimePeriod": {"Start": "2026-11-01", "End": "2027-11-01"}}
    assert stack.create(Budget=budget(5, *both, **more, **period)) == "CREATE_COMPLETE"
    name = stack.physical_id("Budget")

    # THEN the Budgets API says so
    found = described(budgets, name)
    assert name.startswith(f"{stack.name}-Budget-")
    assert (found["BudgetType"], found["TimeUnit"]) == ("COST", "MONTHLY")
    assert found["BudgetLimit"] == {"Amount": "5", "Unit": "USD"}
    assert found["CostFilters"] == more["CostFilters"]
    assert found["TimePeriod"]["Start"].strftime("%Y-%m-%d") == "2026-11-01"
    assert told(budgets, name) == {
        ("ACTUAL", 80.0): ["a@example.org"],
        ("FORECASTED", 100.0): ["b@example.org"],
    }
    assert tags(budgets, name) == [{"Key": "purpose", "Value": "tests"}]

    # WHEN there is more to spend
    changed = budget(7.5, *both, purpose="new")
    assert stack.update(Budget=changed) == "UPDATE_COMPLETE"

    # THEN it is the same budget
    assert stack.physical_id("Budget") == name
    assert described(budgets, name)["BudgetLimit"]["Amount"] == "7.5"
    assert len(told(budgets, name)) == 2
    assert tags(budgets, name) == [{"Key": "purpose", "Value": "new"}]

    # WHEN somebody else is to be told
    other = budget(7.5, notification(50, "c@example.org"))
    assert stack.update(Budget=other) == "UPDATE_COMPLETE"

    # THEN it is another budget
    replaced = stack.physical_id("Budget")
    assert replaced != name
    assert told(budgets, replaced) == {("ACTUAL", 50.0): ["c@example.org"]}
    with pytest.raises(ClientError, match="NotFoundException"):
        described(budgets, name)

    # WHEN the stack goes
    assert stack.delete() is None

    # THEN so does the budget
    with pytest.raises(ClientError, match="NotFoundException"):
        described(budgets, replaced)


def test_a_named_budget_gets_another_name(stack: Stack, budgets: Any) -> None:
    # GIVEN a budget with a name of its own
    stack.create(Budget=budget(1, BudgetName=f"{stack.name}-a"))
    assert stack.physical_id("Budget") == f"{stack.name}-a"

    # WHEN its name changes
    assert stack.update(Budget=budget(1, BudgetName=f"{stack.name}-b")) == "UPDATE_COMPLETE"

    # THEN there is one with the new name only
    assert described(budgets, f"{stack.name}-b")["BudgetName"] == f"{stack.name}-b"
    with pytest.raises(ClientError, match="NotFoundException"):
        described(budgets, f"{stack.name}-a")

    # WHEN others are to be told under the same name
    named = budget(1, notification(50, "c@example.org"), BudgetName=f"{stack.name}-b")
    made = stack.update(Budget=named)

    # THEN it fails, as there would be two
    assert made == "UPDATE_ROLLBACK_COMPLETE"
    assert "already exists" in stack.reasons()
    assert stack.delete() is None


def test_a_budget_for_nothing_known_is_refused(stack: Stack) -> None:
    assert stack.create(Budget=budget(1, TimeUnit="HOURLY")) == "CREATE_FAILED"

    assert "InvalidParameterException" in stack.reasons()
    assert stack.delete() is None
