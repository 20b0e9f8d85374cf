"""What every stack of the app is: tagged, and protected in prod."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aws_cdk import CfnOutput, CliCredentialsStackSynthesizer, IStackSynthesizer, Stack, Tags

from odyssey_constructs.project import PROJECT

if TYPE_CHECKING:
    from constructs import Construct
    from odyssey_constructs.config import Config


class OdysseyStack(Stack):
    """A stack without account and region, deployable to any, with the project's tags."""

    def __init__(self, scope: Construct, id: str, *, config: Config, description: str) -> None:
        tags = {"project": PROJECT, "stack": id, "stage": config.stage}
        super().__init__(
            scope,
            id,
            description=description,
            termination_protection=config.is_prod,
            synthesizer=_synthesizer(),
            tags=tags,
        )
        for name, value in tags.items():
            Tags.of(self).add(name, value)

    def outputs(self, **values: str) -> None:
        """Say where things are, to people and to the command line, which knows these names."""
        for name, value in values.items():
            CfnOutput(self, name, value=value)


def _synthesizer() -> IStackSynthesizer | None:
    """Return what uploads assets: the caller's own credentials on the local cloud.

    The local cloud refuses the bootstrap's publishing role on the asset bucket. This is the
    one difference between the local and the dev template.
    """
    if os.environ.get("ODYSSEY_TARGET") == "local":
        return CliCredentialsStackSynthesizer()
    return None
