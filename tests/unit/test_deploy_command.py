"""What deploying does around the CDK: who may log in, which image stays, and what it costs."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from odyssey_cli import audit, cdk, kept_image
from odyssey_cli.cloud import Cloud
from odyssey_cli.commands import stacks
from odyssey_cli.console import err
from odyssey_cli.errors import OdysseyError
from odyssey_cli.target import Target

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = "203.0.113.7"
PRICE = "The NAT gateway costs 36.50 USD a month [bold] in us-east-1."
NAMES = ["Operations", "Network", "Ingest"]
NOTES = {"Network": [PRICE], "Ingest": ["About the intake."]}


class Steps:
    """What deploying and destroying do, one after the other, without doing it."""

    def __init__(self, folder: Path) -> None:
        self.done: list[str] = []
        self.context: dict[str, str] = {}
        self.said: list[str] = []
        self.left: list[str] = []
        self.failing = ""
        (folder / "cdk.out").mkdir()
        (folder / "cdk.out" / "manifest.json").touch()
        self.target = Target({"AWS_REGION": "eu-north-1"}, folder, None)

    def do(self, step: str) -> None:
        self.done.append(step)
        if step == self.failing:
            raise OdysseyError(f"{step} failed.", "Try again.")

    def public_address(self) -> str:
        self.do("ask")
        return ADDRESS

    def resolve(self, name: str, *, yes: bool) -> Target:
        assert (name, yes) == ("local", False)
        self.do("resolve")
        return self.target

    def remember(self, to: Target) -> None:
        assert to is self.target
        self.do("remember")

    def synthesize(
        self, to: Target, *, context: dict[str, str] | None = None, validate: bool = False
    ) -> Path:
        # The rules take some seconds, and are the AWS account's.
        assert validate == (to.local is None)
        self.context = context or {}
        self.do("synthesize")
        return to.state / "cdk.out"

    def notes(self, assembly: Path, names: list[str]) -> list[str]:
        assert assembly == self.target.state / "cdk.out"
        return [note for name in names for note in NOTES.get(name, [])]


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Steps:
    made = Steps(tmp_path)
    for name in ("resolve", "public_address"):
        monkeypatch.setattr(stacks, name, getattr(made, name))
    monkeypatch.setattr(kept_image, "remember", made.remember)
    monkeypatch.setattr(stacks, "hosts_left", lambda _: made.left)
    monkeypatch.setattr(audit, "record_before", lambda _: made.do("look"))
    for name in ("synthesize", "notes"):
        monkeypatch.setattr(cdk, name, getattr(made, name))
    monkeypatch.setattr(cdk, "stacks", lambda _: NAMES)
    for name in ("bootstrap", "deploy", "destroy"):
        monkeypatch.setattr(cdk, name, lambda *_, step=name, **__: made.do(step))
    monkeypatch.setattr(Target, "outputs", lambda *_: {})
    # The bar of progress is not what is looked at.
    monkeypatch.setattr(stacks, "steps", lambda: nullcontext(lambda *_: None))
    monkeypatch.setattr(err, "print", lambda text: made.said.append(str(text)))
    return made


def run(*arguments: str) -> Any:
    app = typer.Typer()
    stacks.register(app)
    return CliRunner().invoke(app, list(arguments))


def refusal(*arguments: str) -> OdysseyError:
    """Return the error with which a command ends."""
    error = run(*arguments).exception
    assert isinstance(error, OdysseyError)
    return error


def test_without_my_ip_nobody_is_asked_and_ssh_stays_off(steps: Steps) -> None:
    assert run("deploy").exit_code == 0
    assert "ask" not in steps.done
    assert steps.context == {}


def test_my_ip_lets_the_one_address_in_and_keeps_the_other_settings(steps: Steps) -> None:
    assert run("deploy", "Network", "--my-ip", "-c", "stage=prod").exit_code == 0
    assert steps.context == {"stage": "prod", "ssh_cidr": f"{ADDRESS}/32"}
    assert steps.done.count("ask") == 1


@pytest.mark.parametrize("value", ["198.51.100.1/32", f"{ADDRESS}/32", ""])
def test_my_ip_and_a_cidr_are_refused_before_anybody_is_asked(steps: Steps, value: str) -> None:
    error = refusal("deploy", "--my-ip", "-c", f"ssh_cidr={value}")
    assert error.problem == "--my-ip and -c ssh_cidr both say who may."
    assert steps.done == []


def test_a_cidr_of_one_s_own_is_taken_as_it_is(steps: Steps) -> None:
    run("deploy", "-c", "ssh_cidr=198.51.100.0/24")
    assert steps.context == {"ssh_cidr": "198.51.100.0/24"}
    assert "ask" not in steps.done


def test_an_address_that_nobody_says_stops_before_anything_is_done(steps: Steps) -> None:
    steps.failing = "ask"
    assert refusal("deploy", "--my-ip").problem == "ask failed."
    assert steps.done == ["ask"]


def test_the_image_is_kept_before_the_synth_that_needs_it_and_after_the_deployment(
    steps: Steps,
) -> None:
    # A host that plain `cdk deploy` made is known before it could be replaced.
    run("deploy")
    assert steps.done == ["resolve", "remember", "synthesize", "deploy", "remember"]


def test_the_image_is_kept_when_another_stack_fails_after_the_one_with_hosts(steps: Steps) -> None:
    steps.failing = "deploy"
    assert refusal("deploy").problem == "deploy failed."
    assert steps.done[-2:] == ["deploy", "remember"]


@pytest.mark.parametrize("command", ["deploy", "destroy"])
def test_who_has_to_do_with_other_stacks_only_need_not_see_hosts(
    steps: Steps, command: str
) -> None:
    steps.left = ["i-0123456789abcdef0"]
    assert run(command, "Ingest").exit_code == 0
    assert "remember" not in steps.done
    assert "i-0123456789abcdef0" not in "".join(steps.said)


def test_my_ip_is_refused_where_it_would_do_nothing(steps: Steps) -> None:
    assert "Network" in refusal("deploy", "Ingest", "--my-ip").problem
    assert steps.done == []


def test_a_host_that_a_deployment_could_not_terminate_is_told_of(steps: Steps) -> None:
    # GIVEN a protected host that the template no longer has
    steps.left = ["i-0123456789abcdef0"]

    # WHEN it was deployed
    run("deploy", "Network")

    # THEN it says how the host goes
    [said] = [each for each in steps.said if each != PRICE]
    assert "is billed" in said
    aws = "aws --region eu-north-1 ec2"
    assert f"{aws} modify-instance-attribute --instance-id i-0123456789abcdef0" in said
    assert f"{aws} terminate-instances --instance-ids i-0123456789abcdef0" in said


def test_a_local_cloud_is_bootstrapped_in_between(steps: Steps, tmp_path: Path) -> None:
    running = Cloud(
        port=4566,
        endpoint="http://127.0.0.1:4566",
        pid=1,
        state=tmp_path,
        started_at=0,
        clock_scale=20,
    )
    steps.target = Target({}, tmp_path, running)
    run("deploy")
    assert steps.done == [
        *("resolve", "remember", "synthesize"),
        *("bootstrap", "look", "deploy", "remember"),
    ]


def test_the_image_of_a_destroyed_host_is_forgotten(steps: Steps) -> None:
    assert run("destroy", "Network").exit_code == 0
    assert steps.done == ["resolve", "destroy", "remember"]


@pytest.mark.parametrize(
    ("named", "notes"),
    [
        ([], [PRICE, "About the intake."]),
        (["Network"], [PRICE]),
        (["Operations"], []),
    ],
)
def test_what_the_stacks_cost_is_said_as_it_is_written(
    steps: Steps, named: list[str], notes: list[str]
) -> None:
    run("deploy", *named)
    assert steps.said == notes


def test_an_unknown_stack_is_refused_before_the_deployment(steps: Steps) -> None:
    assert refusal("deploy", "Netwrok").remedy == "Did you mean Network?"
    assert "deploy" not in steps.done
