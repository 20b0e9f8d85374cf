"""An asynchronous edge: something is handed over, and whoever handed it over does not wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from odyssey_cli.policy.rule import Fault

NOT_APPLICABLE = "-"


@dataclass(frozen=True)
class Edge:
    """One asynchronous edge of a template.

    Attributes:
        at: the logical id of the resource that makes it.
        source: who hands over, for a person.
        target: who is handed something.
        kind: how.
        tries: how often it is tried.
        age: how long.
        partial: whether a batch can succeed in part, or `-` where there are no batches.
        given_up: where what is given up goes.
        told: who is told of it.
        faults: what it lacks.
        accepted: why it may lack that; "" where it may not.
        ends: the logical id of the function, queue, ... at its end; "" outside the template.
    """

    at: str
    source: str
    target: str
    kind: str
    tries: str
    age: str
    given_up: str
    told: str
    partial: str = NOT_APPLICABLE
    faults: tuple[Fault, ...] = ()
    accepted: str = ""
    ends: str = ""

    @property
    def guarded(self) -> bool:
        """Whether it has everything that the contracts demand."""
        return not self.faults and not self.accepted

    def as_json(self) -> dict[str, Any]:
        """Return what `./odyssey edges --json` prints of it."""
        return {
            "from": self.source,
            "to": self.target,
            "kind": self.kind,
            "tries": self.tries,
            "age": self.age,
            "partial_batch": self.partial,
            "given_up_to": self.given_up,
            "told": self.told,
            "guarded": self.guarded,
            "accepted": self.accepted or None,
            "lacks": [f"{each.problem} {each.remedy}" for each in self.faults],
            "resource": self.at,
        }
