"""EventBridge: what PutEvents takes, which rules a template may make, and what a bus allows.

MiniStack takes nearly any entry and gives it the time of its arrival; it has no type for a bus's
policy, and evaluates none. Here an entry is checked, archived and sent to the rules it matches, in
this order, and a policy of a bus is evaluated as those of queues are. Rules: event_delivery.py.

- AWS::Events::EventBusPolicy
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-eventbuspolicy.html
- AWS::Events::Rule
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-rule.html
read 2026-11-21. Not evaluated: the condition keys of `events` (`events:source` and others).
"""

from __future__ import annotations

import importlib
import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from local_cloud.event_delivery import entry_refusal, request_refusal
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable

    Answer = tuple[int, dict[str, str], bytes]
    Properties = dict[str, Any]
    Made = tuple[str, dict[str, str]]

_EVENTS = "ministack.services.eventbridge"
_FORMATION = "ministack.services.cloudformation.provisioners"
_RESPONSES = "ministack.core.responses"
_PUT = Hook(_EVENTS, "_put_events", ("data", "allow_aws_source"))
_DISPATCH = Hook(_EVENTS, "_dispatch_event", ("event", "view"))
_ARCHIVE = Hook(_EVENTS, "_archive_event", ("event", "view"))
_VIEW = Hook(_EVENTS, "_pattern_event_view", ("event",))
_BUS_NAME = Hook(_EVENTS, "_event_bus_name_from_ref", ("name",))
_AS_TIME = Hook(_EVENTS, "_coerce_timestamp", ("value",))
_PATTERN_ERROR = Hook(_EVENTS, "_event_pattern_error", ("pattern_str",))
_BUSES = Hook(_EVENTS, "_event_buses")
_POLICIES = Hook(_EVENTS, "_event_bus_policies")
_LOOKUPS = Hook("ministack.core.iam_evaluator", "_RESOURCE_POLICY_LOOKUPS")
_JSON = Hook(_RESPONSES, "json_response", ("data", "status", "content_type"))
_ERROR = Hook(
    _RESPONSES,
    "error_response_json",
    ("code", "message", "status", "extra", "message_key", "content_type"),
)
_ACCOUNT = Hook(_RESPONSES, "get_account_id", ())
_REGION = Hook(_RESPONSES, "get_region", ())
_HANDLERS = Hook(_FORMATION, "_RESOURCE_HANDLERS")
_REPLACING = Hook(_FORMATION, "_REPLACING_PROPERTIES")
_NAME = Hook(
    _FORMATION, "_physical_name", ("stack_name", "logical_id", "lowercase", "max_len", "seeded")
)
HOOKS = (
    _PUT,
    _DISPATCH,
    _ARCHIVE,
    _VIEW,
    _BUS_NAME,
    _AS_TIME,
    _PATTERN_ERROR,
    _BUSES,
    _POLICIES,
    _LOOKUPS,
    _JSON,
    _ERROR,
    _ACCOUNT,
    _REGION,
    _HANDLERS,
    _REPLACING,
    _NAME,
)

_RULE = "AWS::Events::Rule"
_POLICY = "AWS::Events::EventBusPolicy"


def install() -> None:
    """Put this PutEvents in the place of MiniStack's, and register the type."""
    _PUT.replace(lambda _: put_events)
    setattr(importlib.import_module(_EVENTS), bus_policy.__name__, bus_policy)
    find(_LOOKUPS)["events"] = (_EVENTS.rpartition(".")[2], bus_policy.__name__)
    handlers = find(_HANDLERS)
    handlers[_RULE]["create"] = _checked(handlers[_RULE]["create"])
    handlers[_POLICY] = {
        "create": _create_policy,
        "update": _update_policy,
        "delete": _delete_policy,
    }
    find(_REPLACING)[_POLICY] = ("EventBusName", "StatementId")


# PutEvents


def put_events(data: dict[str, Any], allow_aws_source: bool = False) -> Answer:
    """Take a request's events: archive each, and send it to the rules it matches.

    Args:
        data: The request.
        allow_aws_source: Whether it comes from a service of AWS.
    """
    entries = data.get("Entries") or []
    answer: Answer
    if refusal := request_refusal(entries):
        answer = find(_ERROR)("ValidationException", refusal, 400)
        return answer
    results = [_put(entry, allow_aws_source) for entry in entries]
    failed = sum("ErrorCode" in result for result in results)
    answer = find(_JSON)({"FailedEntryCount": failed, "Entries": results})
    return answer


def _put(entry: dict[str, Any], allow_aws_source: bool) -> dict[str, str]:
    bus, refused = find(_BUS_NAME)(entry.get("EventBusName") or "default")
    refused = refused or entry_refusal(entry)
    if refused is None and entry["Source"].startswith("aws.") and not allow_aws_source:
        refused = "NotAuthorizedForSourceException", "Not authorized for the source."
    if refused is not None:
        return {"ErrorCode": refused[0], "ErrorMessage": refused[1]}
    event = {
        "EventId": str(uuid.uuid4()),
        "Source": entry["Source"],
        "DetailType": entry["DetailType"],
        "Detail": entry["Detail"],
        "EventBusName": bus,
        "Time": int(find(_AS_TIME)(entry.get("Time") or time.time())),
        "Resources": entry.get("Resources") or [],
        "Account": find(_ACCOUNT)(),
        "Region": find(_REGION)(),
    }
    view = find(_VIEW)(event)
    find(_ARCHIVE)(event, view)
    find(_DISPATCH)(event, view)
    return {"EventId": event["EventId"]}


# CloudFormation, and what a bus allows


def bus_policy(arn: str) -> tuple[dict[str, Any], str] | None:
    """Return a bus's policy and owner, as MiniStack's evaluator asks for them."""
    policy = find(_POLICIES).get(arn.rpartition("event-bus/")[2]) if ":event-bus/" in arn else None
    return (policy, arn.split(":")[4]) if policy else None


def _checked(create: Callable[..., Made]) -> Callable[..., Made]:
    """Refuse a rule that AWS would refuse: with a bad pattern, or on a bus that is not there."""

    def created(logical_id: str, properties: Properties, stack: str) -> Made:
        pattern = properties.get("EventPattern")
        text = json.dumps(pattern) if isinstance(pattern, dict) else pattern
        if error := find(_PATTERN_ERROR)(text):
            raise ValueError(f"{_RULE} create failed: Event pattern is not valid. Reason: {error}")
        bus, _ = find(_BUS_NAME)(properties.get("EventBusName") or "default")
        if bus != "default" and bus not in find(_BUSES):
            raise ValueError(f"{_RULE} create failed: Event bus {bus} does not exist.")
        return create(logical_id, properties, stack)

    return created


def statement_of(properties: Properties, bus_arn: str) -> dict[str, Any]:
    """Return the statement of a bus's policy that a template describes."""
    given = properties.get("Statement")
    if given:
        statement = json.loads(given) if isinstance(given, str) else given
        return {**statement, "Sid": properties["StatementId"]}
    who, only = properties.get("Principal", "*"), properties.get("Condition")
    statement = {
        "Sid": properties["StatementId"],
        "Effect": "Allow",
        "Principal": who if who == "*" else {"AWS": f"arn:aws:iam::{who}:root"},
        "Action": properties.get("Action", "events:PutEvents"),
        "Resource": bus_arn,
    }
    return statement | ({"Condition": {only["Type"]: {only["Key"]: only["Value"]}}} if only else {})


def _create_policy(logical_id: str, properties: Properties, stack: str) -> Made:
    bus = properties.get("EventBusName") or "default"
    if bus != "default" and bus not in find(_BUSES):
        raise ValueError(f"{_POLICY} create failed: Event bus {bus} does not exist.")
    _put_statement(bus, properties)
    return str(find(_NAME)(stack, logical_id)), {}


def _update_policy(id: str, _old: Properties, new: Properties, _stack: str) -> Made:
    _put_statement(new.get("EventBusName") or "default", new)
    return id, {}


def _delete_policy(_id: str, properties: Properties) -> None:
    _put_statement(properties.get("EventBusName") or "default", properties, gone=True)


def _put_statement(bus: str, properties: Properties, *, gone: bool = False) -> None:
    arn = f"arn:aws:events:{find(_REGION)()}:{find(_ACCOUNT)()}:event-bus/{bus}"
    had = (find(_POLICIES).get(bus) or {}).get("Statement", [])
    statements = [each for each in had if each.get("Sid") != properties["StatementId"]]
    statements += [] if gone else [statement_of(properties, arn)]
    if statements:
        find(_POLICIES)[bus] = {"Version": "2012-10-17", "Statement": statements}
    else:
        find(_POLICIES).pop(bus, None)
