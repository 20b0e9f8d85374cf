"""What the consumer's API takes and answers."""

from __future__ import annotations

from http import HTTPStatus

from consumer.kinds import TYPES
from consumer.triggering import MAX_BODY_BYTES
from odyssey_cli.openapi.parts import (
    BAD_JSON,
    BAD_KEY,
    COUNT,
    JSON,
    JSON_SCHEMAS,
    KEY_REUSED,
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
from shared.entity_events import MAX_AHEAD, MAX_BYTES, MAX_VALUES, SUBJECT

_TYPE: Schema = {"type": "string", "enum": list(TYPES)}
_SUBJECT: Schema = {"type": "string", "pattern": f"^{SUBJECT}$"}
_TEXT: Schema = {"type": "string"}
_OBJECT: Schema = {"$ref": "#/components/schemas/JsonObject"}
_NULLABLE_TIME: Schema = {
    "type": ["string", "null"],
    "format": "date-time",
    "description": f"When it happened, RFC 3339, at most {MAX_AHEAD} ahead; now if there is none.",
}
_UNKNOWN = {HTTPStatus.NOT_FOUND: {"unknown-entity": "No event has told of this entity yet."}}

API = Api(
    title="Consumer",
    about="Tells totals per type of event and the latest state of every entity, and takes events.",
    schemas=JSON_SCHEMAS,
    operations={
        "GET /": Operation(
            handler="consumer.reader",
            function="about",
            summary="Say what this is",
            answers={
                HTTPStatus.OK: Answer(
                    "What it is.",
                    {
                        JSON: record(
                            {
                                "service": _TEXT,
                                "what": _TEXT,
                                "types": {"type": "array", "items": _TYPE},
                                "routes": {"type": "array", "items": _TEXT},
                            }
                        )
                    },
                )
            },
            problems=_UNKNOWN,
        ),
        "GET /totals": Operation(
            handler="consumer.reader",
            function="totals",
            summary="Count the events of each type",
            answers={
                HTTPStatus.OK: Answer(
                    "How many events of each type were counted, as of now.",
                    {JSON: record({"totals": record(dict.fromkeys(TYPES, COUNT))})},
                )
            },
            problems=_UNKNOWN,
        ),
        "GET /entities/{type}/{id}": Operation(
            handler="consumer.reader",
            function="entity",
            summary="Read an entity's latest state, as of now",
            parameters=[
                in_path("type", _TYPE, example="order"),
                in_path("id", _SUBJECT, example="o-1"),
            ],
            answers={
                HTTPStatus.OK: Answer(
                    "The state, and the event that it is of.",
                    {
                        JSON: record(
                            {
                                "type": _TYPE,
                                "id": _SUBJECT,
                                "time": TIME,
                                "event_id": _TEXT,
                                "source": _TEXT,
                                "state": _OBJECT,
                            }
                        )
                    },
                )
            },
            problems=_UNKNOWN,
        ),
        "POST /events": Operation(
            handler="consumer.trigger",
            function="trigger",
            summary="Hand the service an event without the bus",
            parameters=[idempotency_key("Names the event: the same key is the same event.")],
            bodies={
                JSON: record(
                    {"type": _TYPE, "subject": _SUBJECT, "data": _OBJECT}, time=_NULLABLE_TIME
                )
            },
            examples={
                JSON: {
                    "type": "order",
                    "subject": "o-1",
                    "time": "2026-11-21T12:00:00Z",
                    "data": {"state": "placed"},
                }
            },
            max_bytes=MAX_BODY_BYTES,
            answers={
                HTTPStatus.ACCEPTED: Answer(
                    "The event is queued.", {JSON: record({"event_id": UUID})}
                )
            },
            problems={
                HTTPStatus.BAD_REQUEST: BAD_JSON
                | BAD_KEY
                | {
                    "unknown-field": "The body has a field that an event has not.",
                    "unknown-type": f"The type is not one of {', '.join(TYPES)}.",
                    "not-an-event": "Another field is wrong, or the data has more than "
                    f"{MAX_VALUES} values.",
                },
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE: too_large(MAX_BODY_BYTES)
                | {"event-too-large": f"The event has more than {MAX_BYTES} bytes."},
                HTTPStatus.UNPROCESSABLE_ENTITY: KEY_REUSED,
                HTTPStatus.SERVICE_UNAVAILABLE: {
                    "not-queued": "The queue did not take the event; send it again with the same "
                    "Idempotency-Key."
                },
            },
        ),
    },
)
