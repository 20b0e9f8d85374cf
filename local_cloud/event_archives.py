"""Archives of buses and replays of them, and how templates make an archive.

MiniStack archives and replays; here an archive forgets after its days and never takes a replayed
event, a replay keeps to the rules it is for, and AWS::Events::Archive is a type. What AWS may take
ten minutes for, an event is in the archive at once. Rules and pages: event_delivery.py, and

- AWS::Events::Archive
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-archive.html
- "Archiving and replaying events in Amazon EventBridge"
  https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-archive.html
read 2026-11-21.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from local_cloud.event_delivery import entry_size, replay_refusal, replays_to, retained
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable

    Answer = tuple[int, dict[str, str], bytes]
    Properties = dict[str, Any]
    Made = tuple[str, dict[str, str]]

_EVENTS = "ministack.services.eventbridge"
_FORMATION = "ministack.services.cloudformation.provisioners"
_ARCHIVES = Hook(_EVENTS, "_archives")
_REPLAYS = Hook(_EVENTS, "_replays")
_BUSES = Hook(_EVENTS, "_event_buses")
_BUS_NAME = Hook(_EVENTS, "_event_bus_name_from_ref", ("name",))
_ARCHIVE = Hook(_EVENTS, "_archive_event", ("event", "view"))
_CREATE = Hook(_EVENTS, "_create_archive", ("data",))
_UPDATE = Hook(_EVENTS, "_update_archive", ("data",))
_DESCRIBE = Hook(_EVENTS, "_describe_archive", ("data",))
_LIST = Hook(_EVENTS, "_list_archives", ("data",))
_START = Hook(_EVENTS, "_start_replay", ("data",))
_AS_TIME = Hook(_EVENTS, "_coerce_timestamp", ("value",))
_ERROR = Hook(
    "ministack.core.responses",
    "error_response_json",
    ("code", "message", "status", "extra", "message_key", "content_type"),
)
_HANDLERS = Hook(_FORMATION, "_RESOURCE_HANDLERS")
_REPLACING = Hook(_FORMATION, "_REPLACING_PROPERTIES")
_NAME = Hook(
    _FORMATION, "_physical_name", ("stack_name", "logical_id", "lowercase", "max_len", "seeded")
)
HOOKS = (
    _ARCHIVES,
    _REPLAYS,
    _BUSES,
    _BUS_NAME,
    _ARCHIVE,
    _CREATE,
    _UPDATE,
    _DESCRIBE,
    _LIST,
    _START,
    _AS_TIME,
    _ERROR,
    _HANDLERS,
    _REPLACING,
    _NAME,
)

_TYPE = "AWS::Events::Archive"
_LONGEST_NAME = 48
_BAD = 400


def install() -> None:
    """Put this in front of MiniStack's archives and replays, and register the type."""
    _ARCHIVE.replace(_only_new)
    _CREATE.replace(_of_a_bus)
    _START.replace(_of_a_window)
    _DESCRIBE.replace(_counted)
    _LIST.replace(_counted)
    find(_HANDLERS)[_TYPE] = {"create": _create, "update": _update, "delete": _delete}
    find(_REPLACING)[_TYPE] = ("ArchiveName", "SourceArn")


def _forget() -> None:
    """Drop what the archives have kept for long enough, and count the rest."""
    for archive in find(_ARCHIVES).values():
        kept = retained(archive.get("Events", []), archive.get("RetentionDays") or 0, time.time())
        archive["Events"] = kept
        archive["EventCount"] = len(kept)
        archive["SizeBytes"] = sum(map(entry_size, kept))


def _only_new(archive: Callable[..., None]) -> Callable[..., None]:
    def archived(event: dict[str, Any], view: object = None) -> None:
        if event.get("ReplayName") is None:
            event["ArchivedAt"] = time.time()
            archive(event, view)

    return archived


def is_for(event: dict[str, Any], rule_arn: str) -> bool:
    """Say whether a rule gets an event, which it does unless a replay is for others."""
    replay = find(_REPLAYS).get(event.get("ReplayName") or "")
    if replay is None:
        return True
    # What a rule passed on to another bus is for the rules there.
    if not event.get("_DispatchPath") and not replays_to(replay["Destination"], rule_arn):
        return False
    replay["EventLastReplayedTime"] = event["Time"]
    return True


def _of_a_bus(create: Callable[[dict[str, Any]], Answer]) -> Callable[[dict[str, Any]], Answer]:
    def created(data: dict[str, Any]) -> Answer:
        bus, _ = find(_BUS_NAME)(data.get("EventSourceArn") or "")
        if bus == "default" or bus in find(_BUSES):
            return create(data)
        refused: Answer = find(_ERROR)(
            "ResourceNotFoundException", f"Event bus {bus} does not exist.", _BAD
        )
        return refused

    return created


def _of_a_window(start: Callable[[dict[str, Any]], Answer]) -> Callable[[dict[str, Any]], Answer]:
    def started(data: dict[str, Any]) -> Answer:
        bounds = [find(_AS_TIME)(data.get(name)) for name in ("EventStartTime", "EventEndTime")]
        if refusal := replay_refusal(*bounds):
            refused: Answer = find(_ERROR)("ValidationException", refusal, _BAD)
            return refused
        _forget()
        return start(data)

    return started


def _counted(describe: Callable[[dict[str, Any]], Answer]) -> Callable[[dict[str, Any]], Answer]:
    """Describe archives as they are by now, without the events in them."""

    def described(data: dict[str, Any]) -> Answer:
        _forget()
        status, headers, body = describe(data)
        shown = json.loads(body)
        shown.pop("Events", None)
        return status, headers, json.dumps(shown, ensure_ascii=False).encode()

    return described


# CloudFormation


def _settings(properties: Properties) -> dict[str, Any]:
    """Return what an update may change, in the shape of the API."""
    pattern = properties.get("EventPattern") or ""
    return {
        "Description": properties.get("Description") or "",
        "EventPattern": json.dumps(pattern) if isinstance(pattern, dict) else pattern,
        "RetentionDays": int(properties.get("RetentionDays") or 0),
        "KmsKeyIdentifier": properties.get("KmsKeyIdentifier") or "",
    }


def _done(answer: Answer, name: str, action: str) -> Made:
    status, _, body = answer
    said = json.loads(body)
    if status >= _BAD:
        raise ValueError(f"{_TYPE} {action} failed: {said.get('__type')}: {said.get('message')}")
    return name, {"Arn": said["ArchiveArn"], "ArchiveName": name}


def _create(logical_id: str, properties: Properties, stack: str) -> Made:
    name = properties.get("ArchiveName") or find(_NAME)(stack, logical_id, max_len=_LONGEST_NAME)
    data = {"ArchiveName": name, "EventSourceArn": properties["SourceArn"]}
    return _done(find(_CREATE)(data | _settings(properties)), name, "create")


def _update(name: str, _old: Properties, new: Properties, _stack: str) -> Made:
    return _done(find(_UPDATE)({"ArchiveName": name} | _settings(new)), name, "update")


def _delete(name: str, _properties: Properties) -> None:
    find(_ARCHIVES).pop(name, None)
