"""What the word counter's API takes and answers."""

from __future__ import annotations

from http import HTTPStatus

from odyssey_cli.openapi.parts import (
    BAD_JSON,
    BAD_KEY,
    BAD_LIMIT,
    COUNT,
    FORM,
    JSON,
    JSON_SCHEMAS,
    KEY_REUSED,
    LIMIT,
    TEXT,
    UUID,
    Answer,
    Api,
    Operation,
    Problems,
    Schema,
    idempotency_key,
    in_path,
    record,
    too_large,
)
from pubsub.authenticity import SIGNATURE, TIMESTAMP, WINDOW_SECONDS
from pubsub.deliveries import MAX_BODY_BYTES
from pubsub.words import MAX_CHARACTERS, MAX_DISTINCT, MAX_WORD_BYTES
from shared.identity import KEY

_TEXT: Schema = {"type": "string", "maxLength": MAX_CHARACTERS}
_KEY: Schema = {"type": "string", "pattern": f"^{KEY}$"}
_POINTS = COUNT | {"minimum": 1}
_WORD = record({"word": {"type": "string"}, "count": _POINTS, "occurrences": _POINTS})
# Of a form, every field is a text.
_FIELD: Schema = {"type": "string"}
_COMMAND: Schema = {
    "title": "Slash command",
    "type": "object",
    "properties": {
        "command": _FIELD,
        "trigger_id": _KEY | {"description": "The same for the same delivery."},
        "text": _TEXT,
    },
    "required": ["trigger_id"],
    "additionalProperties": _FIELD,
}
_CERTIFICATE: Schema = {
    "title": "Check of the certificate",
    "type": "object",
    "properties": {"ssl_check": {"const": "1"}},
    "required": ["ssl_check"],
    "additionalProperties": _FIELD,
}
_WEBHOOK: Schema = {
    "title": "Legacy outgoing webhook: unsigned, with a token; the rest tells deliveries apart",
    "type": "object",
    "properties": {
        **dict.fromkeys(("team_id", "channel_id", "timestamp", "user_id"), _KEY),
        "token": _FIELD,
        "text": _TEXT,
        "trigger_word": _FIELD | {"description": "Not counted at the text's beginning."},
        "bot_id": _FIELD | {"description": "Nothing that a bot says is counted."},
    },
    "required": ["token", "team_id", "channel_id", "timestamp", "user_id"],
    "additionalProperties": _FIELD,
}
_MENTION: Schema = {
    "title": "Mention",
    "type": "object",
    "properties": {
        "type": {"const": "event_callback"},
        "event_id": _KEY | {"description": "The same for the same delivery."},
        "event": {
            "type": "object",
            "properties": {"type": {"const": "app_mention"}, "text": _TEXT},
            "required": ["type", "text"],
            "additionalProperties": {"$ref": "#/components/schemas/Json"},
        },
    },
    "required": ["type", "event_id", "event"],
    "additionalProperties": {"$ref": "#/components/schemas/Json"},
}
_VERIFICATION: Schema = {
    "title": "Verification of the address",
    "type": "object",
    "properties": {"type": {"const": "url_verification"}, "challenge": {"type": "string"}},
    "required": ["type", "challenge"],
    "additionalProperties": {"$ref": "#/components/schemas/Json"},
}
_SAID = record(
    {
        "message_id": UUID,
        "repeated": {"type": "boolean"},
        "distinct_words": _POINTS,
        "words": {"type": "array", "items": _WORD, "description": "The first hundred."},
        "text": {"type": "string", "description": "The same as a sentence."},
    }
)
_TO_SLACK: Schema = {
    "anyOf": [
        record({"ok": {"const": True}}),
        record({"text": {"type": "string"}}, response_type={"const": "in_channel"}),
    ]
}
_GIVEN_KEY = {"Idempotency-Key": _KEY}
_TOKEN = [{"Token": list[str]()}]

_UNAUTHORIZED = {"unauthorized": "The request is not authentic."}
_UNAVAILABLE = {"unavailable": "This cannot be served now; try again."}
_UNKNOWN_PATH = {"unknown-path": "There is nothing here."}
_TOO_MUCH = {
    "message-too-long": f"The message has more than {MAX_CHARACTERS} characters.",
    "too-many-words": f"The message has more than {MAX_DISTINCT} different words.",
    "word-too-long": f"A word has more than {MAX_WORD_BYTES} bytes.",
}
_ALWAYS: Problems = {
    HTTPStatus.UNAUTHORIZED: _UNAUTHORIZED,
    HTTPStatus.NOT_FOUND: _UNKNOWN_PATH,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: too_large(MAX_BODY_BYTES),
    HTTPStatus.UNPROCESSABLE_ENTITY: KEY_REUSED,
    HTTPStatus.SERVICE_UNAVAILABLE: _UNAVAILABLE
    | {"not-published": "The message is counted, but its subscribers have not got it; try again."},
}

API = Api(
    title="Word counter",
    about="Counts the words that are said in Slack or with curl.",
    schemas={**JSON_SCHEMAS, "Word": _WORD},
    security_schemes={
        "SlackSignature": {
            "type": "apiKey",
            "in": "header",
            "name": SIGNATURE,
            "description": "`v0=` and the HMAC-SHA256 of `v0:timestamp:body` with the signing "
            "secret.",
        },
        "SlackTimestamp": {
            "type": "apiKey",
            "in": "header",
            "name": TIMESTAMP,
            "description": f"Seconds since 1970, at most {WINDOW_SECONDS} from now.",
        },
        "Token": {"type": "http", "scheme": "bearer"},
    },
    operations={
        "POST /slack": Operation(
            handler="pubsub.counter",
            function="from_slack",
            summary="Take what Slack sends",
            # A legacy webhook shows its token in the form instead.
            security=[{"SlackSignature": [], "SlackTimestamp": []}, {}],
            bodies={
                FORM: {"anyOf": [_COMMAND, _CERTIFICATE, _WEBHOOK]},
                JSON: {
                    "anyOf": [_MENTION, _VERIFICATION, {"$ref": "#/components/schemas/JsonObject"}],
                    "description": "Any other event is taken, and nothing of it is counted.",
                },
            },
            examples={
                FORM: {"command": "/count", "text": "R&amp;D", "trigger_id": "13345224609.738"},
                JSON: {
                    "type": "event_callback",
                    "event_id": "Ev1",
                    "event": {"type": "app_mention", "text": "<@U1> hello"},
                },
            },
            max_bytes=MAX_BODY_BYTES,
            answers={
                HTTPStatus.OK: Answer(
                    "The counts, as a sentence; or nothing, if nobody said anything.",
                    {JSON: _TO_SLACK, TEXT: {"type": "string"}},
                )
            },
            problems=_ALWAYS
            | {
                HTTPStatus.BAD_REQUEST: BAD_JSON
                | _TOO_MUCH
                | {
                    "content-type": f"The content type is neither {FORM} nor {JSON}.",
                    "invalid-form": "The body is no form in UTF-8, or has a field twice.",
                    "missing-field": "A field that this needs is missing or unusable.",
                },
            },
        ),
        "POST /words": Operation(
            handler="pubsub.counter",
            function="from_curl",
            summary="Count the words of a text",
            security=_TOKEN,
            parameters=[idempotency_key("Names the text: the same key is counted once.")],
            bodies={JSON: record({"text": _TEXT})},
            examples={JSON: {"text": "Hello, R&D!"}},
            max_bytes=MAX_BODY_BYTES,
            answers={
                HTTPStatus.OK: Answer(
                    "The counts, before the subscribers add theirs.", {JSON: _SAID}, _GIVEN_KEY
                )
            },
            problems=_ALWAYS
            | {
                HTTPStatus.BAD_REQUEST: BAD_JSON
                | BAD_KEY
                | _TOO_MUCH
                | {
                    "no-text": "There is no `text`.",
                    "no-words": "There is no word in the text.",
                    "unknown-field": "There is a field beside `text`.",
                },
            },
        ),
        "GET /words": Operation(
            handler="pubsub.reader",
            function="get_words",
            summary="List words, the highest count first",
            security=_TOKEN,
            parameters=[LIMIT],
            answers={
                HTTPStatus.OK: Answer(
                    "The words.",
                    {
                        JSON: record(
                            {
                                "words": {
                                    "type": "array",
                                    "items": {"$ref": "#/components/schemas/Word"},
                                }
                            }
                        )
                    },
                )
            },
            problems={
                HTTPStatus.BAD_REQUEST: BAD_LIMIT,
                HTTPStatus.UNAUTHORIZED: _UNAUTHORIZED,
                HTTPStatus.NOT_FOUND: _UNKNOWN_PATH,
                HTTPStatus.SERVICE_UNAVAILABLE: _UNAVAILABLE,
            },
        ),
        "GET /words/{word}": Operation(
            handler="pubsub.reader",
            function="get_word",
            summary="Read a word's counts, as of now",
            security=_TOKEN,
            parameters=[
                in_path(
                    "word",
                    {"type": "string", "minLength": 1},
                    example="hello",
                    what="The word, or `~` and its base64url.",
                )
            ],
            answers={
                HTTPStatus.OK: Answer(
                    "The word's counts.", {JSON: {"$ref": "#/components/schemas/Word"}}
                )
            },
            problems={
                HTTPStatus.BAD_REQUEST: _TOO_MUCH | {"not-a-word": "This is not one word."},
                HTTPStatus.UNAUTHORIZED: _UNAUTHORIZED,
                HTTPStatus.NOT_FOUND: _UNKNOWN_PATH
                | {"unknown-word": "Nobody has said this word yet."},
                HTTPStatus.SERVICE_UNAVAILABLE: _UNAVAILABLE,
            },
        ),
    },
)
