"""Secrets are found wherever they are or ever were, and what a person has reviewed is none."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from odyssey_cli import paths, secret_history, secret_scan
from odyssey_cli.__main__ import app
from odyssey_cli.errors import OdysseyError
from odyssey_cli.secret_history import NoRepositoryError
from odyssey_cli.secret_patterns import Detectors

if TYPE_CHECKING:
    from pathlib import Path

RANDOM = "q7Zk2VbN8xR4mT1wYc5H" + "s9Jd3LfG6pQ0aUeKiOvB"
DIGITS = "0123456789" + "ab" * 11
# One of each kind, put together here so that none of them is in this file.
PLANTED = {
    "AWS Access Key": "AKIA" + "IOSFODNN7ABCDEFG",
    "AWS secret key": f"aws_secret_access_key = {RANDOM}",
    "AWS session token": "IQoJ" + RANDOM * 3,
    "Artifactory Credentials": "x: AKC" + RANDOM[:20],
    "Azure Storage Account access key": "AccountKey=" + RANDOM * 2 + "abcdef==",
    "Base64 High Entropy String": f'x = "{RANDOM}"',
    "Basic Auth Credentials": "https://me:" + RANDOM + "@registry.internal/simple",
    "Discord Bot Token": "M" + RANDOM[:23] + "." + RANDOM[:6] + "." + RANDOM[:27],
    "GitHub Token": "ghp_" + RANDOM[:36],
    "GitLab token": "glpat-" + RANDOM[:20],
    "Google API key": "AIza" + RANDOM[:35],
    "Hex High Entropy String": 'x = "' + "0a1b2c3d4e5f6789" * 2 + '"',
    "JSON Web Token": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + RANDOM,
    "Mailchimp Access Key": "0a1b2c3d4e5f6789" * 2 + "-us1",
    "NPM tokens": "npm_" + RANDOM[:36],
    "OpenAI or Anthropic key": "sk-proj-" + RANDOM,
    "PyPI token": "pypi-" + "AgEIcHlwaS5vcmc" + RANDOM,
    "Secret Keyword": 'password = "' + 'tr0ub4dor3"',
    "SendGrid API Key": "SG." + RANDOM[:22] + "." + RANDOM + "abc",
    "Slack Token": "xoxb-" + "123456789012-123456789012-" + RANDOM[:24],
    "Slack token, loosely": "xapp-" + "1-A0123456789-" + RANDOM[:20],
    "Square OAuth Secret": "sq0csp-" + RANDOM + "abc",
    "Stripe Access Key": "sk_live_" + RANDOM[:24],
    "Telegram token": "123456789:" + "AA" + RANDOM[:33],
    "Twilio API Key": "SK" + "0a1b2c3d4e5f6789" * 2,
    "private key": "-----BEGIN " + "RSA PRIVATE KEY-----",
    "registry login": '"auth": "' + RANDOM + '"',
    "registry password": "_password=" + RANDOM,
}


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet")

    def git(self, *arguments: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=me", "-c", "user.email=me@example.com", *arguments],
            cwd=self.folder, check=True, capture_output=True,
        )  # fmt: skip

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text + "\n", encoding="utf-8")

    def commit(self, message: str = "Change something") -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def found(self) -> set[tuple[str, str, str]]:
        scan = secret_scan.scan(self.folder)
        return {(each.secret.kind, each.path, each.where.split()[0]) for each in scan.findings}


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
    assert found.shown == "ghp_… (40 characters)"


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

    assert scan.shallow
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


def test_a_folder_in_another_repository_is_none(repository: Repository) -> None:
    (repository.folder / "inner").mkdir()
    with pytest.raises(NoRepositoryError, match="lies in another"):
        secret_scan.scan(repository.folder / "inner")


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
        "files": 1, "objects": 0, "lines": 1, "kinds": len(PLANTED), "found": 1, "reviewed": 0,
        "seconds": 0,
    }  # fmt: skip
    assert PLANTED["AWS Access Key"] not in failed.output + shown.output
    assert "here.txt" in shown.output


def test_outside_of_git_the_command_says_so_and_exits_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    ran = CliRunner().invoke(app, ["secrets"])
    assert ran.exit_code == 2
    assert "no git repository" in ran.output
