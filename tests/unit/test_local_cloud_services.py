"""What the extension adds for functions, secrets and topics, where no AWS page is the judge."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_cloud import environments, secret_values, topic_attributes
from local_cloud.async_delivery import described_error
from local_cloud.http_apis import as_stored

TRACE = """Loading
Traceback (most recent call last):
  File "_worker.py", line 132, in run
    result = handler_fn(event, context)
  File "index.py", line 5, in handler
    raise errors.Refused("two\\nlines")
botocore.errors.Refused: two
lines
"""
HANDLER_ERROR = {"errorMessage": "two\nlines", "errorType": "Runtime.HandlerError"}


def test_a_functions_error_has_its_own_type_and_trace() -> None:
    described = described_error(HANDLER_ERROR, TRACE, "id")

    assert isinstance(described, dict)
    assert described["errorType"] == "Refused"
    assert described["errorMessage"] == "two\nlines"
    assert described["requestId"] == "id"
    assert described["stackTrace"][0] == '  File "_worker.py", line 132, in run\n'
    assert len(described["stackTrace"]) == 4


@pytest.mark.parametrize(
    ("body", "log"),
    [
        ({"errorMessage": "Task timed out", "errorType": "Sandbox.Timedout"}, TRACE),
        (HANDLER_ERROR, ""),
        (HANDLER_ERROR, "Traceback (most recent call last):\n"),
        ("text", TRACE),
        (None, ""),
    ],
)
def test_an_error_without_a_trace_stays_as_it_is(body: Any, log: str) -> None:
    assert described_error(body, log, "id") == body


@pytest.mark.parametrize(
    ("existing", "starting", "count"),
    [
        (0, 0, 1),
        (0, 2, 1),  # the first one always starts
        (3, 1, 4),
        (3, 2, 3),
        (environments.MOST, 0, environments.MOST),
    ],
)
def test_as_many_environments_start_at_a_time_as_there_are_cores(
    existing: int, starting: int, count: int
) -> None:
    assert environments.allowed(existing, starting, cores=2) == count


def test_a_secret_is_generated_into_its_template() -> None:
    asked = []

    def password(options: dict[str, Any]) -> str:
        asked.append(options)
        return "generated"

    generate = {
        "SecretStringTemplate": '{"user": "Åsa"}',
        "GenerateStringKey": "key",
        "ExcludePunctuation": "true",
        "PasswordLength": "40",
    }

    made = secret_values.secret_string({"GenerateSecretString": generate}, password)

    assert json.loads(made) == {"user": "Åsa", "key": "generated"}
    [options] = asked
    assert (options["PasswordLength"], options["ExcludePunctuation"]) == (40, True)
    assert (options["RequireEachIncludedType"], options["IncludeSpace"]) == (True, False)
    assert secret_values.secret_string({"GenerateSecretString": {}}, password) == "generated"
    assert secret_values.secret_string({"SecretString": "given"}, password) == "given"


@pytest.mark.parametrize(
    "generate",
    [
        {"SecretStringTemplate": "{}"},
        {"GenerateStringKey": "key"},
        {"SecretStringTemplate": "[]", "GenerateStringKey": "key"},
        {"SecretStringTemplate": "{", "GenerateStringKey": "key"},
    ],
)
def test_a_template_with_no_place_for_the_password_is_refused(generate: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="SecretStringTemplate"):
        secret_values.secret_string({"GenerateSecretString": generate}, lambda _: "x")


def test_a_secret_is_known_by_its_arn_and_by_its_name() -> None:
    arn = "arn:aws:secretsmanager:us-east-1:1:secret:Stack-Name-1a2b3c"

    assert secret_values.name_of(arn) == secret_values.name_of("Stack-Name") == "Stack-Name"


def test_a_topics_attributes_follow_its_template() -> None:
    attributes = {"DisplayName": "x", "TracingConfig": "Active"}

    topic_attributes.reconcile(attributes, {"KmsMasterKeyId": "alias/aws/sns"})

    assert attributes == {"DisplayName": "x", "KmsMasterKeyId": "alias/aws/sns"}


def test_settings_of_a_template_have_the_names_of_the_api() -> None:
    assert as_stored({"ThrottlingRateLimit": 7}) == {"throttlingRateLimit": 7}
    assert as_stored({}) == {}
