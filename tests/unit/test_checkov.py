"""What checkov finds is accepted with a reason, or open; a reason for nothing is open, too."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli import checkov, paths
from odyssey_cli.checkov import Acceptance, Finding
from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from pathlib import Path

TABLES = Acceptance("CKV_AWS_28", ("dev",), ("Ingest.EventsTable",), "it goes with its stack")


def found(*resources: str, errors: int = 0, passed: int = 1, check: str = "CKV_AWS_28") -> Any:
    return {
        "summary": {"passed": passed, "resource_count": 3, "parsing_errors": errors},
        "results": {
            "failed_checks": [
                {
                    "check_id": check,
                    "check_name": "Ensure something",
                    "file_path": f"/{stage}_/{stack}.template.json",
                    "resource": f"AWS::DynamoDB::Table.{logical_id}",
                }
                for stage, stack, logical_id in (each.split(".") for each in resources)
            ]
        },
    }


def test_a_finding_is_accepted_for_one_resource_of_one_stage() -> None:
    both = found("dev.Ingest.EventsTable4B7491D3", "prod.Ingest.EventsTable4B7491D3")
    report = checkov.judge(both, [TABLES], ["dev", "prod"])
    assert report.accepted == 1
    assert [(each.stage, each.resource) for each in report.open] == [("prod", "Ingest.EventsTable")]
    assert not report.ok


@pytest.mark.parametrize(
    ("new", "check"),
    [
        ("dev.Ingest.AnotherTable4B7491D3", "CKV_AWS_28"),
        ("dev.Consumer.EventsTable4B7491D3", "CKV_AWS_28"),
        ("dev.Ingest.EventsTable4B7491D3", "CKV_AWS_119"),
    ],
)
def test_another_resource_or_check_is_open(new: str, check: str) -> None:
    report = checkov.judge(found(new, check=check), [TABLES], ["dev"])
    assert len(report.open) == 1


def test_what_is_accepted_and_not_found_fails_if_its_stage_was_looked_at() -> None:
    assert checkov.judge(found(), [TABLES], ["dev"]).unused == [
        ("CKV_AWS_28", "dev", "Ingest.EventsTable")
    ]
    assert checkov.judge(found(), [TABLES], ["prod"]).ok


def test_what_is_accepted_for_two_stages_must_be_found_in_both() -> None:
    # GIVEN an acceptance for both, and the finding in one of them
    both = replace(TABLES, stages=("dev", "prod"))
    in_dev = found("dev.Ingest.EventsTable4B7491D3")
    # WHEN
    report = checkov.judge(in_dev, [both], ["dev", "prod"])
    # THEN
    assert (report.accepted, report.open) == (1, [])
    assert report.unused == [("CKV_AWS_28", "prod", "Ingest.EventsTable")]
    assert not report.ok
    # AND what was not looked at is not judged
    assert checkov.judge(in_dev, [both], ["dev"]).ok
    assert checkov.judge(
        found("dev.Ingest.EventsTable4B7491D3", "prod.Ingest.EventsTable4B7491D3"),
        [both],
        ["dev", "prod"],
    ).ok


@pytest.mark.parametrize(("errors", "passed"), [(1, 1), (0, 0)])
def test_a_run_that_read_too_little_fails(errors: int, passed: int) -> None:
    assert not checkov.judge(found(errors=errors, passed=passed), [], ["dev"]).ok


@pytest.mark.parametrize(
    ("logical_id", "name"),
    [
        ("EventsTable4B7491D3", "EventsTable"),
        ("ApiDeploymentStagev1149A6FAE", "ApiDeploymentStage"),
    ],
)
def test_a_resource_is_known_without_its_checksum(logical_id: str, name: str) -> None:
    [finding] = checkov.judge(found(f"dev.Ingest.{logical_id}"), [], ["dev"]).open
    assert finding == Finding("CKV_AWS_28", "Ensure something", "dev", f"Ingest.{name}")


def test_every_entry_of_the_table_has_a_reason_and_its_groups_are_known() -> None:
    accepted = checkov.acceptances((paths.ROOT / checkov.ACCEPTED).read_text())
    assert accepted
    for entry in accepted:
        assert entry.reason.endswith(".")
        assert set(entry.stages) <= set(checkov.STAGES)
        assert not any("*" in resource for resource in entry.resources)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[[accepted]]\ncheck = 'C'",
        "[[accepted]]\ncheck='C'\nstages=['dev']\nresources=['@unknown']\nreason='r'",
        "[[accepted]]\ncheck='C'\nresources=[]\nreason='r'",
        "[[accepted]]\ncheck='C'\nstages=[]\nresources=[]\nreason='r'",
        "[[accepted]]\ncheck='C'\nstages=['test']\nresources=[]\nreason='r'",
        "[[accepted]]\ncheck='C'\nstages='dev'\nresources=[]\nreason='r'",
    ],
)
def test_a_table_that_lacks_something_is_refused(text: str) -> None:
    with pytest.raises(OdysseyError, match="cannot be read"):
        checkov.acceptances(text)


def test_checkov_is_given_no_account_no_settings_and_no_reason_to_call_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a user with keys, and a checkov that shows what it is given
    monkeypatch.setenv("BC_API_KEY", "a-key")
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setattr(checkov, "_VENV", tmp_path)
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "checkov"
    fake.write_text(
        "#!/bin/sh\n"
        'printf \'{"results": "%s", "home": "%s", "arguments": "%s"}\' '
        '"$BC_API_KEY$AWS_PROFILE$CKV_SKIP_PACKAGE_UPDATE_CHECK" "$HOME" "$*"\n'
    )
    fake.chmod(0o755)

    given = checkov._check(tmp_path)

    assert given["results"] == "true"
    assert given["home"] == os.fspath(tmp_path)
    assert {"--skip-download", "--skip-results-upload"} <= set(given["arguments"].split())


def test_a_checkov_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkov, "_VENV", tmp_path)
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "checkov"
    fake.write_text("#!/bin/sh\necho broken >&2\nexit 2\n")
    fake.chmod(0o755)
    with pytest.raises(OdysseyError, match="broken"):
        checkov._check(tmp_path)
