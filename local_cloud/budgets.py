"""CloudFormation's budgets, which MiniStack has in its API but not in its templates.

- AWS::Budgets::Budget, its BudgetData and its notifications (a change to these replaces it)
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-budgets-budget.html
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-budgets-budget-budgetdata.html
- UpdateBudget ("every part of a budget except for the budgetName and the calculatedSpend"), Spend
  https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_UpdateBudget.html
  https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Spend.html
read 2026-11-21. Nothing is ever spent in the local cloud, and no notification is sent.
"""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING, Any

from local_cloud import ec2_calls
from local_cloud.ec2_answers import Refusal
from local_cloud.ec2_calls import FORMATION, Made, Properties, Record
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Mapping

_BUDGETS = "ministack.services.budgets"
_STORE = Hook(_BUDGETS, "_budgets")
_CREATE = Hook(_BUDGETS, "_create_budget", ("data",))
_UPDATE = Hook(_BUDGETS, "_update_budget", ("data",))
_DELETE = Hook(_BUDGETS, "_delete_budget", ("data",))
_TAG = Hook(_BUDGETS, "_tag_resource", ("data",))
_UNTAG = Hook(_BUDGETS, "_untag_resource", ("data",))
_ARN = Hook(_BUDGETS, "_budget_arn", ("budget_name",))
_HANDLERS = Hook(FORMATION, "_RESOURCE_HANDLERS")
_REPLACE = Hook(
    FORMATION,
    "_replace_resource",
    ("resource_type", "physical_id", "old_props", "new_props", "stack_name", "logical_id"),
)
HOOKS = (_STORE, _CREATE, _UPDATE, _DELETE, _TAG, _UNTAG, _ARN, _HANDLERS, _REPLACE)

_TYPE = "AWS::Budgets::Budget"
_LONGEST_NAME = 100
_REFUSED = 400
_FORMATS = ("%Y-%m-%d %H:%M UTC", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d", "%m/%d/%y %H:%M UTC")
# They are parts of Budget, which as a whole is changed in place.
_REPLACING = ("BudgetName", "BudgetType", "TimeUnit")


def _call(hook: Hook, data: Mapping[str, Any]) -> None:
    status, _headers, body = find(hook)(dict(data))
    if status >= _REFUSED:
        told = json.loads(body)
        code = str(told.get("__type") or told.get("code") or status)
        raise Refusal(code, str(told.get("message") or told.get("Message")))


def as_requested(data: Mapping[str, Any], name: str) -> Record:
    """Return a template's budget as CreateBudget takes it: amounts are text, times are numbers."""
    budget: Record = {**data, "BudgetName": name}
    if limit := data.get("BudgetLimit"):
        budget["BudgetLimit"] = _spend(limit)
    if planned := _parsed(data.get("PlannedBudgetLimits")):
        budget["PlannedBudgetLimits"] = {key: _spend(each) for key, each in planned.items()}
    if filters := _parsed(data.get("CostFilters")):
        budget["CostFilters"] = filters
    if period := data.get("TimePeriod"):
        budget["TimePeriod"] = {key: _moment(str(each)) for key, each in period.items()}
    if types := data.get("CostTypes"):
        budget["CostTypes"] = {key: ec2_calls.yes(each) for key, each in types.items()}
    return budget


def _parsed(value: Any) -> Any:  # noqa: ANN401 -- a template's Json is an object, or its text
    return json.loads(value) if isinstance(value, str) else value


def _spend(given: Mapping[str, Any]) -> dict[str, str]:
    return {"Amount": str(given["Amount"]), "Unit": str(given["Unit"])}


def _moment(text: str) -> float:
    """Return seconds since 1970 of a time in a template; raises Refusal if it is none."""
    if text.isdigit():
        return float(text)
    for pattern in _FORMATS:
        try:
            moment = datetime.datetime.strptime(text, pattern)  # noqa: DTZ007 -- all are in UTC
        except ValueError:
            continue
        return moment.replace(tzinfo=datetime.UTC).timestamp()
    raise Refusal("InvalidParameterException", f"{text} is not a time that a budget takes")


def _notifications(properties: Properties) -> list[Record]:
    made = []
    for given in properties.get("NotificationsWithSubscribers") or []:
        notification = {**given["Notification"]}
        notification["Threshold"] = float(notification["Threshold"])
        made.append({"Notification": notification, "Subscribers": given["Subscribers"]})
    return made


def _tags(properties: Properties) -> dict[str, str]:
    given = properties.get("ResourceTags") or []
    return {tag["Key"]: str(tag.get("Value", "")) for tag in given}


def _as_list(tags: Mapping[str, str]) -> list[Record]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _create(logical_id: str, properties: Properties, stack: str) -> Made:
    data = properties["Budget"]
    generated = ec2_calls.generated_name(stack, logical_id, _LONGEST_NAME)
    name = data.get("BudgetName") or generated
    _call(
        _CREATE,
        {
            "Budget": as_requested(data, name),
            "NotificationsWithSubscribers": _notifications(properties),
            "ResourceTags": _as_list(_tags(properties)),
        },
    )
    return name, {}


def _update(
    name: str, old: Properties, new: Properties, stack: str, logical_id: str | None
) -> Made:
    if any(old["Budget"].get(key) != new["Budget"].get(key) for key in _REPLACING):
        replaced: Made = find(_REPLACE)(_TYPE, name, old, new, stack, logical_id)
        return replaced
    return _changed(name, old, new)


def _changed(name: str, old: Properties, new: Properties) -> Made:
    _call(_UPDATE, {"NewBudget": as_requested(new["Budget"], name)})
    arn, had, wanted = find(_ARN)(name), _tags(old), _tags(new)
    if gone := sorted(had.keys() - wanted.keys()):
        _call(_UNTAG, {"ResourceARN": arn, "ResourceTagKeys": gone})
    if wanted:
        _call(_TAG, {"ResourceARN": arn, "ResourceTags": _as_list(wanted)})
    return name, {}


def _delete(name: str, _properties: Properties) -> None:
    if name in find(_STORE):
        _call(_DELETE, {"BudgetName": name})


def install() -> None:
    """Register the type."""
    ec2_calls.provide(
        _TYPE, create=_create, delete=_delete, replacing=("NotificationsWithSubscribers",)
    )
    find(_HANDLERS)[_TYPE].update(
        update=ec2_calls.told(_TYPE, "update", _update), update_with_logical_id=True
    )
