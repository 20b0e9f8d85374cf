"""The word counter on a local cloud, with IAM enforced: every permission, races, subscribers.

What the flow does from end to end is what the demo verifies (test_demo.py).
"""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from aws_cdk import App
from botocore.exceptions import ClientError

from app import context_defaults
from odyssey_cli import cdk
from odyssey_cli.breaking import denied
from odyssey_cli.flows.pubsub import STACK
from odyssey_cli.flows.pubsub.speaker import Speaker
from odyssey_constructs.config import Config
from pubsub.messages import Message
from pubsub.ways import CURL, EVENT, SLASH, WAYS
from pubsub.words import read_words
from shared import queues, times
from tests import third_subscriber
from tests.local.sources import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from odyssey_cli.target import Target

DENIED = "AccessDenied"


@pytest.fixture(scope="module")
def speaker(deployed: Target) -> Speaker:
    return Speaker(deployed)


@pytest.fixture
def word() -> str:
    """A word that nobody has said before."""
    return f"w{uuid.uuid4().hex[:10]}"


def physical_id(target: Target, stack: str, type: str, prefix: str) -> str:
    """Return the name of the one resource of a type whose logical id begins so."""
    resources = target.client("cloudformation").describe_stack_resources(StackName=stack)
    [found] = [
        each["PhysicalResourceId"]
        for each in resources["StackResources"]
        if each["LogicalResourceId"].startswith(prefix) and each["ResourceType"] == type
    ]
    return str(found)


def function_name(target: Target, id: str) -> str:
    return physical_id(target, STACK, "AWS::Lambda::Function", f"{id}Function")


def restart(target: Target, id: str) -> None:
    """Let the function's next call find no cached secret."""
    functions, name = target.client("lambda"), function_name(target, id)
    environment = functions.get_function_configuration(FunctionName=name)["Environment"]
    environment["Variables"]["RESTARTED"] = uuid.uuid4().hex
    functions.update_function_configuration(FunctionName=name, Environment=environment)


def deliver(target: Target, id: str, body: str) -> str:
    """Call a subscriber as Lambda does for SNS; return the error it ended in."""
    record = {"EventSource": "aws:sns", "Sns": {"MessageId": "1", "Message": body}}
    answer = target.client("lambda").invoke(
        FunctionName=function_name(target, id), Payload=json.dumps({"Records": [record]})
    )
    said = json.loads(answer["Payload"].read() or "null")
    return str(said) if "FunctionError" in answer else ""


def message(text: str) -> str:
    """Return the event that a text was counted."""
    made = Message(str(uuid.uuid4()), CURL, read_words(text), times.now(), "test")
    return queues.json_text(made.envelope().as_dict())


@pytest.mark.parametrize(
    "action",
    [
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "sns:Publish",
        "secretsmanager:GetSecretValue",
    ],
)
def test_the_counter_needs_every_permission_it_has(
    deployed: Target, speaker: Speaker, word: str, action: str
) -> None:
    # WHEN one permission is missing, THEN the caller is told, and can try again
    delivery = uuid.uuid4().hex
    with denied(deployed, STACK, "Counter", action):
        if action.startswith("secretsmanager"):
            restart(deployed, "Counter")
        answers = [speaker.say(word, way=way, delivery=delivery) for way in (CURL, SLASH)]
        assert [each.status for each in answers] == [503, 503]
        assert all("problem+json" in each.content_type for each in answers)
    # AND with it, the same deliveries are completed, each once
    if action.startswith("secretsmanager"):
        restart(deployed, "Counter")  # or else it asks again after five seconds
    for way in (CURL, SLASH):
        assert speaker.say(word, way=way, delivery=delivery).status == 200
    assert eventually(lambda: speaker.word(word), {"word": word, "count": 22, "occurrences": 2})


def test_a_counter_that_may_not_read_cannot_tell_counts_or_what_became_of_a_delivery(
    deployed: Target, speaker: Speaker, word: str
) -> None:
    delivery = uuid.uuid4().hex
    with denied(deployed, STACK, "Counter", "dynamodb:BatchGetItem"):
        # A new message is counted, and published, all the same.
        first = speaker.say(word, way=CURL, delivery=delivery)
        assert (first.status, first.body["words"]) == (200, [])
        assert speaker.say(word, way=CURL, delivery=delivery).status == 503
    assert speaker.say(word, way=CURL, delivery=delivery).body["repeated"]
    once = {"word": word, "count": 11, "occurrences": 1}
    assert eventually(lambda: speaker.word(word), once) == once


@pytest.mark.parametrize("action", ["dynamodb:PutItem", "dynamodb:UpdateItem", "sqs:SendMessage"])
def test_the_multiplier_needs_every_permission_it_has(
    deployed: Target, speaker: Speaker, word: str, action: str
) -> None:
    # GIVEN a word that was said, and what makes the multiplier use the permission
    speaker.say(word, way=CURL)
    settled = {"word": word, "count": 11, "occurrences": 1}
    assert eventually(lambda: speaker.word(word), settled) == settled
    body = "no event" if action.startswith("sqs") else message(word)
    # WHEN, THEN
    with denied(deployed, STACK, "Multiplier", action):
        error = deliver(deployed, "Multiplier", body)
    assert DENIED in error
    assert speaker.word(word) == settled
    # and with it
    assert deliver(deployed, "Multiplier", body) == ""
    points = 11 if action.startswith("sqs") else 21
    assert speaker.word(word) == {"word": word, "count": points, "occurrences": 1}


def test_the_logger_needs_the_permission_to_reject(deployed: Target, speaker: Speaker) -> None:
    with denied(deployed, STACK, "Logger", "sqs:SendMessage"):
        assert DENIED in deliver(deployed, "Logger", "no event")
    assert deliver(deployed, "Logger", "no event") == ""


@pytest.mark.parametrize(
    ("action", "path"),
    [
        ("dynamodb:GetItem", "words/{word}"),
        ("dynamodb:Query", "words"),
        ("secretsmanager:GetSecretValue", "words"),
    ],
)
def test_the_reader_needs_every_permission_it_has(
    deployed: Target, speaker: Speaker, word: str, action: str, path: str
) -> None:
    speaker.say(word, way=CURL)
    path = path.format(word=word)
    with denied(deployed, STACK, "Reader", action):
        if action.startswith("secretsmanager"):
            restart(deployed, "Reader")
        assert speaker.get(path).status == 503
    if action.startswith("secretsmanager"):
        restart(deployed, "Reader")
    assert speaker.get(path).status == 200


def test_the_speaker_may_read_the_secrets_and_nothing_else(
    deployed: Target, speaker: Speaker
) -> None:
    with (
        denied(deployed, STACK, "Speaker", "secretsmanager:GetSecretValue"),
        pytest.raises(ClientError, match=DENIED),
    ):
        speaker.stored_secrets()
    role = deployed.in_role(speaker.outputs["SpeakerRoleArn"])
    calls = [
        lambda: role.client("sns").publish(TopicArn=speaker.outputs["TopicArn"], Message="{}"),
        lambda: role.client("dynamodb").scan(TableName=speaker.outputs["WordsTable"]),
        lambda: role.client("secretsmanager").put_secret_value(
            SecretId=speaker.outputs["ApiSecretArn"], SecretString="{}"
        ),
    ]
    for call in calls:
        with pytest.raises(ClientError, match="not authorized"):
            call()


def test_the_reader_cannot_read_slacks_secret(deployed: Target, speaker: Speaker) -> None:
    """The template tests have the exact sets; here is that they are enforced."""
    iam = deployed.client("iam")
    function = deployed.client("lambda").get_function_configuration(
        FunctionName=function_name(deployed, "Reader")
    )
    policies = iam.list_role_policies(RoleName=function["Role"].rpartition("/")[2])["PolicyNames"]
    documents = [
        iam.get_role_policy(RoleName=function["Role"].rpartition("/")[2], PolicyName=name)
        for name in policies
    ]
    assert speaker.outputs["ApiSecretArn"] in json.dumps(documents, default=str)
    assert speaker.outputs["SlackSecretArn"] not in json.dumps(documents, default=str)


@pytest.mark.parametrize("way", WAYS)
def test_one_delivery_that_comes_many_times_at_once_counts_once(
    speaker: Speaker, word: str, way: str
) -> None:
    # GIVEN a message of several transactions
    text = " ".join([f"{word}x{number}" for number in range(120)] + [word])
    delivery = uuid.uuid4().hex
    # WHEN
    with ThreadPoolExecutor(6) as pool:
        sent = [pool.submit(speaker.say, text, way=way, delivery=delivery) for _ in range(6)]
    # THEN
    assert {each.result().status for each in sent} == {200}
    once = {"word": word, "count": 11, "occurrences": 1}
    assert eventually(lambda: speaker.word(word), once) == once
    time.sleep(0.5)  # for whoever would still add
    counts = {name: each for name, each in speaker.counts().items() if name.startswith(word)}
    assert set(counts.values()) == {(11, 1)}
    assert len(counts) == 121


def test_a_secret_that_is_rotated_takes_the_place_of_the_old_one(
    deployed: Target, speaker: Speaker, word: str
) -> None:
    # GIVEN a counter, in one environment, that knows the secret
    restart(deployed, "Counter")
    stored = deployed.client("secretsmanager")
    secret = {"SecretId": speaker.outputs["SlackSecretArn"]}
    before = stored.get_secret_value(**secret)["SecretString"]
    old = Speaker(deployed)
    assert old.say(word, way=EVENT).status == 200
    try:
        # WHEN it is rotated, THEN the new one is good as soon as somebody shows it
        stored.put_secret_value(
            **secret, SecretString=json.dumps({"signing_secret": uuid.uuid4().hex})
        )
        new = Speaker(deployed)
        until = time.monotonic() + 10
        while (status := new.say(word, way=EVENT).status) == 401 and time.monotonic() < until:
            time.sleep(0.5)
        assert status == 200
        # and the old one is not, where the new one has been seen; elsewhere for a minute
        assert {old.say(word, way=EVENT).status for _ in range(3)} == {401}
    finally:
        stored.put_secret_value(**secret, SecretString=before)
        restart(deployed, "Counter")


@pytest.fixture
def with_third_subscriber(deployed: Target, tmp_path: Path) -> Iterator[str]:
    """The stack, under another name, with the statement that its page shows."""
    name = "WithThirdSubscriber"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ODYSSEY_TARGET", "local")
        app = App(
            outdir=str(tmp_path / "out"),
            context=context_defaults(),
            builtin_cloud_formation_validation=False,
        )
        third_subscriber.stack_class()(app, name, config=Config.from_context(context_defaults()))
        app.synth()
    cdk.deploy(deployed, tmp_path / "out", [name])
    yield name
    cdk.destroy(deployed, tmp_path / "out", [name])


def test_a_third_subscriber_is_one_statement_and_takes_only_some_messages(
    deployed: Target, with_third_subscriber: str
) -> None:
    # GIVEN the page's subscriber, which wants messages of twenty words
    speaker = Speaker(deployed, stack=with_third_subscriber)
    texts = {number: " ".join(f"n{number}w{each}" for each in range(number)) for number in (19, 20)}
    # WHEN
    for text in texts.values():
        assert speaker.say(text, way=CURL).status == 200

    # THEN it has logged the longer one only; the first logger has both
    def logged(id: str) -> set[str]:
        group = physical_id(deployed, with_third_subscriber, "AWS::Logs::LogGroup", f"{id}Logs")
        return {line["word"] for line in speaker.lines(group)}

    both = {word for text in texts.values() for word in text.split()}
    assert eventually(lambda: logged("Logger"), both) == both
    assert eventually(lambda: logged("LongMessages"), set(texts[20].split())) == set(
        texts[20].split()
    )
