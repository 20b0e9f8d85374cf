"""The local cloud's life: started once, found, told apart from others, ended whatever happens."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from odyssey_cli import cloud, paths
from odyssey_cli import target as targets
from odyssey_cli.commands import cloud as commands
from odyssey_cli.errors import OdysseyError
from tests.local.functions import function, invoke

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import psutil

# A handler that neither returns nor lets itself be asked to end.
STUBBORN = """
import signal, time
def handler(event, context):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    open(event, "w").close()
    time.sleep(60)
"""
START = """
import sys, time
from pathlib import Path
from odyssey_cli import cloud
print(cloud.start(Path(sys.argv[1]), with_parent="parent" in sys.argv).pid, flush=True)
if "parent" in sys.argv:
    time.sleep(60)
"""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "a state"
    yield folder
    cloud.stop(folder)


def starter(state: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a cloud from another process; it prints the server's pid."""
    return subprocess.Popen(
        [sys.executable, "-c", START, str(state), *arguments],
        cwd=paths.ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def occupy_worker(running: cloud.Cloud, tmp_path: Path) -> None:
    """Have a worker run a handler that does not end."""
    target = targets.at(running)
    begun = tmp_path / "begun"
    target.client("lambda").invoke(
        FunctionName=function(target, STUBBORN),
        InvocationType="Event",
        Payload=f'"{begun}"',
    )
    wait_for(begun.exists)


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.02)


def servers(state: Path) -> list[psutil.Process]:
    return [each for each in cloud.processes(state) if "local_cloud" in each.cmdline()]


def test_starting_twice_gives_one_cloud(state: Path) -> None:
    # GIVEN a running cloud
    first = cloud.start(state)

    # WHEN it is started again, for another port even
    second = cloud.start(state, port=first.port + 1)

    # THEN it is the same one
    assert first == second == cloud.find(state)
    assert len(servers(state)) == 1


def test_two_starts_at_the_same_time_give_one_cloud(state: Path) -> None:
    # WHEN two processes start a cloud on one folder
    both = [starter(state) for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in both]

    # THEN both have the same one, and it outlives them
    assert said[0] == said[1] == f"{servers(state)[0].pid}\n"
    assert len(servers(state)) == 1


@pytest.mark.parametrize("moment", [0.3, 0.6])
def test_a_start_that_was_killed_is_made_good_by_the_next(state: Path, moment: float) -> None:
    # GIVEN a start that was killed under way
    process = starter(state)
    time.sleep(moment)
    process.kill()
    process.communicate()

    # WHEN the cloud is started again
    running = cloud.start(state)

    # THEN it serves, alone
    assert cloud.healthy(running)
    assert [server.pid for server in servers(state)] == [running.pid]


def test_stopping_ends_every_process_even_a_stubborn_one(state: Path, tmp_path: Path) -> None:
    # GIVEN a cloud with a busy worker
    running = cloud.start(state)
    occupy_worker(running, tmp_path)
    before = cloud.processes(state)
    assert len(before) == 2

    # WHEN it is stopped
    begun = time.monotonic()
    was_running = cloud.stop(state)

    # THEN nothing of it is left, at once
    assert was_running
    assert time.monotonic() - begun < 2
    assert not any(cloud.is_alive(process) for process in before)
    assert cloud.find(state) is None
    assert {file.name for file in state.iterdir()} == {"cloud.log", "cloud.lock"}
    assert not cloud.stop(state)


def test_stopping_ends_workers_that_a_killed_server_left(state: Path, tmp_path: Path) -> None:
    # GIVEN a cloud whose server was killed while a worker was busy
    running = cloud.start(state)
    occupy_worker(running, tmp_path)
    os.kill(running.pid, signal.SIGKILL)
    wait_for(lambda: not servers(state))
    assert cloud.find(state) is None
    orphans = cloud.processes(state)
    assert len(orphans) == 1

    # WHEN it is stopped
    cloud.stop(state)

    # THEN the worker is gone too
    assert not any(cloud.is_alive(process) for process in orphans)


def test_a_cloud_ends_with_the_process_that_holds_it(state: Path, tmp_path: Path) -> None:
    # GIVEN a cloud that belongs to another process, with a busy worker
    parent = starter(state, "parent")
    assert parent.stdout is not None
    parent.stdout.readline()
    found = cloud.find(state)
    assert found is not None
    occupy_worker(found, tmp_path)

    # WHEN that process is killed
    parent.kill()
    parent.communicate()

    # THEN the cloud ends by itself, worker and files included
    wait_for(lambda: cloud.processes(state) == [])
    assert {file.name for file in state.iterdir()} == {"cloud.log", "cloud.lock"}


def test_a_reused_pid_is_not_taken_for_the_cloud(state: Path) -> None:
    # GIVEN the traces of a cloud whose pid another process has now: this one
    state.mkdir()
    (state / "cloud.json").write_text(
        f'{{"pid": {os.getpid()}, "port": 1, "endpoint": "", "started_at": 1}}'
    )

    # THEN there is no cloud, and stopping it harms nobody
    assert cloud.find(state) is None
    assert not cloud.stop(state)


def test_nothing_listens_anywhere_but_on_loopback(running: cloud.Cloud) -> None:
    # GIVEN a cloud that has served requests to several services
    target = targets.at(running)
    invoke(target, function(target, "def handler(event, context): return 1"))
    target.client("iot").create_thing(thingName="thing")
    target.client("rds").describe_db_instances()
    target.client("transfer").create_server()

    # WHEN one looks at what all of its processes listen on
    listening = {
        connection.laddr.ip
        for process in cloud.processes(running.state)
        for connection in process.net_connections(kind="inet")
        if connection.laddr and not connection.raddr
    }

    # THEN it is loopback
    assert listening == {"127.0.0.1"}


def test_two_clouds_side_by_side_do_not_meet(running: cloud.Cloud, state: Path) -> None:
    # GIVEN a second cloud
    second = cloud.start(state)
    one, other = targets.at(running), targets.at(second)
    assert one.endpoint != other.endpoint

    # WHEN both make something of the same name
    for target, content in ((one, b"one"), (other, b"other")):
        s3 = target.client("s3")
        s3.create_bucket(Bucket="same")
        s3.put_object(Bucket="same", Key="key", Body=content)

    # THEN each has its own, and ending one leaves the other alone
    for target, content in ((one, b"one"), (other, b"other")):
        assert target.client("s3").get_object(Bucket="same", Key="key")["Body"].read() == content
    cloud.stop(state)
    assert cloud.healthy(running)
    assert one.client("s3").get_object(Bucket="same", Key="key")["Body"].read() == b"one"


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_a_taken_port_is_refused_with_its_holder(state: Path, taken_port: int) -> None:
    with pytest.raises(cloud.PortTakenError, match=f"pid {os.getpid()}"):
        cloud.start(state, taken_port)
    assert cloud.processes(state) == []


@pytest.fixture
def odyssey(state: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    """The commands, on a state folder of the test's own."""
    monkeypatch.setattr(cloud, "LOCAL_STATE", state)
    monkeypatch.setattr(cloud, "kept_states", list)
    app = typer.Typer()
    commands.register(app)
    return app


def test_up_takes_another_port_when_the_usual_one_is_taken(
    odyssey: typer.Typer, taken_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a usual port that this process has
    monkeypatch.setattr(cloud, "USUAL_PORT", taken_port)

    # WHEN the cloud is started, looked at and ended
    up = CliRunner().invoke(odyssey, ["up"])
    status = CliRunner().invoke(odyssey, ["status"])
    again = CliRunner().invoke(odyssey, ["up", "--port", str(taken_port)])
    down = CliRunner().invoke(odyssey, ["down"])
    afterwards = CliRunner().invoke(odyssey, ["status"])

    # THEN it runs elsewhere, and says why
    assert (up.exit_code, status.exit_code, down.exit_code) == (0, 0, 0)
    assert f"Port {taken_port} is taken by" in up.stderr
    assert "http://127.0.0.1:" in up.stdout
    assert "http://127.0.0.1:" in status.stdout
    assert isinstance(again.exception, OdysseyError)
    assert "already runs" in again.exception.problem
    assert "No local cloud is running." in afterwards.stdout


def test_a_shell_that_evaluates_up_env_reaches_the_cloud(
    odyssey: typer.Typer, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a shell whose variables lead to an account, past a proxy
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "https://elsewhere.example")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    cloud.start(state)
    lines = CliRunner().invoke(odyssey, ["up", "--env"]).stdout

    # WHEN it evaluates the lines and uses an AWS client
    program = "import boto3; print(boto3.client('sqs').create_queue(QueueName='mine')['QueueUrl'])"
    script = 'eval "$LINES"; exec "$PYTHON" -c "$PROGRAM"'
    ran = subprocess.run(
        ["sh", "-c", script],
        env=os.environ | {"LINES": lines, "PYTHON": sys.executable, "PROGRAM": program},
        capture_output=True,
        text=True,
        check=False,
    )

    # THEN the client is at the local cloud
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip().endswith("/000000000000/mine")
    assert all(line.startswith(("export ", "unset ")) for line in lines.splitlines())


def test_starts_of_different_clouds_do_not_wait_for_each_other(tmp_path: Path) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    try:
        with ThreadPoolExecutor() as pool:
            first, second = pool.map(cloud.start, folders)
        assert first.port != second.port
        assert cloud.healthy(first)
        assert cloud.healthy(second)
    finally:
        for folder in folders:
            cloud.stop(folder)
