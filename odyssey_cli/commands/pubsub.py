"""The word counter's commands: say, top, word, logs, failures, slack-setup."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from odyssey_cli.commands import log_events, pubsub_view
from odyssey_cli.commands.failures import JsonOption
from odyssey_cli.commands.failures import show as show_failures
from odyssey_cli.console import amount, err, out
from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.pubsub import STACK
from odyssey_cli.target import TargetOption, YesOption, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.flows.pubsub.speaker import Speaker
    from odyssey_cli.target import Target

group = typer.Typer(help="The word counter.", no_args_is_help=True)
_LATER = "Points that stay away are in ./odyssey pubsub failures."


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="pubsub")


@group.command()
def say(
    text: Annotated[str, typer.Argument(help="What to say; after -- it may begin with a dash.")],
    way: Annotated[
        Literal["slash", "event", "webhook", "curl"],
        typer.Option("--as", help="How to send it: one of Slack's three ways, or as curl does."),
    ] = "curl",
    delivery: Annotated[
        str | None, typer.Option("--id", help="Names the delivery: the same one counts once.")
    ] = None,
    times: Annotated[
        int, typer.Option(min=1, max=100, help="Send the same delivery so many times.")
    ] = 1,
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say something, and have its words counted."""
    _check_text(text, "The text")
    name = _checked_id(delivery)
    speaker = _speaker(resolve(target, yes=yes))
    request = speaker.request(text, way=way, delivery=name)
    for _ in range(times):
        with _reached(f"Send it again with --id {name}: it is not counted twice."):
            answer = speaker.send(request)
        if as_json:
            line = {"id": name, "status": answer.status, "body": answer.body}
            typer.echo(json.dumps(line, ensure_ascii=False))
        if answer.status != HTTPStatus.OK:
            raise pubsub_view.refusal(answer, name)
        if not as_json:
            out.print(pubsub_view.answer(way, answer.body), soft_wrap=True)


@group.command()
def top(
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many words.")] = 10,
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the words with the highest counts."""
    speaker = _speaker(resolve(target, yes=yes))
    with _reached():
        words = speaker.top(limit)
    if as_json:
        typer.echo(json.dumps({"words": words}, ensure_ascii=False))
    elif words:
        out.print(pubsub_view.ranking(words))
    else:
        out.print('Nobody has said a word yet; say one with ./odyssey pubsub say "…".')
    if any(map(pubsub_view.is_behind, words)):
        err.print(_LATER)


@group.command()
def word(
    word: Annotated[str, typer.Argument(help="As anybody may write it.")],
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show one word's count."""
    _check_text(word, "The word")
    name = _one_word(word)
    speaker = _speaker(resolve(target, yes=yes))
    with _reached():
        found = speaker.word(name)
    if found is None:
        raise OdysseyError(f"Nobody has said {name} yet.", "See ./odyssey pubsub top.")
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        out.print(pubsub_view.ranking([found]))
    if pubsub_view.is_behind(found):
        err.print(_LATER)


@group.command()
def logs(
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Only the last 30s, 10m, 2h or 1d.")
    ] = "10m",
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the words that the logger has logged, each once for a message, oldest first."""
    begun = log_events.milliseconds_since(since, time.time())
    speaker = _speaker(resolve(target, yes=yes))
    seen: set[tuple[str, str]] = set()
    for line in speaker.logged(since=begun):
        # SNS and Lambda deliver at least once, and the logger logs what it gets.
        key = line["message_id"], line["word"]
        if key in seen:
            continue
        seen.add(key)
        if as_json:
            typer.echo(json.dumps(pubsub_view.logged(line), ensure_ascii=False))
        else:
            out.print(pubsub_view.log_line(line), soft_wrap=True)
    if not seen:
        err.print(f"No word was logged in the last {since}; --since 1d goes further back.")


@group.command()
def failures(
    target: TargetOption = "local", yes: YesOption = False, as_json: JsonOption = False
) -> None:
    """Show what did not get through, and why; `odyssey redrive PubSub` brings it back."""
    show_failures(resolve(target, yes=yes), STACK, as_json=as_json)


@group.command()
def slack_setup(target: TargetOption = "local", yes: YesOption = False) -> None:
    """Print what to enter where, so that a Slack workspace of yours can talk to the stack."""
    to = resolve(target, yes=yes)
    outputs = to.outputs(STACK)
    steps = pubsub_view.slack_steps(
        f"{outputs['ApiUrl']}/slack", outputs["SlackSecretArn"], is_local=to.local is not None
    )
    out.print(steps, soft_wrap=True)


def _speaker(target: Target) -> Speaker:
    # Imported when needed: botocore would double the start-up time of every other command.
    from odyssey_cli.flows.pubsub.speaker import Speaker  # noqa: PLC0415

    return Speaker(target)


@contextlib.contextmanager
def _reached(remedy: str = "See ./odyssey status.") -> Iterator[None]:
    """Turn the lack of an answer into two sentences."""
    import urllib3  # noqa: PLC0415 - see _speaker

    try:
        yield
    except urllib3.exceptions.HTTPError as error:
        raise OdysseyError(f"The API has not answered: {error}.", remedy) from error


def _check_text(text: str, what: str) -> None:
    """Refuse what a terminal in another encoding makes of an argument."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise OdysseyError(
            f"{what} is not UTF-8: {text!a}.", "Set the terminal, or LANG, to UTF-8."
        ) from None


def _checked_id(given: str | None) -> str:
    """Return the delivery's name, a new one if none is given."""
    from shared.identity import is_key  # noqa: PLC0415 - imports the handlers' library

    if given is None:
        return uuid.uuid4().hex
    if not is_key(given):
        raise OdysseyError(
            f"--id {given!a} cannot name a delivery.",
            "Write 1 to 255 visible ASCII characters, or leave it out.",
        )
    return given


def _one_word(text: str) -> str:
    """Return the form in which `text`, which must be one word, is counted."""
    from pubsub.words import read_words  # noqa: PLC0415 - imports the handlers' library
    from shared.problems import Problem  # noqa: PLC0415

    try:
        found = read_words(text)
    except Problem as problem:
        raise OdysseyError(problem.detail, "Ask for a shorter one.") from None
    if len(found) != 1:
        shown = json.dumps(text, ensure_ascii=False)
        is_what = amount(len(found), "word") if found else "no word"
        raise OdysseyError(f"{shown} is {is_what}.", "Ask for one word, e.g. R&D.")
    return found[0].text
