"""Secrets are found wherever they are or ever were, and what a person has reviewed is none."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from odyssey_cli import paths, secret_history, secret_scan
from odyssey_cli.__main__ import app
from odyssey_cli.errors import OdysseyError
from odyssey_cli.secret_patterns import Detectors
from tests.unit.planting import PLANTED, RANDOM, Repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def test_every_kind_of_secret_is_planted_here() -> None:
    assert set(PLANTED) == set(Detectors().kinds)


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_secret_is_found(kind: str) -> None:
    found = Detectors().find("settings.py", ["before", PLANTED[kind], "after"])
    assert (2, kind) in {(number, secret.kind) for number, secret in found}


@pytest.mark.parametrize(
    "line",
    [
        'token = "token-of-curl"',
        'kind="AWS::SecretsManager::Secret"',
        'secret = "arn:aws:secretsmanager:eu-north-1:123456789012:secret:Api-a1b2c3"',
        'name = "EventAggregator-EventsTable4B7491D3-357D9FD22EA62"',
        "password = os.environ['PASSWORD']",
        "xoxb- and AKIA alone",
    ],
)
def test_words_and_names_are_no_secrets(line: str) -> None:
    assert list(Detectors().find("settings.py", [line])) == []


def test_checksums_are_no_secrets_but_a_key_among_them_is_one() -> None:
    lines = ['"sha512-' + RANDOM + '"', PLANTED["AWS Access Key"]]
    found = Detectors().find("package-lock.json", lines)
    assert [(number, secret.kind) for number, secret in found] == [(2, "AWS Access Key")]


def test_a_secret_is_found_in_a_file_and_in_a_file_that_was_deleted(
    repository: Repository,
) -> None:
    # GIVEN one that is there, one that was, and one that is not even added
    repository.write("gone.txt", PLANTED["GitHub Token"])
    repository.commit()
    (repository.folder / "gone.txt").unlink()
    repository.write("here.txt", PLANTED["AWS Access Key"])
    repository.commit()
    repository.write("new.txt", PLANTED["Stripe Access Key"])

    assert repository.found() == {
        ("AWS Access Key", "here.txt", "line"),
        ("GitHub Token", "gone.txt", "commit"),
        ("Stripe Access Key", "new.txt", "line"),
    }


def test_messages_and_other_branches_are_history_too(repository: Repository) -> None:
    repository.commit("Use " + PLANTED["GitHub Token"])
    repository.git("checkout", "--quiet", "-b", "other")
    repository.write("other.txt", PLANTED["AWS Access Key"])
    repository.commit()
    repository.git("tag", "--annotate", "v1", "--message", PLANTED["Stripe Access Key"])
    repository.git("checkout", "--quiet", "-")

    assert repository.found() == {
        ("GitHub Token", "", "commit"),
        ("AWS Access Key", "other.txt", "commit"),
        ("Stripe Access Key", "", "commit"),
    }


def test_a_report_names_the_first_commit_with_it_and_does_not_show_it(
    repository: Repository,
) -> None:
    repository.commit()
    repository.write("gone.txt", PLANTED["GitHub Token"])
    repository.commit()
    first = secret_history.git(repository.folder, "rev-parse", "--short", "HEAD").strip()
    repository.write("gone.txt", "nothing")
    repository.commit()

    [found] = secret_scan.scan(repository.folder).findings

    assert found.where == f"commit {first}"
    digest = hashlib.sha256(PLANTED["GitHub Token"].encode()).hexdigest()
    assert found.shown == f"sha256:{digest[:8]}"


def test_of_a_short_secret_nothing_is_shown(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "ROOT", repository.folder)
    repository.write("here.txt", 'password = "' + 'tr0ub4do"')
    shown = CliRunner().invoke(app, ["secrets"])
    told = CliRunner().invoke(app, ["secrets", "--json"])
    assert (shown.exit_code, told.exit_code) == (1, 1)
    assert "here.txt" in shown.output
    assert "tr0" not in shown.output + told.output


def test_what_was_reviewed_is_none_where_it_was_reviewed(repository: Repository) -> None:
    repository.write("example.txt", PLANTED["AWS Access Key"])
    repository.write("real.txt", PLANTED["AWS Access Key"])
    reviewed = [secret_scan.Review("AKIA.*", ("example.*",), "an example")]

    scan = secret_scan.scan(repository.folder, reviewed)

    assert [each.path for each in scan.findings] == ["real.txt"]
    assert scan.reviewed == 1
    assert scan.unused == []


def test_a_review_of_nothing_fails(repository: Repository) -> None:
    reviewed = [secret_scan.Review("AKIA.*", ("*",), "an example")]
    scan = secret_scan.scan(repository.folder, reviewed)
    assert scan.unused == reviewed
    assert not scan.ok


def test_a_review_is_not_needed_because_it_is_written_down(repository: Repository) -> None:
    # GIVEN an entry whose value is in the table itself and nowhere else
    (repository.folder / ".ci").mkdir()
    entry = "[[reviewed]]\nvalue = '%s'\npaths = ['*']\nreason = 'an example'"
    repository.write(secret_scan.REVIEWED, entry % PLANTED["AWS Access Key"])
    repository.commit()
    # WHEN
    reviewed = secret_scan.reviews(repository.folder)
    scan = secret_scan.scan(repository.folder, reviewed)
    # THEN
    assert (scan.findings, scan.unused, scan.reviewed) == ([], reviewed, 0)
    # AND it can be taken out, though it stays in the history of the table
    repository.write(secret_scan.REVIEWED, "# nothing")
    repository.commit()
    assert secret_scan.scan(repository.folder).ok


def test_a_secret_in_the_table_that_no_entry_reviews_is_found(repository: Repository) -> None:
    (repository.folder / ".ci").mkdir()
    repository.write(secret_scan.REVIEWED, f"# {PLANTED['AWS Access Key']}")
    assert repository.found() == {("AWS Access Key", secret_scan.REVIEWED, "line")}


def test_a_content_is_reviewed_at_each_path_that_it_ever_had(repository: Repository) -> None:
    # GIVEN one content that was in two files at once, in a third later, and in none now
    names = ("example.txt", "real.txt", "åäö\nlate.txt")
    for name in names[:2]:
        repository.write(name, PLANTED["AWS Access Key"])
    repository.commit()
    (repository.folder / names[1]).rename(repository.folder / names[2])
    repository.commit()
    for name in (names[0], names[2]):
        (repository.folder / name).unlink()
    repository.commit()
    # WHEN
    reviewed = [secret_scan.Review("AKIA.*", ("example.*",), "an example")]
    scan = secret_scan.scan(repository.folder, reviewed)
    # THEN
    assert {each.path for each in scan.findings} == {*names[1:]}
    assert len({each.where for each in scan.findings}) == 2
    assert (scan.reviewed, scan.unused) == (1, [])


def test_what_only_a_merge_brought_is_history_too(repository: Repository) -> None:
    repository.commit()
    # With the same message, in the same second, they would be one.
    repository.git("checkout", "--quiet", "-b", "other")
    repository.commit("There")
    repository.git("checkout", "--quiet", "-")
    repository.commit("Here")
    repository.git("merge", "--quiet", "--no-commit", "--no-ff", "other")
    repository.write("merged.txt", PLANTED["AWS Access Key"])
    repository.commit()
    merge = secret_history.git(repository.folder, "rev-parse", "--short", "HEAD").strip()
    (repository.folder / "merged.txt").unlink()
    repository.commit()
    [found] = secret_scan.scan(repository.folder).findings
    assert (found.path, found.where) == ("merged.txt", f"commit {merge}")


def test_a_shallow_clone_says_so_and_does_not_judge_reviews(
    repository: Repository, tmp_path: Path
) -> None:
    repository.write("gone.txt", PLANTED["GitHub Token"])
    repository.commit()
    repository.write("gone.txt", "nothing")
    repository.commit()
    clone = tmp_path / "clone"
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.folder}", str(clone))
    reviewed = [secret_scan.Review("ghp_.*", ("gone.txt",), "an example")]

    scan = secret_scan.scan(clone, reviewed)

    assert scan.history == "part"
    assert scan.ok
    assert not secret_scan.scan(repository.folder).ok


def test_what_is_too_large_to_read_fails(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_history, "LARGEST", 10)
    repository.write("large.txt", "x" * 20)
    scan = secret_scan.scan(repository.folder)
    assert scan.too_large == ["large.txt"]
    assert not scan.ok


def test_binary_files_and_links_are_no_text(repository: Repository) -> None:
    (repository.folder / "b").write_bytes(b"\0" + PLANTED["AWS Access Key"].encode())
    (repository.folder / "link").symlink_to("/nowhere")
    repository.commit()
    assert repository.found() == set()


@pytest.mark.parametrize(
    "text", ["[[reviewed]]\nvalue = 'x'", "[[reviewed]]\npattern = '('\npaths=[]\nreason=''", "["]
)
def test_a_review_lacks_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    (tmp_path / secret_scan.REVIEWED).write_text(text)
    with pytest.raises(OdysseyError, match="cannot be read"):
        secret_scan.reviews(tmp_path)


def test_the_command_tells_figures_and_exits_with_1_for_a_secret(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "ROOT", repository.folder)
    passed = CliRunner().invoke(app, ["secrets", "--json"])
    repository.write("here.txt", PLANTED["AWS Access Key"])
    failed = CliRunner().invoke(app, ["secrets", "--json"])
    shown = CliRunner().invoke(app, ["secrets"])

    assert (passed.exit_code, failed.exit_code, shown.exit_code) == (0, 1, 1)
    told = json.loads(failed.stdout)
    assert told["figures"] | {"seconds": 0} == {
        "tried": 1, "passed": 0, "seconds": 0,
        "files": 1, "objects": 0, "lines": 1, "kinds": len(PLANTED), "found": 1, "reviewed": 0,
    }  # fmt: skip
    assert PLANTED["AWS Access Key"] not in failed.output + shown.output
    assert "here.txt" in shown.output
