"""The figures that every proof prints at its end: one shape for programs, one line for people.

A proof is a command, or a test of the suite, that tries cases and says how many of them passed
(docs/proofs.md). With --json its object has `figures`; without, the last line of stdout is `line`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from odyssey_cli.console import amount, out

if TYPE_CHECKING:
    from collections.abc import Mapping


def figures(*, tried: int, passed: int, seconds: float, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a proof's figures: `tried`, `passed` and `seconds`, and what else it counted.

    Args:
        tried: how many cases there were; each proof says what one is.
        passed: of them, those that the proof does not fail for.
        seconds: how long it took.
        more: what else there is to count, by name; of values that JSON has.

    Raises:
        ValueError: more passed than were tried, or fewer than none: a mistake in counting.
    """
    if not 0 <= passed <= tried:
        raise ValueError(f"{passed} of {tried} cases cannot have passed")
    return {"tried": tried, "passed": passed, "seconds": round(seconds, 3), **more}


def line(found: Mapping[str, Any]) -> str:
    """Return figures as people read them, in the same words for every proof."""
    tried, passed, seconds = found["tried"], found["passed"], found["seconds"]
    return f"{amount(tried, 'case')} tried, {passed} passed, {seconds:.2f} s"


def show(found: Mapping[str, Any]) -> None:
    """Print figures for people, as a proof's last line of stdout."""
    out.print(line(found))
