"""Secrets of every kind, and repositories to plant them in."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from odyssey_cli import secret_scan

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
