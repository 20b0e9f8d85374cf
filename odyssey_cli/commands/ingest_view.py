"""What the intake's commands show."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from odyssey_cli.console import amount, plain
from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from odyssey_cli.flows.http import Answer
    from odyssey_cli.flows.ingest.generate import Report
    from odyssey_cli.flows.ingest.replay import Replay
    from odyssey_cli.flows.ingest.verify import Findings

# Names of each kind of problem that are shown to people; --json has all of them.
_SHOWN = 10
# What to do about a problem of the API, by the last part of its type.
_REMEDIES = {
    "unknown-entity": "Events may be on their way; ./odyssey ingest totals shows what was counted.",
    "unknown-type": "Choose one of them.",
    "idempotency-key-reused": "Choose another --id, or leave it out.",
    "not-an-event": "Mend that, and send it again.",
}


def report(report: Report, *, via: str, kind: str, seed: int) -> dict[str, Any]:
    """Return what became of generated events."""
    return {
        "via": via,
        "type": kind,
        "seed": seed,
        "wanted": report.wanted,
        "made": report.made,
        "accepted": report.accepted,
        "retried": report.retried,
        "not_accepted": report.refused.total(),
        "not_accepted_causes": dict(report.refused),
        "unknown": report.unknown.total(),
        "unknown_causes": dict(report.unknown),
        "interrupted": report.interrupted,
        "seconds": round(report.seconds, 3),
        "per_second": round(report.rate, 1),
    }


def report_table(sent: Report, *, via: str, kind: str, seed: int) -> Table:
    """Return the same as a table."""
    table = Table(show_header=False)
    for name, value in report(sent, via=via, kind=kind, seed=seed).items():
        if isinstance(value, dict):
            for cause, times in value.items():
                table.add_row(Text(f"  {plain(cause)}"), str(times))
        elif name != "interrupted":
            table.add_row(name.replace("_", " "), str(value))
    return table


def running(so_far: Report) -> str:
    """Return how it goes."""
    lost = so_far.refused.total() + so_far.unknown.total()
    return (
        f"{so_far.accepted} of {so_far.wanted} accepted   {so_far.retried} retried   "
        f"{lost} lost   {so_far.rate:.0f} per second"
    )


def unaccounted(report: Report) -> OdysseyError:
    """Return what is wrong with a run, and what to do about it."""
    parts = []
    if report.refused:
        parts.append(f"{report.refused.total()} were not accepted ({_causes(report.refused)})")
    if report.unknown:
        parts.append(f"of {report.unknown.total()} nobody knows ({_causes(report.unknown)})")
    if unmade := report.wanted - report.made:
        parts.append(f"{unmade} were not made")
    problem = f"Of {amount(report.wanted, 'event')}, {'; '.join(parts)}."
    remedy = "Mend the cause and send others: ids are never used again."
    if report.unknown:
        remedy += " ./odyssey ingest verify shows what came in."
    return OdysseyError(problem, remedy)


def _causes(causes: Mapping[str, int]) -> str:
    return ", ".join(f"{cause}: {times}" for cause, times in causes.items())


def findings(found: Findings) -> dict[str, Any]:
    """Return what was found, with all names."""
    return {
        "clean": found.is_clean,
        "consumer": found.has_consumer,
        "queued": found.queued,
        "counts": found.counts,
        "totals": found.totals,
        "errors": found.errors,
        "problems": {str(problem): names for problem, names in found.problems.items()},
        "twice_in_lake": found.twice_in_lake,
        "notes": found.notes,
    }


def findings_table(found: Findings) -> Table:
    """Return how many there are of what."""
    table = Table("what", "how many")
    table.columns[1].justify = "right"
    for name, number in found.counts.items():
        indented = name.startswith("of these")
        table.add_row(f"  {name}" if indented else name, str(number))
        if name == "records in the error prefix":
            for code, times in found.errors.items():
                table.add_row(Text(f"  {plain(code)}"), str(times))
        if name == "sum of its totals":
            for kind, total in found.totals.items():
                table.add_row(Text(f"  {plain(kind)}"), str(total))
    return table


def problem_lines(found: Findings) -> Iterator[Text]:
    """Yield what is missing or double; of many only the first."""
    for problem, names in found.problems.items():
        yield Text(f"{problem}: {len(names)}", style="red")
        for name in names[:_SHOWN]:
            yield Text(f"  {plain(name)}")
        if len(names) > _SHOWN:
            yield Text(f"  and {len(names) - _SHOWN} more; --json names all of them")
    if not found.problems:
        yield Text("Nothing is missing or double.", style="green")


def notes(found: Findings) -> Iterator[Text]:
    """Yield what goes without failure."""
    if found.twice_in_lake:
        yield Text(
            f"{amount(len(found.twice_in_lake), 'event')} in the lake more than once: Firehose "
            "delivers at least once."
        )
    if found.queued:
        yield Text(f"About {amount(found.queued, 'message')} in the queues: more is on its way.")
    yield from (Text(plain(note)) for note in found.notes)


def waiting(so_far: Findings) -> str:
    """Return why it goes on."""
    missing = sum(map(len, so_far.problems.values()))
    return f"{missing} missing or double, about {so_far.queued} in the queues: looking again …"


def unclean(found: Findings, *, waited: float) -> OdysseyError:
    """Return that something is missing or double, and what to do about it."""
    parts = [f"{problem}: {len(names)}" for problem, names in found.problems.items()]
    remedy = "See ./odyssey ingest failures, and ./odyssey logs."
    if not waited:
        remedy = f"Events may be on their way: look for longer with --wait 180. {remedy}"
    return OdysseyError(f"Something is missing or double. {'; '.join(parts)}.", remedy)


def replay(seen: Replay) -> dict[str, Any]:
    """Return a replay."""
    return {
        "name": seen.name,
        "start": _time(seen.start),
        "end": _time(seen.end),
        "state": seen.state,
        "reason": seen.reason,
        "last_event": None if seen.last is None else _time(seen.last),
    }


def window(seen: Replay) -> Text:
    """Return what is replayed."""
    return Text(f"Replay {seen.name}: {_time(seen.start)} to {_time(seen.end)}.")


def replayed(seen: Replay) -> Text:
    """Return what a replay that is over has done."""
    if seen.last is None:
        return Text(f"{plain(seen.state)}; the archive has no event of that time.")
    return Text(f"{plain(seen.state)}; the last event is of {_time(seen.last)}.")


def left_running(name: str) -> Text:
    """Return how to see, and end, a replay that goes on."""
    return Text(
        f"The replay goes on. See it with: aws events describe-replay --replay-name {name}\n"
        f"End it with: aws events cancel-replay --replay-name {name}"
    )


def _time(time: datetime) -> str:
    from shared.times import rfc3339  # noqa: PLC0415 - imports the handlers' library

    return f"{rfc3339(time)[:19]}Z"


def totals_table(totals: Mapping[str, int]) -> Table:
    """Return totals by type, and their sum."""
    table = Table("type", "events")
    table.columns[1].justify = "right"
    for kind, total in totals.items():
        table.add_row(Text(plain(kind)), str(total))
    table.add_section()
    table.add_row("all", str(sum(totals.values())))
    return table


def entity_table(entity: Mapping[str, Any]) -> Table:
    """Return an entity's state, a row for each field."""
    table = Table(show_header=False)
    for name, value in entity.items():
        if name == "state" and isinstance(value, dict):
            continue
        table.add_row(Text(plain(name)), Text(plain(str(value)), overflow="fold"))
    state = entity.get("state")
    if isinstance(state, dict):
        table.add_section()
        for name, value in state.items():
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            table.add_row(Text(plain(name)), Text(plain(shown), overflow="fold"))
    return table


def refusal(answer: Answer) -> OdysseyError:
    """Return what is wrong with a request that was refused, and what to do about it."""
    body = answer.body if isinstance(answer.body, dict) else {}
    said = body.get("detail") or body.get("message") or answer.body or "nothing"
    kind = str(body.get("type", "")).rpartition(":")[2]
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        remedy = "Send it again; with the same --id it counts once. If it stays so, see ./odyssey "
        remedy += "logs Consumer."
    elif answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        remedy = "That is the API's throttle: wait a second, and send it again."
    elif answer.status == HTTPStatus.FORBIDDEN:
        remedy = "Your credentials need the policy that is the stack's output ClientPolicyArn."
    else:
        remedy = _REMEDIES.get(kind, "See ./odyssey logs Consumer.")
    return OdysseyError(f"The API answered {answer.status}: {said}", remedy)
