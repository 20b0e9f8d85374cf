"""Plain `cdk deploy` goes to no other account than the expected one, either."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from odyssey_cli import account, cloud, paths
from odyssey_constructs import account_guard
from odyssey_constructs.account_guard import check_account
from odyssey_constructs.config import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

MINE, OTHER = "111122223333", "999999999999"


def test_the_guard_and_the_command_line_mean_the_same() -> None:
    assert account_guard.ACCOUNT == account.ACCOUNT


@pytest.mark.parametrize(
    ("environment", "kept", "said"),
    [
        ({"CDK_DEFAULT_ACCOUNT": OTHER, "ODYSSEY_ACCOUNT": MINE}, None, "ODYSSEY_ACCOUNT"),
        ({"CDK_DEFAULT_ACCOUNT": OTHER, "ODYSSEY_ACCOUNT": MINE}, OTHER, "ODYSSEY_ACCOUNT"),
        ({"CDK_DEFAULT_ACCOUNT": OTHER}, MINE, "ODYSSEY_ACCOUNT in .env"),
        # Whoever has chosen the local cloud for commands has not done so for the CDK.
        (
            {"CDK_DEFAULT_ACCOUNT": OTHER, "ODYSSEY_TARGET": "local"},
            MINE,
            "ODYSSEY_ACCOUNT in .env",
        ),
        # The right account, an expectation that the environment lifts, and none.
        ({"CDK_DEFAULT_ACCOUNT": MINE, "ODYSSEY_ACCOUNT": MINE}, OTHER, None),
        ({"CDK_DEFAULT_ACCOUNT": MINE}, MINE, None),
        ({"CDK_DEFAULT_ACCOUNT": OTHER, "ODYSSEY_ACCOUNT": ""}, MINE, None),
        ({"CDK_DEFAULT_ACCOUNT": OTHER}, "", None),
        ({"CDK_DEFAULT_ACCOUNT": OTHER}, None, None),
        # No credentials, and the local cloud.
        ({"ODYSSEY_ACCOUNT": MINE}, MINE, None),
        ({"CDK_DEFAULT_ACCOUNT": "", "ODYSSEY_ACCOUNT": MINE}, MINE, None),
        ({"CDK_DEFAULT_ACCOUNT": cloud.ACCOUNT, "ODYSSEY_TARGET": "local"}, MINE, None),
        ({"CDK_DEFAULT_ACCOUNT": cloud.ACCOUNT, "ODYSSEY_ACCOUNT": MINE}, None, None),
    ],
)
def test_only_another_account_than_the_expected_is_refused(
    environment: dict[str, str], kept: str | None, said: str | None, tmp_path: Path
) -> None:
    # GIVEN
    file = tmp_path / ".env"
    if kept is not None:
        file.write_bytes(f"NAME=\xe9\nexport ODYSSEY_ACCOUNT='{kept}' # mine\n".encode("latin-1"))
    # THEN
    if said is None:
        check_account(environment, file)
        return
    with pytest.raises(ConfigError) as refused:
        check_account(environment, file)
    assert str(refused.value) == (
        f"{said} is {MINE}, but the CDK's credentials are of {OTHER}: choose the right ones with "
        "--profile or AWS_PROFILE."
    )


def test_the_app_asks_before_it_makes_anything(tmp_path: Path) -> None:
    # GIVEN what the CDK's command line sets when it has credentials
    environment = {"CDK_DEFAULT_ACCOUNT": OTHER, "ODYSSEY_ACCOUNT": MINE}
    # WHEN
    ran = subprocess.run(
        [sys.executable, str(paths.ROOT / "app.py")],
        env={**os.environ, **environment, "CDK_OUTDIR": str(tmp_path / "out")},
        capture_output=True,
        text=True,
        check=False,
    )
    # THEN
    assert ran.returncode == 1
    last = ran.stderr.splitlines()[-1]
    assert last.startswith("odyssey_constructs.config.ConfigError: ODYSSEY_ACCOUNT is 111122223333")
    assert not (tmp_path / "out").exists()
