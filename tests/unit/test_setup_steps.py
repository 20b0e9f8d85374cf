"""What set-up decides; that its tools really install is in tests/local/test_setup.py."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

from odyssey_cli import setup
from odyssey_cli.setup import Interrupted, SetupError, Tools

LOCK = """\
uvicorn==1.0 \\
    --hash=sha256:no
uv==0.13.8 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
werkzeug==3.1.9 \\
    --hash=sha256:cc
"""
STAMP = "123 456 Linux x86_64 /home/me/a b"


def ignore(_line: str) -> None:
    pass


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    state = tmp_path / ".odyssey"
    monkeypatch.setattr(setup, "STATE", state)
    monkeypatch.setattr(setup, "VENV", state / "venv")
    monkeypatch.setattr(setup, "CLOUD", state / "cloud")
    return state


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    return Tools(os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT))


def until(condition: Callable[[], bool]) -> bool:
    """Wait until something holds; say whether it came to."""
    deadline = time.monotonic() + 5
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Steps:
    """Stands in for the steps: records how it was called, and may fail."""

    def __init__(self, state: Path, failure: BaseException | None = None) -> None:
        self.state = state
        self.failure = failure
        self.kept: list[bool] = []
        self.stamped_meanwhile = False

    def __call__(self, _tools: Tools, *, keep: bool, say: Callable[[str], None]) -> None:
        say("working")
        self.kept.append(keep)
        self.stamped_meanwhile = (self.state / "ready").exists()
        if self.failure:
            raise self.failure


def complete(state: Path, stamp: str) -> None:
    """Leave what a complete set-up leaves."""
    for venv in ("venv", "cloud"):
        (state / venv / "bin").mkdir(parents=True)
        (state / venv / "bin" / "python").touch()
    (state / "ready").write_text(stamp + "\n")


def test_the_stamp_is_written_when_everything_is_done_and_not_before(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    complete(state, "other " + STAMP)
    steps = Steps(state)
    monkeypatch.setattr(setup, "set_up", steps)

    # WHEN
    setup.ensure_ready(STAMP, ignore)

    # THEN
    assert not steps.stamped_meanwhile
    assert (state / "ready").read_text() == STAMP + "\n"


@pytest.mark.parametrize("failure", [SetupError("a", "b"), Interrupted(2), OSError("full")])
def test_a_set_up_that_does_not_end_leaves_no_stamp(
    state: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    # GIVEN
    complete(state, STAMP)
    monkeypatch.setattr(setup, "set_up", Steps(state, failure))

    # WHEN
    with pytest.raises(type(failure)):
        setup.ensure_ready(STAMP, ignore)

    # THEN
    assert not (state / "ready").exists()


@pytest.mark.parametrize(
    ("before", "keep"),
    [
        ("999 999 Linux x86_64 /home/me/a b", True),
        ("123 456 Linux x86_64 /home/me/elsewhere", False),
        ("123 456 Linux aarch64 /home/me/a b", False),
        ("", False),
    ],
)
def test_environments_are_kept_only_after_a_complete_set_up_in_the_same_place(
    state: Path, monkeypatch: pytest.MonkeyPatch, before: str, keep: bool
) -> None:
    # GIVEN
    complete(state, before)
    steps = Steps(state)
    monkeypatch.setattr(setup, "set_up", steps)

    # WHEN
    setup.ensure_ready(STAMP, ignore)

    # THEN
    assert steps.kept == [keep]


def test_an_environment_whose_python_is_gone_is_made_anew(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    complete(state, STAMP)
    python = state / "cloud" / "bin" / "python"
    python.unlink()
    python.symlink_to("/no/such/python")
    steps = Steps(state)
    monkeypatch.setattr(setup, "set_up", steps)

    # WHEN
    setup.ensure_ready(STAMP, ignore)

    # THEN
    assert steps.kept == [False]


def test_a_second_set_up_waits_says_so_and_finds_the_work_done(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN one that is under way
    state.mkdir()
    steps = Steps(state)
    monkeypatch.setattr(setup, "set_up", steps)
    first, _ = setup.lock(ignore)
    said: list[str] = []
    waiting = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        waiting.set()

    # WHEN
    second = threading.Thread(target=setup.ensure_ready, args=(STAMP, say))
    second.start()
    assert waiting.wait(5)
    (state / "ready").write_text(STAMP + "\n")
    os.close(first)
    second.join(5)

    # THEN
    assert not second.is_alive()
    assert said == ["Another set-up of this checkout is running; waiting for it to end."]
    assert steps.kept == []


def test_a_lock_gives_a_package_with_all_its_hashes_and_nothing_else() -> None:
    assert setup.requirement(LOCK, "uv") == (
        "uv==0.13.8 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    )
    with pytest.raises(SetupError):
        setup.requirement(LOCK, "pip")


def test_the_real_lock_pins_uv_with_hashes() -> None:
    assert setup.requirement(setup.LOCK.read_text(), "uv").count("--hash=sha256:") > 5


def test_only_modules_of_the_cdk_are_compiled() -> None:
    source = """
from aws_cdk import App, aws_lambda as lambda_, aws_sqs
from aws_cdk.aws_dynamodb import TableV2
import aws_cdk.aws_iam, json
"""
    assert setup.cdk_modules(source) == {
        "aws_cdk",
        "aws_cdk.aws_lambda",
        "aws_cdk.aws_sqs",
        "aws_cdk.aws_dynamodb",
        "aws_cdk.aws_iam",
    }


def test_a_tool_that_fails_is_reported_with_what_it_printed(tools: Tools) -> None:
    with pytest.raises(SetupError) as caught:
        tools.run(["sh", "-c", "echo out; echo err >&2; exit 3"], "It failed.", "Mend it.")
    assert caught.value.output.split() == ["out", "err"]
    assert (caught.value.problem, caught.value.remedy) == ("It failed.", "Mend it.")


def test_abandoning_ends_a_tool_with_its_children_and_starts_no_more(
    tools: Tools, tmp_path: Path
) -> None:
    # GIVEN a tool that waits for its child
    child = tmp_path / "child"
    script = f"sleep 60 & echo $! > '{child}.new'; mv '{child}.new' '{child}'; wait"
    problems: list[SetupError] = []

    def run() -> None:
        try:
            tools.attempt(["sh", "-c", script])
        except SetupError as error:
            problems.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert until(child.exists)

    # WHEN
    tools.abandon()
    thread.join(5)

    # THEN
    assert len(problems) == 1
    assert until(lambda: not runs(int(child.read_text())))
    with pytest.raises(SetupError):
        tools.attempt(["true"])


def test_a_tool_keeps_the_lock_when_set_up_itself_is_killed(state: Path) -> None:
    # GIVEN
    state.mkdir()
    lock, _ = setup.lock(ignore)
    holder = subprocess.Popen(["sleep", "60"], pass_fds=[lock])

    # WHEN
    os.close(lock)

    # THEN
    waited = threading.Event()
    second = threading.Thread(target=setup.lock, args=(lambda _line: waited.set(),))
    second.start()
    assert waited.wait(5)
    holder.kill()
    holder.wait()
    second.join(5)
    assert not second.is_alive()


class Recorder(Tools):
    """Runs nothing; answers each command by what it contains."""

    def __init__(self, *succeed: str, index: str = "") -> None:
        super().__init__(0)
        self.succeed = succeed
        self.index = index
        self.commands: list[list[str]] = []
        self.indexes: list[str | None] = []

    def attempt(self, command: Sequence[str | Path], **environment: str) -> tuple[bool, str]:
        words = [str(word) for word in command]
        if "config" in words:
            return True, self.index + "\n"
        self.commands.append(words)
        self.indexes.append(environment.get("UV_DEFAULT_INDEX"))
        given = {*words, *(f"{name}={value}" for name, value in environment.items())}
        return bool(given & set(self.succeed)), "output"


def test_what_uv_has_in_its_cache_needs_no_network() -> None:
    tools = Recorder("--offline")
    setup.uv_pip(tools, "sync", "lock", python=Path("venv"), problem="It failed.")
    assert ["--offline" in command for command in tools.commands] == [True]


def test_what_uv_cannot_get_its_own_way_comes_from_pips_index(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    mirror = "https://mirror.example/simple"
    tools = Recorder(f"UV_DEFAULT_INDEX={mirror}", index=mirror)

    # WHEN
    setup.uv_pip(tools, "sync", "lock", python=Path("venv"), problem="It failed.")

    # THEN
    assert tools.indexes == [None, None, mirror]


def test_an_index_that_the_user_gave_uv_is_not_overruled(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://users.example/simple")
    tools = Recorder(index="https://mirror.example/simple")

    # WHEN
    with pytest.raises(SetupError, match="It failed") as caught:
        setup.uv_pip(tools, "sync", "lock", python=Path("venv"), problem="It failed.")

    # THEN
    assert tools.indexes == [None, None]
    assert caught.value.output == "output"


@pytest.mark.parametrize(
    ("failure", "code", "said"),
    [
        (
            SetupError("It broke.", "Mend it.", "one\ntwo"),
            1,
            "  | one\n  | two\nerror: It broke.\nMend it.\n",
        ),
        (
            Interrupted(signal.SIGINT),
            130,
            "Set-up was interrupted; the next run starts it afresh.\n",
        ),
        (
            Interrupted(signal.SIGTERM),
            143,
            "Set-up was interrupted; the next run starts it afresh.\n",
        ),
    ],
)
def test_a_failure_is_said_in_sentences_and_by_the_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failure: BaseException,
    code: int,
    said: str,
) -> None:
    # GIVEN
    def fail(_stamp: str, _say: Callable[[str], None]) -> None:
        raise failure

    monkeypatch.setattr(setup, "ensure_ready", fail)
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    # WHEN / THEN
    assert setup.main([STAMP, "demo"]) == code
    assert capsys.readouterr().err == said
