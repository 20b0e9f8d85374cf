"""Which image hosts have: the one they were made with, until somebody asks for another.

A host is replaced when its image changes, and AWS publishes a new one every few weeks. The command
line therefore keeps the id of a deployed host's image in the CDK's context, one for each account,
region and architecture, where plain `cdk deploy` finds it, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from odyssey_constructs.config import Config

# The value of the option `ami` that asks for the newest image.
LATEST = "latest"
# How the context keys of kept images begin.
KEPT = "odyssey:ami:"


def kept_as(account: str, region: str, architecture: str) -> str:
    """Return the context key under which the image of an account's hosts is kept."""
    return f"{KEPT}{account}:{region}:{architecture}"


def image(
    config: Config, context: Mapping[str, object], environment: Mapping[str, str]
) -> str | None:
    """Return the id of the hosts' image; None for the newest when the stack is deployed.

    Args:
        config: the app's settings, whose `ami` wins.
        context: the CDK's.
        environment: in which the CDK says for which account and region it synthesizes.
    """
    if config.ami is not None:
        return None if config.ami == LATEST else config.ami
    account = environment.get("CDK_DEFAULT_ACCOUNT", "")
    region = environment.get("CDK_DEFAULT_REGION", "")
    kept = context.get(kept_as(account, region, config.architecture))
    return str(kept) if kept else None
