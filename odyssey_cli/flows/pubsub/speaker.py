"""The deployed word counter, as those who talk to it see it."""

from __future__ import annotations

import json
import time
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.http import Answer, SignedClient
from odyssey_cli.flows.pubsub import STACK
from odyssey_cli.flows.pubsub.requests import Request, Secrets, request
from pubsub.leaderboard import encoded
from pubsub.word_logger import WORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.target import Target


class Speaker:
    """Says things, and reads what is counted.

    It reads the secrets in the role that the stack has for it; the API wants nothing else.

    Args:
        target: where the stack is deployed.
        connections: how many requests may be under way at once.
        stack: its name.

    Raises:
        OdysseyError: the stack is not deployed there.
    """

    def __init__(self, target: Target, *, connections: int = 8, stack: str = STACK) -> None:
        self._target = target
        self.outputs = target.outputs(stack)
        self.client = SignedClient(f"{self.outputs['ApiUrl']}/", None, connections=connections)
        self.secrets = self.stored_secrets()

    def stored_secrets(self) -> Secrets:
        """Return the secrets as they are stored now."""
        stored = self._target.in_role(self.outputs["SpeakerRoleArn"]).client("secretsmanager")
        slack, api = (
            json.loads(stored.get_secret_value(SecretId=self.outputs[name])["SecretString"])
            for name in ("SlackSecretArn", "ApiSecretArn")
        )
        return Secrets.of(slack, api)

    def request(self, text: str, *, way: str, delivery: str | None = None) -> Request:
        """Return the request by which `text` comes in; without `delivery`, a new one each time."""
        return request(
            way, text, delivery=delivery or uuid.uuid4().hex, secrets=self.secrets, now=time.time()
        )

    def send(self, made: Request) -> Answer:
        """Send a request and return the answer, whatever it is."""
        return self.client.request("POST", made.path, body=made.body, headers=made.headers)

    def say(self, text: str, *, way: str, delivery: str | None = None) -> Answer:
        """Say something and return the answer, whatever it is."""
        return self.send(self.request(text, way=way, delivery=delivery))

    def get(self, path: str) -> Answer:
        """Get what the reader serves, with the token."""
        token = {"authorization": f"Bearer {self.secrets.token}"}
        return self.client.request("GET", path, headers=token)

    def top(self, limit: int = 10) -> list[dict[str, Any]]:
        """Return the leaderboard: `{"word", "count", "occurrences"}`, highest count first.

        Raises:
            OdysseyError: the API refused.
        """
        answer = self.get(f"words?limit={limit}")
        if answer.status != HTTPStatus.OK:
            raise OdysseyError(
                f"GET /words answered {answer.status}: {answer.body}.", "See ./odyssey logs Reader."
            )
        words: list[dict[str, Any]] = answer.body["words"]
        return words

    def word(self, word: str) -> dict[str, Any] | None:
        """Return a word's `{"word", "count", "occurrences"}`; None if nobody has said it.

        Raises:
            OdysseyError: the API refused.
        """
        answer = self.get(f"words/{encoded(word)}")
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise OdysseyError(
                f"GET /words answered {answer.status}: {answer.body}.", "See ./odyssey logs Reader."
            )
        found: dict[str, Any] = answer.body
        return found

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return count and occurrences of every word, as the table has them."""
        pages = self._target.client("dynamodb").get_paginator("scan")
        table = self.outputs["WordsTable"]
        return {
            item["id"]["S"]: (int(item["word_count"]["N"]), int(item["occurrences"]["N"]))
            for page in pages.paginate(TableName=table, ConsistentRead=True)
            for item in page["Items"]
        }

    def logged(self, *, since: int = 0) -> Iterator[dict[str, Any]]:
        """Yield every line of the logger that holds a word, oldest first.

        Args:
            since: milliseconds since 1970.
        """
        function = self._target.client("lambda").get_function_configuration(
            FunctionName=self.outputs["LoggerName"]
        )
        yield from self.lines(function["LoggingConfig"]["LogGroup"], since=since)

    def lines(self, group: str, *, since: int = 0) -> Iterator[dict[str, Any]]:
        """Yield every line of a log group that holds a word, oldest first."""
        pages = self._target.client("logs").get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=group, startTime=since):
            for event in page["events"]:
                line = _line(event["message"])
                if line is not None:
                    yield line


def _line(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    is_word = isinstance(line, dict) and line.get("message") == WORD and "message_id" in line
    return line if is_word else None
