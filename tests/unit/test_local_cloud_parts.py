"""The parts of the local cloud and its manager that need no cloud."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from local_cloud import binary_media, function_errors, ground, seclusion, settling, transport
from odyssey_cli import cloud, paths
from odyssey_cli.commands import cloud as commands
from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from local_cloud.transport import App, Message, Receive, Scope, Send

RUNNING = cloud.Cloud(4566, "http://127.0.0.1:4566", 1, Path("state"), 0.0, 20.0)


# What the extension stands on


def test_the_pinned_version_is_the_one_that_is_installed() -> None:
    wanted = (paths.ROOT / "local_cloud" / "requirements.in").read_text()

    assert f"ministack=={ground.PINNED}\n" in wanted


def test_another_version_is_refused_with_both_versions() -> None:
    [sentence] = ground.problems("9.9.9", [])

    assert ground.PINNED in sentence
    assert "9.9.9" in sentence


def test_a_hook_that_is_gone_or_takes_something_else_is_named() -> None:
    # GIVEN a MiniStack with one of three names as expected
    def held(one: int, two: int) -> None: ...

    names = {"kept": held, "changed": held}
    hooks = [
        ground.Hook("somewhere", "kept", ("one", "two")),
        ground.Hook("somewhere", "changed", ("one",)),
        ground.Hook("somewhere", "gone"),
    ]

    def find(hook: ground.Hook) -> object:
        if hook.name not in names:
            raise AttributeError(hook.name)
        return names[hook.name]

    # WHEN it is checked
    said = ground.problems(ground.PINNED, hooks, find)

    # THEN the other two are named
    assert len(said) == 2
    assert "somewhere.changed" in said[0]
    assert "somewhere.gone" in said[1]


def test_a_hook_replaces_a_module_global(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("somewhere")
    module.name = 1  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "somewhere", module)

    ground.Hook("somewhere", "name").replace(lambda original: original + 1)

    assert module.name == 2


# The wire


def call(app: App, scope: dict[str, Any]) -> tuple[dict[str, Any], list[Message]]:
    """Send a request through `app`; return the scope that arrived and what was sent back."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        await app(scope, receive, send)

    asyncio.run(run())
    return scope, sent


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("client", "expected"),
    [
        (("127.0.0.1", 5), [(b"host", b"h"), (b"x-forwarded-proto", b"https")]),
        (("192.0.2.1", 5), [(b"host", b"h")]),
        (None, [(b"host", b"h")]),
    ],
)
def test_only_loopback_counts_as_tls_whatever_the_client_claims(
    client: tuple[str, int] | None, expected: list[tuple[bytes, bytes]]
) -> None:
    arrived: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        arrived.append(scope)

    headers = [(b"host", b"h"), (b"X-Forwarded-Proto", b"claimed")]
    call(
        transport.marked_as_tls(app),
        {"type": "http", "path": "/", "client": client, "headers": headers},
    )

    assert arrived[0]["headers"] == expected


@pytest.mark.enable_socket
def test_the_server_says_who_it_is() -> None:
    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError(scope)

    _, sent = call(
        transport.with_health(app, {"pid": 7}), {"type": "http", "path": transport.HEALTH}
    )

    assert sent[0]["status"] == 200
    assert sent[1]["body"] == b'{"pid": 7}'


@pytest.mark.enable_socket
def test_readiness_is_announced_once_start_up_is_complete() -> None:
    seen: list[str] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.failed"})
        seen.append("failed")
        await send({"type": "lifespan.startup.complete"})

    call(transport.when_ready(app, lambda: seen.append("ready")), {"type": "lifespan"})

    assert seen == ["failed", "ready"]


# What is added to AWS's behaviour


@pytest.mark.parametrize(
    ("header", "media_type"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("image/png", "image/png"),
        ("application/json; charset=utf-8", "application/json"),
        ("image/webp,image/*,*/*;q=0.8", "image/webp"),
    ],
)
def test_the_first_media_type_counts_and_none_is_json(header: str | None, media_type: str) -> None:
    assert binary_media.effective_media_type(header) == media_type


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ({"body": {"statusCode": 200, "body": "x"}}, None),
        ({"body": '{"statusCode": 502}'}, None),
        ({"body": None}, None),
        ({"body": "text"}, 502),
        ({"body": [1]}, 502),
        ({"body": {"statusCode": 200, "body": {}}}, 502),
        ({"error": True, "body": {"errorMessage": "x"}}, 502),
        ({"throttle": True, "body": {}}, 500),
    ],
)
def test_a_failed_invocation_has_a_status_of_the_gateways(
    result: dict[str, Any], status: int | None
) -> None:
    assert function_errors.failure(result) == status


@pytest.mark.parametrize(
    ("method", "body", "stack"),
    [
        ("POST", b"Action=ExecuteChangeSet&StackName=One&ChangeSetName=x", "One"),
        ("POST", b"Action=DeleteStack&StackName=arn%3Aaws%3Aone", "arn:aws:one"),
        ("POST", b"Action=DescribeStacks&StackName=One", None),
        ("POST", b"Action=DeleteStack", None),
        ("GET", b"", None),
    ],
)
def test_only_calls_that_set_a_stack_in_motion_are_held(
    method: str, body: bytes, stack: str | None
) -> None:
    assert settling.held_stack(method, body) == stack


def test_a_stack_is_in_progress_by_name_or_arn() -> None:
    stacks = [
        {"StackName": "one", "StackId": "arn:one", "StackStatus": "CREATE_IN_PROGRESS"},
        {"StackName": "two", "StackId": "arn:two", "StackStatus": "CREATE_COMPLETE"},
    ]

    assert settling.in_progress(stacks, "one")
    assert settling.in_progress(stacks, "arn:one")
    assert not settling.in_progress(stacks, "two")
    assert not settling.in_progress(stacks, "three")


def test_the_server_keeps_nothing_of_the_users_environment() -> None:
    given = {"PATH": "/bin", "AWS_PROFILE": "work", "PYTHONPATH": "/x", "GATEWAY_PORT": "1"}

    clean = seclusion.environment(given, port=5, tmp=Path("/state/tmp"))

    assert clean["PATH"] == "/bin"
    assert clean["GATEWAY_PORT"] == "5"
    assert clean["BIND_HOST"] == "127.0.0.1"
    assert not [name for name in clean if name.startswith(("AWS", "PYTHON"))]


def test_the_runtime_offers_the_sdk_and_what_it_requires(tmp_path: Path) -> None:
    seclusion.make_runtime(tmp_path / "runtime")

    found = {file.name for file in (tmp_path / "runtime").iterdir()}
    assert {"boto3", "botocore", "jmespath", "s3transfer", "urllib3", "six.py"} <= found
    assert not {"rich", "typer", "pytest"} & found


# The manager


def test_a_client_environment_leads_here_and_nowhere_else() -> None:
    given = {"PATH": "/bin", "AWS_PROFILE": "work", "AWS_ENDPOINT_URL_SQS": "x", "AWS_PAGER": ""}

    environment = RUNNING.client_environment(given)

    assert environment == RUNNING.environment() | {"PATH": "/bin", "AWS_PAGER": ""}


def test_a_proxy_is_passed_by_and_its_exceptions_are_kept() -> None:
    given = {"HTTPS_PROXY": "http://proxy", "NO_PROXY": "internal,localhost"}

    assert cloud.past_proxies({}) == {}
    expected = "internal,localhost,127.0.0.1,.localhost"
    assert cloud.past_proxies(given) == {"NO_PROXY": expected, "no_proxy": expected}


def test_shell_lines_take_away_before_they_set() -> None:
    lines = commands.shell_lines(RUNNING, {"AWS_PROFILE": "work", "AWS_BAD-NAME": "x"})

    assert "unset AWS_PROFILE" in lines
    assert "unset AWS_SESSION_TOKEN" in lines
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:4566" in lines
    assert all(re.fullmatch(r"unset \w+|export \w+=\S+", line) for line in lines)


def test_a_missing_installation_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "CLOUD_VENV", tmp_path / "none")

    with pytest.raises(OdysseyError, match="not installed"):
        cloud.start(tmp_path / "state")


def test_a_failed_start_shows_the_end_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a server that fails
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho this went wrong >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(paths, "CLOUD_VENV", tmp_path)

    # THEN the error says what it said
    with pytest.raises(OdysseyError, match="this went wrong") as raised:
        cloud.start(tmp_path / "state")
    assert str(tmp_path / "state" / "cloud.log") in raised.value.remedy


@pytest.mark.parametrize("written", ["", "{}", "[]", '{"pid": "x"}', '{"pid": -1, "port": 1}'])
def test_a_damaged_announcement_is_no_cloud(tmp_path: Path, written: str) -> None:
    (tmp_path / "cloud.json").write_text(written)

    assert cloud.find(tmp_path) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (75, "1 min 15 s"), (7_500, "2 h 5 min")]
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert commands.duration(seconds) == text
