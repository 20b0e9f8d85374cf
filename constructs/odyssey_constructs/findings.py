"""Acknowledgements of cdk-nag findings, at the construct they belong to, with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Acknowledgment, Validations

if TYPE_CHECKING:
    from constructs import Construct


def acknowledge(construct: Construct, rule: str, reason: str) -> None:
    """Accept one finding of `rule` on `construct` and below; `reason` must be true there."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))
