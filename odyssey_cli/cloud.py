"""Starts, finds and ends the local cloud, and says how clients reach it.

Everything about a running cloud is in its state folder: `cloud.json` (written by the server
once it is ready), `cloud.log`, and what it stores meanwhile. A process belongs to a cloud when
the folder's path is in its command line or its environment, so a reused pid is never taken for
a cloud, and workers are found also when the server that started them is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from odyssey_cli import paths
from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

REGION = "us-east-1"
ACCOUNT = "000000000000"
USUAL_PORT = 4566
MARK = "ODYSSEY_CLOUD"
# Where clouds live: the user's, and those of demos, which are marked when they are to stay.
LOCAL_STATE = paths.STATE / "local"
DEMO_PREFIX = "demo-"
KEPT = "kept"

# Settings of the shell that say nothing about where calls go.
_HARMLESS = {"AWS_PAGER", "AWS_DEFAULT_OUTPUT", "AWS_CLI_AUTO_PROMPT", "AWS_CLI_HISTORY_FILE"}
# Variables that would send calls elsewhere or sign them with something else.
_DISTURBING = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE")
_PORT_TAKEN = 98  # as in local_cloud.__main__
_PATIENCE = 2.0  # seconds a process gets between SIGTERM and SIGKILL


class PortTakenError(OdysseyError):
    """The wanted port has another listener."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.holder = holder(port)
        who = self.holder or "another process that this user may not look into"
        super().__init__(
            f"Port {port} of 127.0.0.1 is taken by {who}.",
            "Leave out --port for a free one, choose another port, or end that process.",
        )


@dataclass(frozen=True)
class Cloud:
    """A running local cloud.

    Attributes:
        port: The port of 127.0.0.1 it listens on.
        endpoint: Its URL, for every service.
        pid: The server's process.
        state: Its state folder.
        started_at: When it was ready to serve, in seconds since 1970.
        clock_scale: How many seconds of AWS pass there in one.
    """

    port: int
    endpoint: str
    pid: int
    state: Path
    started_at: float
    clock_scale: float

    def environment(self) -> dict[str, str]:
        """Return the variables that send an AWS client, or the CDK CLI, to this cloud."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ENDPOINT_URL_S3": self.endpoint,  # the CDK CLI does not read the general one
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "ODYSSEY_TARGET": "local",
        }

    def without(self, environ: Mapping[str, str]) -> list[str]:
        """Return the names of the variables that a client of this cloud must not have.

        Args:
            environ: The environment the client would otherwise inherit.
        """
        given = {
            name
            for name in environ
            if name.startswith("AWS_") and name not in _HARMLESS | self.environment().keys()
        }
        return sorted(given.union(_DISTURBING))

    def client_environment(self, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return a whole environment for a client process: `environ`, turned to this cloud."""
        environ = os.environ if environ is None else environ
        unwanted = set(self.without(environ))
        kept = {name: value for name, value in environ.items() if name not in unwanted}
        return kept | self.environment() | past_proxies(environ)


def past_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what keeps loopback calls from a proxy, if `environ` sends calls to one."""
    if not any(name.lower().endswith("_proxy") for name in environ):
        return {}
    there = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    hosts = [host for host in there.split(",") if host]
    hosts += [host for host in ("127.0.0.1", "localhost", ".localhost") if host not in hosts]
    return {"NO_PROXY": ",".join(hosts), "no_proxy": ",".join(hosts)}


@dataclass
class _Started:
    """What this process holds of a cloud that it started."""

    process: subprocess.Popen[bytes]
    pipe: int | None

    def release(self) -> None:
        if self.pipe is not None:
            os.close(self.pipe)
            self.pipe = None
        self.process.wait()


_started: dict[Path, _Started] = {}


def find(state_dir: Path) -> Cloud | None:
    """Return the cloud that runs on this state folder, or None."""
    state = state_dir.resolve()
    try:
        written = json.loads((state / "cloud.json").read_text())
        cloud = Cloud(
            port=int(written["port"]),
            endpoint=str(written["endpoint"]),
            pid=int(written["pid"]),
            state=state,
            started_at=float(written["started_at"]),
            clock_scale=float(written["clock_scale"]),
        )
        process = psutil.Process(cloud.pid)
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None
    return cloud if _is_server(process, state) else None


def kept_states() -> list[Path]:
    """Return the state folders of the clouds that `demo --keep` left."""
    return [marker.parent for marker in paths.STATE.glob(f"{DEMO_PREFIX}*/{KEPT}")]


def find_any() -> Cloud | None:
    """Return the user's cloud, or else the newest that `demo --keep` left, or None."""
    kept = [running for state in kept_states() if (running := find(state))]
    return find(LOCAL_STATE) or max(kept, key=lambda each: each.started_at, default=None)


def healthy(cloud: Cloud, timeout: float = 2.0) -> bool:
    """Say whether this very cloud answers on its port."""
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=timeout)
    try:
        connection.request("GET", "/_odyssey/health")
        answer = connection.getresponse()
        return bool(json.loads(answer.read()).get("pid") == cloud.pid)
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def start(
    state_dir: Path, port: int = 0, *, with_parent: bool = False, timeout: float = 60.0
) -> Cloud:
    """Start a local cloud, or return the one that already runs on the folder.

    Args:
        state_dir: Its state folder; one cloud per folder.
        port: The port to listen on, 0 for a free one. One that already runs keeps its own.
        with_parent: End it when this process ends, however it ends.
        timeout: Seconds it may take until it serves.

    Raises:
        PortTakenError: Another process listens on the port.
        OdysseyError: It cannot be started; the message has the last lines of its log.
    """
    state = state_dir.resolve()
    state.mkdir(parents=True, exist_ok=True)
    with _locked(state):
        if (running := find(state)) and healthy(running, timeout=10):
            return running
        _end_all(state)
        return _launch(state, port, with_parent=with_parent, timeout=timeout)


def stop(state_dir: Path) -> bool:
    """End every process of the folder's cloud, workers included; say whether there was one."""
    state = state_dir.resolve()
    if not state.is_dir():
        return False
    with _locked(state):
        return _end_all(state)


def processes(state_dir: Path) -> list[psutil.Process]:
    """Return all processes that belong to the folder's cloud, the server's included."""
    state = state_dir.resolve()
    return [process for process in psutil.process_iter() if _belongs(process, state)]


def holder(port: int) -> str | None:
    """Say who listens on a port, as "name (pid N)", or None if that cannot be seen."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            for connection in process.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return f"{process.name()} (pid {process.pid})"
    return None


def log_tail(state_dir: Path, lines: int = 15) -> str:
    """Return the last lines of the server's log, "" when there is none."""
    try:
        text = (state_dir / "cloud.log").read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def _launch(state: Path, port: int, *, with_parent: bool, timeout: float) -> Cloud:
    python = paths.CLOUD_VENV / "bin" / "python"
    if not python.exists():
        raise OdysseyError(
            "The local cloud is not installed in this checkout.",
            "Run ./odyssey doctor, which installs it and says what is missing.",
        )
    command = [str(python), "-m", "local_cloud", "--state", str(state), "--port", str(port)]
    inherited, pipe = os.pipe() if with_parent else (None, None)
    with (state / "cloud.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--with-parent"] if with_parent else command,
            cwd=paths.ROOT,  # puts the package on the server's path, and on no worker's
            env=_server_environment(state),
            stdin=subprocess.DEVNULL if inherited is None else inherited,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    if inherited is not None:
        os.close(inherited)
    _started[state] = _Started(process, pipe)
    try:
        return _wait_until_ready(state, process, port, timeout)
    except BaseException:
        _end_all(state)
        raise


def _server_environment(state: Path) -> dict[str, str]:
    environment = {
        # Node runs the CDK's own functions; the launcher brings it.
        "PATH": os.pathsep.join([str(paths.VENV / "bin"), os.environ.get("PATH", os.defpath)]),
        "NODE_PATH": str(paths.NODE_MODULES),
        MARK: str(state),
    }
    if library_path := os.environ.get("LD_LIBRARY_PATH"):
        environment["LD_LIBRARY_PATH"] = library_path
    return environment


def _wait_until_ready(
    state: Path, process: subprocess.Popen[bytes], port: int, timeout: float
) -> Cloud:
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        if (cloud := find(state)) and cloud.pid == process.pid and healthy(cloud):
            return cloud
        time.sleep(0.03)
    if process.poll() == _PORT_TAKEN:
        raise PortTakenError(port)
    ended = "ended at once" if process.poll() is not None else f"was not ready in {timeout:.0f} s"
    raise OdysseyError(
        f"The local cloud {ended}. The end of its log:\n{log_tail(state) or '(empty)'}",
        f"The whole log is {state / 'cloud.log'}; ./odyssey doctor checks the set-up.",
    )


def _end_all(state: Path) -> bool:
    mine = processes(state)
    # The server first: it ends its workers itself, and must not start new ones meanwhile.
    mine.sort(key=lambda process: not _is_server(process, state))
    _signal(mine, signal.SIGTERM)
    alive = _wait_until_gone(mine, _PATIENCE)
    while alive:
        _signal(alive, signal.SIGKILL)
        _wait_until_gone(alive, 1)
        alive = processes(state)  # what a worker started before it was killed
    if held := _started.pop(state, None):
        held.release()
    for announcement in state.glob("cloud.json*"):
        announcement.unlink(missing_ok=True)
    shutil.rmtree(state / "tmp", ignore_errors=True)
    return bool(mine)


def _signal(targets: list[psutil.Process], number: signal.Signals) -> None:
    for process in targets:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def _wait_until_gone(targets: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until the processes have ended; return those that have not."""
    until = time.monotonic() + seconds
    while (alive := [each for each in targets if is_alive(each)]) and time.monotonic() < until:
        time.sleep(0.01)
    return alive


def is_alive(process: psutil.Process) -> bool:
    """Say whether a process still runs; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _is_server(process: psutil.Process, state: Path) -> bool:
    try:
        command = process.cmdline()
    except psutil.Error:
        return False
    return "local_cloud" in command and str(state) in command


def _belongs(process: psutil.Process, state: Path) -> bool:
    if process.pid == os.getpid():
        return False
    if _is_server(process, state):
        return True
    own = str(state / "tmp") + os.sep
    with contextlib.suppress(psutil.Error, OSError):
        # A worker's program lies in the cloud's own folder for temporary files.
        if any(word.startswith(own) for word in process.cmdline()):
            return True
        return process.environ().get(MARK) == str(state)
    return False


@contextlib.contextmanager
def _locked(state: Path) -> Iterator[None]:
    """Let one process at a time start or end the cloud of a folder."""
    with (state / "cloud.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
