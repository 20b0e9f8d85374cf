"""A CDK app of Network alone, once for each variant that `odyssey bench cost` prices."""

from __future__ import annotations

from aws_cdk import App

from app import context_defaults
from bench.network import VARIANTS
from stacks.network import Network


def build(app: App) -> None:
    """Put a stack for each variant into `app`."""
    for name, (_, config) in VARIANTS.items():
        # Which image a host has does not change its price.
        Network(app, name, ami=None, config=config)


if __name__ == "__main__":
    app = App(context=context_defaults())
    build(app)
    app.synth()
