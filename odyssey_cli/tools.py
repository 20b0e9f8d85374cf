"""Runs set-up's tools and ends them again; standard library only, like set-up itself."""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class SetupError(Exception):
    """Says in one sentence what is wrong and in one what to do; may carry a tool's output."""

    def __init__(self, problem: str, remedy: str, output: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.output = output


class Interrupted(BaseException):
    """A signal asked set-up to stop."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class Tools:
    """Runs the tools, and ends those still running when set-up is abandoned.

    Each runs in a process group of its own and inherits the lock: should set-up itself be
    killed, the next one waits until what it left behind has stopped writing.

    Args:
        lock: File descriptor that holds the lock of this checkout.
    """

    def __init__(self, lock: int) -> None:
        self._lock = lock
        self._guard = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._abandoned = False

    def attempt(self, command: Sequence[str | Path], **environment: str) -> tuple[bool, str]:
        """Run a tool in the checkout; return whether it succeeded and what it printed."""
        with tempfile.TemporaryFile() as output:
            with self._guard:
                if self._abandoned:
                    raise SetupError("Set-up was abandoned.", "Run it again.")
                process = subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env={**os.environ, **environment},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=[self._lock],
                )
                self._running.add(process)
            ok = process.wait() == 0
            with self._guard:
                self._running.discard(process)
                if self._abandoned:
                    raise SetupError("Set-up was abandoned.", "Run it again.")
            output.seek(0)
            return ok, output.read().decode(errors="replace")

    def run(
        self, command: Sequence[str | Path], problem: str, remedy: str, **environment: str
    ) -> str:
        """Run a tool in the checkout; return what it printed.

        Raises:
            SetupError: It failed.
        """
        ok, output = self.attempt(command, **environment)
        if not ok:
            raise SetupError(problem, remedy, output)
        return output

    def abandon(self) -> None:
        """End every tool, and start no more."""
        with self._guard:
            self._abandoned = True
            for process in self._running:
                _signal_group(process, signal.SIGTERM)
            deadline = time.monotonic() + 3
            for process in self._running:
                try:
                    process.wait(max(0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    _signal_group(process, signal.SIGKILL)


def _signal_group(process: "subprocess.Popen[bytes]", signum: int) -> None:
    # It may have ended; macOS then says EPERM where Linux says ESRCH.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signum)
