"""The updater under Lambda's documented rules, with the settings of its own queue and mapping.

What is taken away from the template (the partial batch response, the dead-letter queue, the time
to work) fails a test here by name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from discovery import updater
from local_cloud.redelivery import Delivered, deliver_messages
from odyssey_cli.flows.discovery import STACK
from proofs.fakes.dynamodb import Call, refusal
from proofs.fakes.faults import Crash
from tests.builders import FakeContext
from tests.discovery import item_id, record, uploaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_cloud.queue_delivery import QueueSettings
    from proofs.deployed import Deployed
    from tests.reliability.discovery import Discovery, Record

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
MESSAGES = 95
POISON = {17: "{", 40: json.dumps({"id": "x"}), 41: uploaded(9_999), 94: '"text"'}


@pytest.fixture
def by_rules(deployed: Deployed) -> QueueSettings:
    """What the queue of uploaded items and its one mapping say."""
    return deployed.queue("discovery.updater")


@pytest.fixture(autouse=True)
def stored(discovery: Discovery) -> None:
    discovery.store(range(MESSAGES))


def messages(bodies: dict[int, str] | None = None) -> list[Record]:
    return [record(f"m{n}", (bodies or {}).get(n, uploaded(n))) for n in range(MESSAGES)]


def redeliver(records: list[Record], settings: QueueSettings) -> Delivered:
    """Deliver by the rules until every message is processed or in the dead-letter queue."""

    def invoke(event: dict[str, Any]) -> object:
        # A real answer crosses the wire as JSON.
        return json.loads(json.dumps(updater.handler(event, FakeContext())))

    return deliver_messages(records, settings, invoke, errors=(Exception, Crash), limit=500)


def touching(number: int, act: Callable[[Call], None]) -> Callable[[Call], None]:
    def hook(call: Call) -> None:
        if call.operation == "UpdateItem" and item_id(number) in str(call.arguments):
            act(call)

    return hook


def updated_items(discovery: Discovery) -> set[str]:
    assert {each["version"]["N"] for each in discovery.items.values()} <= {"1", "2"}
    return {key for key, each in discovery.items.items() if each["version"]["N"] == "2"}


def ids_but(*left_out: int) -> set[str]:
    return {item_id(number) for number in range(MESSAGES) if number not in left_out}


def test_the_function_has_a_sixth_of_the_time_that_its_messages_are_hidden(
    deployed: Deployed, by_rules: QueueSettings
) -> None:
    # "Using Lambda with Amazon SQS"
    assert by_rules.visibility >= 6 * deployed.timeout("discovery.updater")
    assert by_rules.batch_size == 10
    assert by_rules.max_receives is not None
    assert by_rules.max_receives >= 5


def test_messages_that_can_never_be_processed_are_put_aside_once_and_block_nothing(
    discovery: Discovery, by_rules: QueueSettings
) -> None:
    # WHEN
    delivered = redeliver(messages(POISON), by_rules)
    # THEN every message was sent once
    assert sum(map(len, delivered.sent)) == MESSAGES
    assert delivered.dead == []
    assert discovery.rejected == {f"m{number}": 1 for number in POISON}
    assert updated_items(discovery) == discovery.announced.keys() == ids_but(*POISON)


def test_what_is_reported_as_failed_comes_again_and_the_rest_does_not(
    discovery: Discovery, by_rules: QueueSettings
) -> None:
    # GIVEN an item whose update is refused twice
    refused: list[Call] = []

    def refuse(call: Call) -> None:
        if len(refused) < 2:
            refused.append(call)
            raise refusal("ThrottlingException", call.operation)

    discovery.dynamodb.before = touching(33, refuse)
    # WHEN
    delivered = redeliver(messages(), by_rules)
    # THEN its message alone was sent three times
    assert sum(map(len, delivered.sent)) == MESSAGES + 2
    assert delivered.dead == []
    assert updated_items(discovery) == discovery.announced.keys() == ids_but()
    assert set(discovery.announced.values()) == {1}


def test_an_outage_ends_in_the_dead_letter_queue_after_the_receives_of_the_template(
    discovery: Discovery, by_rules: QueueSettings
) -> None:
    # GIVEN a DynamoDB that refuses everything
    def refuse(call: Call) -> None:
        raise refusal("AccessDeniedException", call.operation)

    discovery.dynamodb.before = refuse
    # WHEN
    delivered = redeliver(messages(), by_rules)
    # THEN each message is there once, as it came
    assert delivered.dead == messages()
    assert sum(map(len, delivered.sent)) == MESSAGES * (by_rules.max_receives or 0)
    assert updated_items(discovery) == set()


def test_messages_that_outlived_an_outage_are_updated_when_they_are_brought_back(
    discovery: Discovery, by_rules: QueueSettings
) -> None:
    # GIVEN an SQS that takes no announcement
    def refuse(call: Call) -> None:
        if call.operation == "SendMessageBatch":
            raise refusal("AccessDenied", call.operation)

    discovery.dynamodb.before = refuse
    dead = redeliver(messages(), by_rules).dead
    assert len(dead) == MESSAGES
    # WHEN the cause is mended, and the dead letters are sent again
    discovery.dynamodb.before = lambda _call: None
    assert redeliver([dict(each) for each in dead], by_rules).dead == []
    # THEN
    assert updated_items(discovery) == discovery.announced.keys() == ids_but()


def test_a_message_that_kills_the_function_takes_no_more_than_its_batch_along(
    discovery: Discovery, by_rules: QueueSettings
) -> None:
    # GIVEN a message at which the function dies, so that it cannot report it
    def die(_call: Call) -> None:
        raise Crash("out of memory")

    discovery.dynamodb.before = touching(33, die)
    # WHEN
    dead = redeliver(messages(), by_rules).dead
    # THEN what comes with it is given up with it, and lost it is not
    names = {each["messageId"] for each in dead}
    assert "m33" in names
    assert len(names) == len(dead) <= by_rules.batch_size
    assert discovery.announced.keys() >= {
        item_id(n) for n in range(MESSAGES) if f"m{n}" not in names
    }
    # AND the others are done when they are brought back without it
    again = [{**each} for each in dead if each["messageId"] != "m33"]
    assert redeliver(again, by_rules).dead == []
    assert updated_items(discovery) == discovery.announced.keys() == ids_but(33)


def test_the_stack_tells_the_script_and_the_service_what_they_ask_for(deployed: Deployed) -> None:
    assert deployed.templates[STACK]["Outputs"].keys() >= {
        "ItemsTable",
        "FilesBucket",
        "UploadedQueueUrl",
        "UpdatedQueueUrl",
        "ScriptRoleArn",
        "ServiceRoleArn",
    }
