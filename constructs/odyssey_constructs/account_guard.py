"""Keeps plain `cdk deploy` from the accounts that `./odyssey deploy` would refuse.

The stacks name no account: the CDK deploys them to whosever credentials it finds.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from odyssey_constructs.config import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ACCOUNT = "ODYSSEY_ACCOUNT"
# The local cloud's, and that of an assembly for nowhere; AWS gives nobody this number.
_NOBODYS = "000000000000"


def check_account(environment: Mapping[str, str], env_file: Path) -> None:
    """Refuse to synthesize for another account than the expected one.

    Args:
        environment: in which the CDK says whose credentials it has found, if any.
        env_file: the project's file .env, in which `./odyssey account use` keeps the account.

    Raises:
        ConfigError: the credentials are of another account.
    """
    account = environment.get("CDK_DEFAULT_ACCOUNT", "")
    if account in ("", _NOBODYS):
        return
    expected, said_by = environment.get(ACCOUNT), ACCOUNT
    # An empty variable allows every account, whatever the file says: as the command line has it.
    if expected is None:
        expected, said_by = _kept(env_file), f"{ACCOUNT} in {env_file.name}"
    if expected and expected != account:
        raise ConfigError(
            f"{said_by} is {expected}, but the CDK's credentials are of {account}: choose the "
            "right ones with --profile or AWS_PROFILE."
        )


def _kept(env_file: Path) -> str | None:
    if not env_file.is_file():
        return None
    from dotenv import dotenv_values  # noqa: PLC0415 - most synths need none

    text = env_file.read_bytes().decode("utf-8", errors="replace")
    return dotenv_values(stream=io.StringIO(text), interpolate=False).get(ACCOUNT)
