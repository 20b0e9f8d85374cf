"""Row `demo`: from a fresh clone to a verified flow."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.figures import Row
from bench.processes import Failed, clean_environment, run
from odyssey_cli import paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FLOW = "event-aggregator"
BUDGET = 60.0


def rows(say: Callable[..., None], *, cold: bool) -> Iterator[Row]:
    """Measure the demo of one flow in a fresh copy, with warm caches and on request with none."""
    say("a fresh clone, caches warm: about a minute")
    taken, checks = _demo(clean_environment())
    yield Row(
        row="fresh clone → demo verified",
        figure=taken,
        unit="s",
        budget=BUDGET,
        measured=f"{taken:.1f} s",
        detail=f"{FLOW}, one run: set-up and demo from a copy of the tracked files; {checks} "
        "checks held; the download caches of uv, npm and jsii were warm",
    )
    if not cold:
        return
    say("a fresh clone, caches empty: some minutes")
    with tempfile.TemporaryDirectory() as home:
        empty = clean_environment(HOME=home, XDG_CACHE_HOME=f"{home}/.cache")
        for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR", "npm_config_cache"):
            empty.pop(name, None)
        taken, checks = _demo(empty)
    yield Row(
        row="the same, caches empty",
        figure=taken,
        unit="s",
        measured=f"{taken:.1f} s",
        detail=f"one run: as above, everything downloaded; {checks} checks held",
    )


def _demo(environment: dict[str, str]) -> tuple[float, int]:
    with tempfile.TemporaryDirectory(prefix="odyssey-bench-") as folder:
        clone = Path(folder) / "clone"
        copy_checkout(clone)
        command = [str(clone / "odyssey"), "demo", FLOW, "--json"]
        try:
            taken, output = run(command, cwd=clone, environment=environment)
        except Failed as error:
            broken = [
                f"{each['name']} ({each['detail']})"
                for each in _checks(error.output)
                if not each["ok"]
            ]
            raise Failed("; ".join(broken) or str(error)) from error
    checks = _checks(output)
    if not checks:
        raise Failed("The demo checked nothing.")
    return taken, len(checks)


def _checks(output: str) -> list[dict[str, Any]]:
    return [check for line in output.splitlines() for check in json.loads(line)["checks"]]


def copy_checkout(to: Path) -> None:
    """Copy what git has, or would be given, into an empty folder."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=paths.ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        source, target = paths.ROOT / name, to / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
