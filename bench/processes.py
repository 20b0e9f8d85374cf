"""Runs the other programs that a benchmark times."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

from odyssey_cli import paths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# A user's own settings of these would be measured, not the project.
_NOT_OURS = ("AWS_", "CDK_", "ODYSSEY_", "JSII_", "POWERTOOLS_")
_NEEDED = ("AWS_CA_BUNDLE",)


class Failed(Exception):  # noqa: N818 - reads as the statement it is
    """A program that was to be timed failed.

    Args:
        reason: the end of what it said.
        output: all that it put on standard output.
    """

    def __init__(self, reason: str, output: str = "") -> None:
        super().__init__(reason)
        self.output = output


def clean_environment(**more: str) -> dict[str, str]:
    """Return the environment without cloud settings and without this checkout's tools."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _NEEDED or not name.startswith(_NOT_OURS)
    }
    for name in ("VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME"):
        kept.pop(name, None)
    folders = kept.get("PATH", "").split(os.pathsep)
    own = str(paths.STATE)
    kept["PATH"] = os.pathsep.join(each for each in folders if not each.startswith(own))
    return kept | more


def project_environment(**more: str) -> dict[str, str]:
    """Return the clean environment with this checkout's tools."""
    environment = clean_environment(JSII_NODE=str(paths.VENV / "bin" / "node"), **more)
    environment["PATH"] = f"{paths.VENV / 'bin'}{os.pathsep}{environment['PATH']}"
    return environment


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    stdin: str | None = None,
) -> tuple[float, str]:
    """Run a program; return how many seconds it took and its standard output.

    Raises:
        Failed: it did not exit with 0.
    """
    begun = time.monotonic()
    process = subprocess.Popen(
        command, cwd=cwd, env=dict(environment), text=True,
        stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        output, said = process.communicate(stdin)
    except BaseException:
        # The program ends what it started itself.
        process.terminate()
        process.wait()
        raise
    taken = time.monotonic() - begun
    if process.returncode != 0:
        last = (said.strip() or output.strip()).splitlines()[-6:]
        raise Failed(f"{' '.join(command)} failed: {' | '.join(last)}", output)
    return taken, output
