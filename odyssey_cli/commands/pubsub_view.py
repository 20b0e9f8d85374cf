"""What the word counter's commands show."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from odyssey_cli.console import plain
from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from odyssey_cli.flows.http import Answer

_TO_COME = "points still to come"
_SILENT = "Slack shows no answer to a mention; ./odyssey pubsub top shows the counts."
# What to do about a problem, by the last part of its type.
_REMEDIES = {
    "no-words": "Say something with a letter, a digit or an emoji.",
    "message-too-long": "Say it in several messages.",
    "too-many-words": "Say it in several messages.",
    "word-too-long": "Say it with shorter words.",
    "body-too-large": "Say it in several messages.",
    "idempotency-key-reused": "Choose another --id, or leave it out.",
    "unauthorized": "If the secret was changed just now, wait a minute; the functions take it by "
    "then.",
}


def answer(way: str, body: Any) -> Text:  # noqa: ANN401 - any JSON
    """Return an answer as whoever said something reads it."""
    from pubsub.slack import typed  # noqa: PLC0415 - imports the handlers' library

    text = body.get("text") if isinstance(body, dict) else None
    if not isinstance(text, str):
        return Text(_SILENT)
    return Text(plain(text if way == "curl" else typed(text)))


def refusal(answer: Answer, delivery: str) -> OdysseyError:
    """Return what is wrong with a message that was refused, and what to do about it."""
    body = answer.body if isinstance(answer.body, dict) else {}
    said = body.get("detail") or body.get("message") or answer.body or "nothing"
    kind = str(body.get("type", "")).rpartition(":")[2]
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        remedy = f"Send it again with --id {delivery}; it is not counted twice. If it stays so, "
        remedy += "see ./odyssey logs Counter."
    elif answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        remedy = "That is the API's throttle: wait a second, and send it again."
    else:
        remedy = _REMEDIES.get(kind, "See ./odyssey logs Counter.")
    return OdysseyError(f"The API answered {answer.status}: {said}", remedy)


def is_behind(word: Mapping[str, Any]) -> bool:
    """Say whether subscribers have yet to add points to a word's count."""
    from pubsub.counting import POINTS  # noqa: PLC0415 - imports the handlers' library

    behind: bool = word["count"] < sum(POINTS.values()) * word["occurrences"]
    return behind


def ranking(words: list[dict[str, Any]]) -> Table:
    """Return a table of words with count and occurrences."""
    behind = [is_behind(each) for each in words]
    table = Table("word", "count", "occurrences", *([""] if any(behind) else []))
    for column in table.columns[1:3]:
        column.justify = "right"
    for each, note in zip(words, behind, strict=True):
        name = Text(plain(each["word"]), overflow="fold")
        notes = [_TO_COME if note else ""] if any(behind) else []
        table.add_row(name, str(each["count"]), str(each["occurrences"]), *notes)
    return table


def logged(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return what there is to know of a word that was logged."""
    return {
        "time": _time(str(line.get("timestamp", ""))),
        **{name: line.get(name) for name in ("word", "occurrences", "way", "message_id")},
    }


def log_line(line: Mapping[str, Any]) -> Text:
    """Return a word that was logged, as one line."""
    known = logged(line)
    text = Text()
    text.append(f"{plain(known['time'])}  ", style="dim")
    text.append(f"{plain(str(known['word']))}  ", style="cyan")
    rest = (known["occurrences"], known["way"], known["message_id"])
    return text.append(plain("  ".join(map(str, rest))))


def _time(text: str) -> str:
    """Return the logger's time in UTC, RFC 3339; as it is if it is none."""
    try:
        time = datetime.strptime(text, "%Y-%m-%d %H:%M:%S,%f%z")
    except ValueError:
        return text
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_LOCAL = """\
This is the local cloud. It listens on this computer's loopback address, which Slack cannot
reach: nothing below works with it. To talk to it as Slack does: ./odyssey pubsub say "…" --as slash
For a real Slack, run ./odyssey deploy PubSub --target aws, and this again with --target aws: the
steps are the same, with another address and secret.

"""
# "Creating an app from app settings", "Implementing slash commands", "Using the Events API",
# "Legacy custom integrations: outgoing webhooks" and "Verifying requests from Slack",
# docs.slack.dev, 2026-11-21; "put-secret-value" (AWS CLI Command Reference), 2026-11-21.
_STEPS = """\
The address that Slack sends to, in all three ways:

    {url}

1. Make an app: https://api.slack.com/apps, Create New App, From scratch.

2. Store its signing secret (Basic Information, App Credentials) before Slack tries the
   address. Write it into a file that nobody else can read, not on a command line, where the
   shell's history would keep it:

    file=$(mktemp)
    ${{EDITOR:-vi}} "$file"
    aws secretsmanager put-secret-value --region {region} \\
        --secret-id {secret} \\
        --secret-string "file://$file"
    rm "$file"

   The file holds {{"signing_secret": "…"}}. The functions take a new secret within a minute,
   without a deployment.

3. Choose one or more of the ways in:

   Slash command: Slash Commands, Create New Command: Command /count, Request URL the address
   above. It adds the scope commands. Then Install App. In any channel: /count R&D with C#

   Mention: OAuth & Permissions, Bot Token Scopes: app_mentions:read. Event Subscriptions, on,
   Request URL the address above (Slack shows Verified), Subscribe to bot events: app_mention.
   Then Install App. In a channel: /invite the app, then: @app R&D with C#

   Outgoing webhook, a legacy integration that Slack advises against and new workspaces may
   not have: in Slack's directory of apps, Outgoing WebHooks, Add Configuration: a channel, a
   trigger word, URL(s) the address above. Store its Token beside the signing secret as in
   step 2: {{"signing_secret": "…", "verification_token": "…"}}.

4. Watch: ./odyssey pubsub top, ./odyssey pubsub logs, ./odyssey logs Counter.
"""


def slack_steps(url: str, secret: str, *, is_local: bool) -> Text:
    """Return the steps by which a Slack workspace gets to talk to the stack.

    Args:
        url: where Slack sends to.
        secret: ARN of the secret that Slack signs with.
        is_local: whether the stack is on the local cloud.
    """
    steps = _STEPS.format(url=url, secret=secret, region=secret.split(":")[3])
    return Text((_LOCAL if is_local else "") + steps.rstrip())
