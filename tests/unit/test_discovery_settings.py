"""Where the script and the service go: what is given is used, the stack tells the rest."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from odyssey_cli.commands import discovery as commands
from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.discovery import settings
from odyssey_cli.flows.discovery.listen import Service
from odyssey_cli.flows.discovery.settings import Given, Place
from odyssey_cli.flows.discovery.submit import Script

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.config import Config

pytestmark = pytest.mark.usefixtures("folder_without_settings")
ACCOUNT, OTHER = "123456789012", "210987654321"
SQS = "https://sqs.eu-north-1.amazonaws.com"
ROLES = f"arn:aws:iam::{ACCOUNT}:role/"
OUTPUTS = {
    "ItemsTable": "stack-items",
    "FilesBucket": "stack-files",
    "UploadedQueueUrl": f"{SQS}/{ACCOUNT}/stack-uploaded",
    "UpdatedQueueUrl": f"{SQS}/{ACCOUNT}/stack-updated",
    "ScriptRoleArn": f"{ROLES}script",
    "ServiceRoleArn": f"{ROLES}service",
}
GIVEN = {
    "table": "t",
    "bucket": "b",
    "queue_url": f"{SQS}/{ACCOUNT}/q",
    "role_arn": f"{ROLES}r",
}
PROGRAMS = {
    "script": (settings.for_script, OUTPUTS["UploadedQueueUrl"], OUTPUTS["ScriptRoleArn"]),
    "service": (settings.for_service, OUTPUTS["UpdatedQueueUrl"], OUTPUTS["ServiceRoleArn"]),
}


@dataclass
class FakeTarget:
    """A target that counts how often the stack was asked."""

    role: str | None = None
    asked: list[str] = field(default_factory=list)
    is_deployed: bool = True
    account: str = ACCOUNT
    made: list[tuple[str, Config]] = field(default_factory=list)

    def outputs(self, stack: str) -> dict[str, str]:
        self.asked.append(stack)
        if not self.is_deployed:
            raise OdysseyError(f"The stack {stack} is not deployed.", "Deploy it.")
        return OUTPUTS

    def in_role(self, role: str) -> FakeTarget:
        return replace(self, role=role)

    def client(self, service: str, *, config: Config) -> str:
        self.made.append((service, config))
        return f"client of {service} in {self.role}"

    def seconds(self, of_aws: float) -> float:
        return of_aws / 2


@pytest.fixture
def target() -> FakeTarget:
    return FakeTarget()


@pytest.fixture(params=PROGRAMS.values(), ids=PROGRAMS.keys())
def program(request: pytest.FixtureRequest) -> tuple[Callable[..., Place], str, str]:
    found: tuple[Callable[..., Place], str, str] = request.param
    return found


def names(place: Place) -> dict[str, Any]:
    return {
        "table": place.table,
        "bucket": place.bucket,
        "queue_url": place.queue_url,
        "role_arn": place.target.role,
    }


def test_what_is_not_given_is_the_stacks_own(
    target: FakeTarget, program: tuple[Callable[..., Place], str, str]
) -> None:
    find, queue_url, role = program
    assert names(find(target, Given())) == {
        "table": "stack-items",
        "bucket": "stack-files",
        "queue_url": queue_url,
        "role_arn": role,
    }
    assert target.asked == ["Discovery"]


def test_when_all_is_given_the_stack_is_not_asked(
    target: FakeTarget, program: tuple[Callable[..., Place], str, str]
) -> None:
    assert names(program[0](target, Given(**GIVEN))) == GIVEN
    assert target.asked == []


@pytest.mark.parametrize("name", GIVEN)
def test_what_is_given_goes_before_the_stack(
    target: FakeTarget, program: tuple[Callable[..., Place], str, str], name: str
) -> None:
    find, queue_url, role = program
    of_stack = {"table": "stack-items", "bucket": "stack-files"}
    of_stack |= {"queue_url": queue_url, "role_arn": role}
    given = Given(**{name: GIVEN[name]})
    assert names(find(target, given)) == of_stack | {name: GIVEN[name]}


def test_the_role_none_means_the_callers_own_credentials(
    target: FakeTarget, program: tuple[Callable[..., Place], str, str]
) -> None:
    place = program[0](target, Given(**GIVEN | {"role_arn": "none"}))
    assert place.target is target
    assert target.asked == []


def test_an_empty_setting_is_none(
    target: FakeTarget, program: tuple[Callable[..., Place], str, str]
) -> None:
    assert program[0](target, Given(table="", role_arn="")) == program[0](target, Given())


def test_without_the_stack_what_is_missing_cannot_be_found(
    target: FakeTarget, program: tuple[Callable[..., Place], str, str]
) -> None:
    target.is_deployed = False
    with pytest.raises(OdysseyError, match="Discovery is not deployed"):
        program[0](target, Given(table="t"))


ELSEWHERE = {
    "role_arn": [
        f"arn:aws:iam::{OTHER}:role/r",
        f"arn:aws:iam::{OTHER}:role/{ACCOUNT}",
        "arn:aws:iam:::role/r",
        "arn:aws:iam",
        "r",
        ACCOUNT,
        "None",
    ],
    "queue_url": [
        f"{SQS}/{OTHER}/q",
        f"{SQS}/{OTHER}/{ACCOUNT}",
        f"http://127.0.0.1:4566/{OTHER}/q",
        f"{SQS}//{ACCOUNT}/q",
        f"https://{ACCOUNT}/q",
        SQS,
        "q",
        ACCOUNT,
    ],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in ELSEWHERE.items() for value in values]
)
@pytest.mark.parametrize("others", [{}, GIVEN, GIVEN | {"role_arn": "none"}])
def test_what_is_not_of_the_confirmed_account_is_refused(
    target: FakeTarget,
    program: tuple[Callable[..., Place], str, str],
    name: str,
    value: str,
    others: dict[str, str],
) -> None:
    with pytest.raises(OdysseyError) as refused:
        program[0](target, Given(**others | {name: value}))
    assert refused.value.problem == f"{value} is not of the account {ACCOUNT}."
    assert "switch the profile" in refused.value.remedy
    assert target.made == []


def test_what_is_not_used_is_not_checked(target: FakeTarget) -> None:
    given = Given(**GIVEN | {"queue_url": f"{SQS}/{OTHER}/q"})
    assert settings.for_service(target, given, receives=False).queue_url == ""  # type: ignore[arg-type]


def test_a_queue_of_the_local_cloud_is_of_its_account(target: FakeTarget) -> None:
    here = f"http://127.0.0.1:4566/{ACCOUNT}/q"
    given = Given(**GIVEN | {"queue_url": here})
    assert settings.for_script(target, given).queue_url == here  # type: ignore[arg-type]


@pytest.mark.parametrize("connections", [1, 64])
def test_the_scripts_clients_are_the_roles_and_make_as_many_calls_at_once_as_wanted(
    target: FakeTarget, connections: int
) -> None:
    place = settings.for_script(target, Given(**GIVEN))  # type: ignore[arg-type]
    script: Any = Script.at(place, connections=connections)
    assert (script.table, script.bucket, script.queue_url) == ("t", "b", GIVEN["queue_url"])
    assert script.account == ACCOUNT
    names = ["dynamodb", "s3", "sqs"]
    assert [script.dynamodb, script.s3, script.sqs] == [
        f"client of {name} in {ROLES}r" for name in names
    ]
    assert [name for name, _ in target.made] == names
    assert {config.max_pool_connections for _, config in target.made} == {connections}


def test_the_services_clients_are_the_roles_and_have_time_for_a_long_poll(
    target: FakeTarget,
) -> None:
    service: Any = Service.at(settings.for_service(target, Given(**GIVEN)))  # type: ignore[arg-type]
    assert (service.table, service.bucket, service.queue_url) == ("t", "b", GIVEN["queue_url"])
    assert service.account == ACCOUNT
    assert service.sqs == f"client of sqs in {ROLES}r"
    assert service.pace(20) == 10
    # ReceiveMessage answers after 20 seconds at the latest.
    assert all(config.read_timeout > 20 for _, config in target.made)


VARIABLES = {
    "DISCOVERY_TABLE": "t",
    "DISCOVERY_BUCKET": "b",
    "DISCOVERY_UPLOADED_QUEUE": "https://sqs/u",
    "DISCOVERY_UPDATED_QUEUE": "https://sqs/v",
    "DISCOVERY_SCRIPT_ROLE_ARN": "arn:s",
    "DISCOVERY_SERVICE_ROLE_ARN": "arn:l",
}


def given_to(
    monkeypatch: pytest.MonkeyPatch, finder: str, *arguments: str, environment: dict[str, str]
) -> Given:
    """Run a command as far as its settings; return them."""
    found: list[Given] = []

    def stop(_target: object, given: Given) -> None:
        found.append(given)
        raise OdysseyError("That is far enough.", "")

    monkeypatch.setattr(commands, "resolve", lambda *_, **__: None)
    monkeypatch.setattr(settings, finder, stop)
    CliRunner().invoke(commands.group, list(arguments), env=environment)
    [given] = found
    return given


@pytest.mark.parametrize(
    ("command", "finder", "expected"),
    [
        (["submit", "a.json"], "for_script", Given("t", "b", "https://sqs/u", "arn:s")),
        (["listen"], "for_service", Given("t", "b", "https://sqs/v", "arn:l")),
    ],
    ids=["submit", "listen"],
)
def test_settings_come_from_the_environment_and_options_go_before_it(
    monkeypatch: pytest.MonkeyPatch, command: list[str], finder: str, expected: Given
) -> None:
    assert given_to(monkeypatch, finder, *command, environment=VARIABLES) == expected
    options = ["--table", "T", "--bucket", "B", "--queue-url", "Q", "--role", "R"]
    found = given_to(monkeypatch, finder, *command, *options, environment=VARIABLES)
    assert found == Given("T", "B", "Q", "R")


@pytest.mark.parametrize(
    ("command", "variables"),
    [
        ("submit", ["TABLE", "BUCKET", "UPLOADED_QUEUE", "SCRIPT_ROLE_ARN"]),
        ("listen", ["TABLE", "BUCKET", "UPDATED_QUEUE", "SERVICE_ROLE_ARN"]),
        ("show", ["TABLE", "BUCKET", "SERVICE_ROLE_ARN"]),
    ],
)
def test_the_help_names_every_variable(command: str, variables: list[str]) -> None:
    said = CliRunner().invoke(commands.group, [command, "--help"], env={"COLUMNS": "200"}).output
    assert all(f"DISCOVERY_{name}" in said for name in variables)


def test_show_asks_no_stack_when_all_it_needs_is_given(
    monkeypatch: pytest.MonkeyPatch, target: FakeTarget
) -> None:
    monkeypatch.setattr(commands, "resolve", lambda *_, **__: target)
    monkeypatch.setattr(Service, "at", lambda _place: Nobody())
    options = ["--table", "t", "--bucket", "b", "--role", "none"]
    result = CliRunner().invoke(commands.group, ["show", "x", *options])
    assert "There is no item x" in str(result.exception)
    assert target.asked == []


class Nobody:
    """A service that finds no item."""

    def look(self, _item_id: str) -> None:
        return None
