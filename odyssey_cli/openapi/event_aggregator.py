"""What the event aggregator's API takes and answers."""

from __future__ import annotations

from http import HTTPStatus

from event_aggregator.events import MAX_BODY_BYTES, MAX_LABEL_BYTES
from event_aggregator.summaries import ID
from odyssey_cli.openapi.parts import (
    BAD_JSON,
    BAD_KEY,
    BAD_LIMIT,
    COUNT,
    JSON,
    JSON_SCHEMAS,
    KEY_REUSED,
    LIMIT,
    TIME,
    UUID,
    Answer,
    Api,
    Operation,
    Schema,
    idempotency_key,
    in_path,
    record,
    too_large,
)

_GROUP: Schema = {"type": "string", "pattern": f"^{ID}$"}
_CURSOR: Schema = {"type": "string", "description": "Where the next page begins."}
_SUMMARY = record(
    {
        "id": _GROUP | {"description": "The group's."},
        "group": {
            "type": "string",
            "description": "The canonical JSON by which its events are equal, cut to "
            f"{MAX_LABEL_BYTES} bytes.",
        },
        "item_count": COUNT | {"minimum": 1},
        "first_seen": TIME,
        "last_seen": TIME,
    }
)
_UNKNOWN = {HTTPStatus.NOT_FOUND: {"unknown-summary": "There is no summary with this id."}}

API = Api(
    title="Event aggregator",
    about="Takes events, and tells which groups of equal events are the largest.",
    schemas={**JSON_SCHEMAS, "Summary": _SUMMARY},
    operations={
        "POST /trigger-event": Operation(
            handler="event_aggregator.producer",
            function="trigger_event",
            summary="Take an event",
            parameters=[
                idempotency_key("Names the event: the same key is the same event, counted once.")
            ],
            bodies={JSON: {"$ref": "#/components/schemas/JsonObject"}},
            examples={JSON: {"city": "Åsa", "wind": 7}},
            max_bytes=MAX_BODY_BYTES,
            answers={
                HTTPStatus.ACCEPTED: Answer(
                    "The event is stored.",
                    {JSON: record({"event_id": UUID, "received_at": TIME})},
                )
            },
            problems={
                HTTPStatus.BAD_REQUEST: BAD_JSON
                | BAD_KEY
                | {"missing-field": "The body lacks a field of `aggregator_group_by`."},
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE: too_large(MAX_BODY_BYTES),
                HTTPStatus.UNPROCESSABLE_ENTITY: KEY_REUSED,
            },
        ),
        "GET /get-summary": Operation(
            handler="event_aggregator.reader",
            function="get_summaries",
            summary="List summaries, the highest count first",
            parameters=[LIMIT, {"name": "cursor", "in": "query", "schema": _CURSOR}],
            answers={
                HTTPStatus.OK: Answer(
                    "A page of summaries, and where the next one begins if there is one.",
                    {
                        JSON: record(
                            {
                                "summaries": {
                                    "type": "array",
                                    "items": {"$ref": "#/components/schemas/Summary"},
                                }
                            },
                            cursor=_CURSOR,
                        )
                    },
                )
            },
            problems={
                HTTPStatus.BAD_REQUEST: BAD_LIMIT | {"cursor": "No page gave this cursor."},
                **_UNKNOWN,
            },
        ),
        "GET /get-summary/{id}": Operation(
            handler="event_aggregator.reader",
            function="get_summary",
            summary="Read one summary, as of now",
            parameters=[in_path("id", _GROUP, example="0" * 64)],
            answers={
                HTTPStatus.OK: Answer(
                    "The summary.", {JSON: {"$ref": "#/components/schemas/Summary"}}
                )
            },
            problems=_UNKNOWN,
        ),
    },
)
