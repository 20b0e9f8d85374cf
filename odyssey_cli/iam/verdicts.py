"""What is to be thought of each permission, by what was done with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from odyssey_cli.iam import unchecked
from odyssey_cli.iam.seen import Steps, sighting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from odyssey_cli.iam.grants import Grant
    from odyssey_cli.iam.seen import Recording, Sighting
    from odyssey_cli.iam.unchecked import Unchecked


class Verdict(StrEnum):
    """What is to be thought of a grant."""

    USED = "used"
    UNCHECKED = "not checked locally"
    UNNEEDED = "unneeded"
    DOUBLE = "allowed twice"
    NEEDS_NO_ENTRY = "in the table of what is not checked locally, but was checked"


# What a reader must do something about.
WRONG = {Verdict.UNNEEDED, Verdict.DOUBLE, Verdict.NEEDS_NO_ENTRY}


@dataclass(frozen=True)
class Row:
    """A grant and what is to be thought of it.

    Attributes:
        grant: what is allowed.
        verdict: what is to be thought of it.
        seen: where it was used, None if nowhere.
        entry: of the table of what is not checked locally, None if there is none.
    """

    grant: Grant
    verdict: Verdict
    seen: Sighting | None
    entry: Unchecked | None

    @property
    def told(self) -> str:
        """Where it was seen, or why not."""
        if self.verdict is Verdict.UNCHECKED and self.entry is not None:
            return f"{self.entry.why} {self.entry.page}, {unchecked.READ_ON}"
        if self.seen is None:
            return "nowhere"
        return f"{self.seen.step} ({self.seen.count} times, by {', '.join(self.seen.through)})"

    @property
    def sentence(self) -> str:
        """The verdict, for a reader who must do something about it."""
        grant = self.grant
        return f"{grant.stack} {grant.holder}: {grant.action} on {grant.name} is {self.verdict}."

    def as_json(self) -> dict[str, Any]:
        """Return the row for scripts."""
        return {
            "stack": self.grant.stack,
            "role": self.grant.holder,
            "action": self.grant.action,
            "resource": self.grant.name,
            "arn": self.grant.resource,
            "verdict": self.verdict,
            "seen_in": self.seen.step if self.seen else None,
            "times": self.seen.count if self.seen else 0,
            "through": list(self.seen.through) if self.seen else [],
            "page": self.entry.page if self.entry else None,
        }


def judge(
    grants: Iterable[Grant], recorded: Recording, steps: Mapping[str, Steps] | None = None
) -> list[Row]:
    """Say of each grant what is to be thought of it.

    Args:
        grants: what is allowed.
        recorded: what was decided.
        steps: of whoever drove a stack, by the stack; without them a sighting names no step.
    """
    rows: list[Row] = []
    known: set[tuple[str, str, str]] = set()
    for grant in grants:
        driven = (steps or {}).get(grant.stack, Steps())
        seen = sighting(grant, recorded.decisions, driven)
        entry = unchecked.entry(grant.services, grant.action, grant.resource)
        own = (grant.principal, grant.action.lower(), grant.resource)
        rows.append(Row(grant, _verdict(seen, entry, double=own in known), seen, entry))
        known.add(own)
    return rows


def _verdict(seen: Sighting | None, entry: Unchecked | None, *, double: bool) -> Verdict:
    if double:
        return Verdict.DOUBLE
    if seen is not None:
        return Verdict.NEEDS_NO_ENTRY if entry is not None else Verdict.USED
    return Verdict.UNCHECKED if entry is not None else Verdict.UNNEEDED
