"""Says messages to the word counter and counts what its functions ask of AWS.

Runs as a process of its own (`python -m bench.pubsub_load`), because the functions read their
environment once and boto3's default session is changed: a job comes as JSON on standard input,
the counts leave as JSON on standard output. Nothing is sent anywhere.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import io
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bench.dynamodb import Answer, CountingDynamoDB
from bench.load import Context, Counts, counted, session
from odyssey_cli.flows.pubsub.requests import Request, Secrets, request

if TYPE_CHECKING:
    from collections.abc import Mapping

COUNTER, MULTIPLIER, LOGGER = "pubsub.counter", "pubsub.multiplier", "pubsub.word_logger"
POINTS = 11
_SECRETS = Secrets("a" * 40, "b" * 24, "c" * 40)
# A topic's message up to this size is billed as one ("Amazon SNS pricing").
_ONE_PUBLISH = 64 * 1024


@dataclass(frozen=True)
class Job:
    """What to say.

    Attributes:
        environment: the variables of the three functions together.
        indexes: how many indexes each table has.
        words: how many different words each message of a load has.
        messages: of each load, after a first one that makes the words known.
    """

    environment: Mapping[str, str]
    indexes: Mapping[str, int]
    words: list[int]
    messages: int


@dataclass(frozen=True)
class Said:
    """What the three functions asked of AWS in one load.

    Attributes:
        words: in each message.
        counter: its counts.
        multiplier: its counts.
        logger: its counts.
        secret_reads: what the counter asked of Secrets Manager for the first message; the
            others come within the minute for which it remembers.
    """

    words: int
    counter: Counts
    multiplier: Counts
    logger: Counts
    secret_reads: int

    @classmethod
    def read(cls, value: dict[str, Any]) -> Said:
        """Return what `asdict` made a dictionary of."""
        functions = {name: Counts(**value[name]) for name in ("counter", "multiplier", "logger")}
        return cls(words=value["words"], secret_reads=value["secret_reads"], **functions)


class CountingCloud(CountingDynamoDB):
    """Tables, and beside them a topic and the secrets.

    Attributes:
        published: what the topic was given.
    """

    def __init__(self, indexes: Mapping[str, int]) -> None:
        super().__init__(indexes)
        self.published: list[str] = []

    def answer(
        self,
        model: Any,  # noqa: ANN401 - botocore has no types
        params: dict[str, Any],
        **more: object,
    ) -> tuple[Answer, dict[str, Any]]:
        """Answer a call in botocore's place."""
        match model.name:
            case "Publish":
                # The body of the query protocol, not yet encoded.
                self.published.append(params["body"]["Message"])
                answer: dict[str, Any] = {"MessageId": f"m{len(self.published)}"}
            case "GetSecretValue":
                slack = {"signing_secret": _SECRETS.signing_secret}
                answer = {"SecretString": json.dumps(slack | {"token": _SECRETS.token})}
            case _:
                return super().answer(model, params, **more)
        self.tally.calls[model.name] += 1
        return Answer(), answer | {"ResponseMetadata": {"HTTPStatusCode": 200}}


def feed(job: Job, printed: io.StringIO) -> list[Said]:
    """Say all loads; return the counts of each.

    Args:
        job: what to say.
        printed: standard output; the functions' loggers keep the one they were imported with.

    Raises:
        AssertionError: the counts or the log do not add up to what was said.
    """
    return [_say(words, job, printed) for words in job.words]


def _say(words: int, job: Job, printed: io.StringIO) -> Said:
    os.environ.update(job.environment)
    cloud = CountingCloud(job.indexes)
    session(cloud)
    for read in vars(importlib.import_module("pubsub.settings")).values():
        if hasattr(read, "cache_clear"):
            read.cache_clear()
    text = " ".join(f"word-{number:03}" for number in range(words))

    first = _flow(text, 1, cloud, printed, begin=0)
    counts = _flow(text, job.messages, cloud, printed, begin=1)
    _check(words, 1 + job.messages, cloud)
    return Said(words, *counts, secret_reads=first[0].calls["GetSecretValue"])


def _flow(
    text: str, messages: int, cloud: CountingCloud, printed: io.StringIO, *, begin: int
) -> tuple[Counts, Counts, Counts]:
    """Say a text so often; return the counts of counter, multiplier and logger."""
    counter, multiplier, logger = (Counts(invocations=messages, events=messages) for _ in range(3))
    module: Any = importlib.import_module(COUNTER)
    with counted(counter, cloud, printed):
        for number in range(begin, begin + messages):
            said = request("slash", text, delivery=f"{number}", secrets=_SECRETS, now=time.time())
            answer = module.handler(_event(said, number), Context())
            if answer["statusCode"] != 200 or "Counted" not in answer["body"]:  # noqa: PLR2004
                raise AssertionError(f"The counter refused a message: {answer['body']}")
    published = cloud.published[begin:]
    if max(len(each.encode()) for each in published) > _ONE_PUBLISH:
        raise AssertionError("A message is billed as more than one publish.")
    for name, counts in ((MULTIPLIER, multiplier), (LOGGER, logger)):
        module = importlib.import_module(name)
        with counted(counts, cloud, printed):
            for number, message in enumerate(published):
                module.handler(_delivered(message, number), Context())
    lines = [json.loads(line) for line in printed.getvalue().splitlines()]
    logged = sum(line.get("message") == "word" for line in lines)
    if logged != messages * len(text.split()):
        raise AssertionError(f"{logged} words are in the log.")
    return counter, multiplier, logger


def _check(words: int, messages: int, cloud: CountingCloud) -> None:
    counts = [
        int(item["word_count"]["N"])
        for items in cloud.tables.values()
        for item in items.values()
        if "word_count" in item
    ]
    if counts != [POINTS * messages] * words:
        raise AssertionError(f"{words} words were said {messages} times; the counts are {counts}.")


def _event(said: Request, number: int) -> dict[str, Any]:
    """Return an HTTP API's event, as far as it is read.

    Shape: "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway".
    """
    path = f"/{said.path}"
    return {
        "version": "2.0",
        "routeKey": f"POST {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": dict(said.headers),
        "requestContext": {
            "http": {"method": "POST", "path": path},
            "requestId": f"request-{number:011}",
            "stage": "$default",
        },
        "body": base64.b64encode(said.body).decode(),
        "isBase64Encoded": True,
    }


def _delivered(message: str, number: int) -> dict[str, Any]:
    """Return a message of the topic, as far as it is read ("Using AWS Lambda with Amazon SNS")."""
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "Sns": {"Type": "Notification", "MessageId": f"m{number}", "Message": message},
            }
        ]
    }


def main() -> int:
    """Read a job, say it, write the counts."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        said = feed(Job(**json.load(sys.stdin)), printed)
    json.dump([asdict(each) for each in said], sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
