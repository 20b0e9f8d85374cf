"""The record of what a demo checked."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class CheckFailed(Exception):  # noqa: N818 - reads as the statement it is
    """What a check expected did not hold; the text says what was found instead."""


def expect(holds: object, otherwise: str) -> None:
    """Fail the check unless `holds` is true.

    Raises:
        CheckFailed: with the text of `otherwise`.
    """
    if not holds:
        raise CheckFailed(otherwise)


@dataclass
class Check:
    """One thing that was verified; `detail` says what was seen."""

    name: str
    ok: bool = False
    detail: str = ""


@dataclass
class Checks:
    """All checks of one flow, in the order they were made.

    Attributes:
        flow: the flow's name.
        started: told of the name of every check that begins.
    """

    flow: str
    started: Callable[[str], None]
    checks: list[Check] = field(default_factory=list)
    _begun: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    @contextmanager
    def check(self, name: str) -> Iterator[Check]:
        """Record a check: it holds if its block ends without an exception."""
        self.started(name)
        made = Check(name)
        self.checks.append(made)
        try:
            yield made
            made.ok = True
        except Exception as error:  # noqa: BLE001 - a check that breaks is a check that failed
            text = str(error) if isinstance(error, CheckFailed) else repr(error)
            made.detail = text
        finally:
            self.seconds = time.monotonic() - self._begun

    @property
    def ok(self) -> bool:
        """Whether there were checks and all of them hold."""
        return bool(self.checks) and all(check.ok for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """Return the flow's record for scripts."""
        return {
            "flow": self.flow,
            "ok": self.ok,
            "seconds": round(self.seconds, 1),
            "checks": [asdict(check) for check in self.checks],
        }
