"""What is left of our stacks: everything there is, less what was there before and what stands.

On a local cloud "before" is a listing that the first deployment makes. Where there is none, as in
an AWS account, a resource is ours by its tags, or by the name that CloudFormation made for it.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from odyssey_cli import belonging, leftovers
from odyssey_cli.inventory import Thing, everything, kinds
from odyssey_constructs.project import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from odyssey_cli.target import Target

_STACK = "AWS::CloudFormation::Stack"
_PARAMETERS = ("/odyssey/", "/ec2/keypair/")


class Verdict(StrEnum):
    """What is to be thought of something that is there."""

    LEFT = "left"
    KEPT = "kept on purpose"
    GOING = "going"
    UNSURE = "perhaps not ours"


@dataclass(frozen=True)
class Row:
    """Something that is there though no stack needs it.

    Attributes:
        thing: what it is.
        verdict: what is to be thought of it.
        why: how it is known to be ours; and of a bucket whether it holds anything.
        reason: why it is kept, or when it goes; "" for what is just left.
    """

    thing: Thing
    verdict: Verdict
    why: str
    reason: str = ""

    @property
    def costs(self) -> str:
        """What it costs while nobody uses it."""
        # "AWS KMS pricing" and "AWS Secrets Manager pricing", 2026-11-21, not confirmed.
        return "nothing" if self.verdict is Verdict.GOING else leftovers.costs(self.thing.type)

    @property
    def removal(self) -> str:
        """The command that removes it; "" if none is known."""
        if self.verdict is Verdict.GOING:
            return ""
        return leftovers.removal(self.thing.type, self.thing.name)


@dataclass
class Report:
    """What an audit found.

    Attributes:
        rows: what is there though no stack needs it.
        standing: our stacks that are deployed; what is in them is not looked at.
        bootstrap: what the CDK's bootstrap has there for every CDK app.
        unseen: listings that were refused.
        looked_at: how many resources were looked at.
        seconds: how long that took.
        with_before: whether there was a listing from before the first deployment.
    """

    rows: list[Row] = field(default_factory=list)
    standing: list[str] = field(default_factory=list)
    bootstrap: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    looked_at: int = 0
    seconds: float = 0
    with_before: bool = False

    def of(self, verdict: Verdict) -> list[Row]:
        """Return the rows of a verdict."""
        return [row for row in self.rows if row.verdict is verdict]

    @property
    def ok(self) -> bool:
        """Whether everything could be seen, and nothing is left but on purpose."""
        return not self.unseen and not self.of(Verdict.LEFT)


def remember(to: Target) -> None:
    """Keep a listing of a bootstrapped local cloud, on which no stack of ours is yet.

    A listing of this very cloud that is there already stays. When something is deployed and there
    is none, it is too late.
    """
    if to.local is None or recorded(to) is not None:
        return
    formations = to.client("cloudformation").get_paginator("describe_stacks").paginate()
    if {each["StackName"] for page in formations for each in page["Stacks"]} - {
        belonging.BOOTSTRAP
    }:
        return
    listed = sorted([thing.type, thing.name] for thing in everything(to))
    _file(to).write_text(
        json.dumps({"cloud": to.local.started_at, "things": listed}), encoding="utf-8"
    )


def recorded(to: Target) -> set[Thing] | None:
    """Return the listing that `remember` kept of this cloud, None if there is none."""
    if to.local is None:
        return None
    try:
        kept = json.loads(_file(to).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    # An earlier cloud had the same folder.
    if kept["cloud"] != to.local.started_at:
        return None
    return {Thing(*each) for each in kept["things"]}


def _file(to: Target) -> Path:
    return to.state / "before.json"


def audit(to: Target, stacks: Sequence[str]) -> Report:
    """Look for what is left; only read.

    Args:
        to: where.
        stacks: names of the app's stacks.
    """
    begun = time.monotonic()
    report = Report()
    things = everything(to, report.unseen)
    tags = belonging.tagged(to, report.unseen)
    by_short: dict[str, dict[str, str]] = {belonging.short(arn): tags[arn] for arn in tags}
    before = recorded(to)
    report.with_before = before is not None

    def tags_of(thing: Thing) -> Mapping[str, str]:
        return thing.tags or by_short.get(belonging.short(thing.name), {})

    formations = [each for each in things if each.type == _STACK]
    ours = [
        each
        for each in formations
        if each.name in stacks or tags_of(each).get("project") == PROJECT
    ]
    report.standing = sorted(each.name for each in ours if not each.state)
    bootstrap = _members(to, [belonging.BOOTSTRAP] if _has_bootstrap(formations) else [])
    report.bootstrap = sorted(map(" ".join, bootstrap))
    held = bootstrap | _members(to, [each.name for each in ours])
    loose = [each for each in sorted(things) if not _is_held(each, held, things)]
    loose = [each for each in loose if each.type != _STACK or each.state]

    names = {*stacks, *report.standing}
    for thing in loose:
        why = _why(thing, before, tags_of, names) or _why_asked(to, thing, before, names)
        if why:
            report.rows.append(_row(to, thing, why, tags_of(thing)))
        elif _has_lost_its_key_pair(thing, things):
            report.rows.append(
                Row(thing, Verdict.UNSURE, "its key pair is gone; whose it was cannot be told")
            )
    report.rows += _unlisted(tags, report.standing)
    report.looked_at = len(things)
    report.seconds = time.monotonic() - begun
    return report


def figures(report: Report) -> dict[str, float]:
    """Return an audit's figures."""
    return {
        "listings": kinds(),
        "looked_at": report.looked_at,
        **{verdict.name.lower(): len(report.of(verdict)) for verdict in Verdict},
        "seconds": round(report.seconds, 1),
    }


def _has_bootstrap(formations: Iterable[Thing]) -> bool:
    return any(each.name == belonging.BOOTSTRAP for each in formations)


def _members(to: Target, stacks: Iterable[str]) -> set[tuple[str, str]]:
    """Return type and short name of everything in stacks, the stacks themselves not."""
    listing = to.client("cloudformation").get_paginator("list_stack_resources")
    return {
        (each["ResourceType"], belonging.short(each.get("PhysicalResourceId", "")))
        for stack in stacks
        for page in listing.paginate(StackName=stack)
        for each in page["StackResourceSummaries"]
        if not each["ResourceStatus"].startswith("DELETE_COMPLETE")
    }


def _is_held(thing: Thing, held: set[tuple[str, str]], things: Iterable[Thing]) -> bool:
    """Say whether a resource is in a stack, or a part of what is, and so goes with it."""
    types, names = {each[0] for each in held}, {each[1] for each in held}
    if (thing.type, belonging.short(thing.name)) in held:
        return True
    if thing.type == "AWS::ApiGateway::Account":
        return thing.type in types
    if thing.type == "AWS::SSM::Parameter" and thing.name.startswith("/ec2/keypair/"):
        pairs = {each.within for each in things if each.name in names}
        return thing.name.rpartition("/")[2] in pairs
    return bool(thing.within) and thing.within in names


def _why(
    thing: Thing,
    before: set[Thing] | None,
    tags_of: Callable[[Thing], Mapping[str, str]],
    stacks: Iterable[str],
) -> str:
    """Say how a resource is known to be ours; "" if it is not."""
    if before is not None:
        return "" if thing in before else "not there before the first deployment"
    if tags_of(thing).get("project") == PROJECT:
        return f"tag project={PROJECT}"
    if stack := belonging.named_after(thing, stacks):
        return f"named after {stack}"
    if thing.type == "AWS::SSM::Parameter" and thing.name.startswith(_PARAMETERS[0]):
        return f"under {_PARAMETERS[0]}"
    return ""


def _why_asked(to: Target, thing: Thing, before: set[Thing] | None, stacks: Iterable[str]) -> str:
    """Ask the local cloud, whose tagging service knows few services, for the tags of the rest.

    There are few resources, and nobody else's. In an AWS account there may be thousands.
    """
    if to.local is None or before is not None or not stacks:
        return ""
    is_ours = belonging.ask_tags(to, thing).get("project") == PROJECT
    return f"tag project={PROJECT}" if is_ours else ""


def _row(to: Target, thing: Thing, why: str, tags: Mapping[str, str]) -> Row:
    tags = tags or belonging.ask_tags(to, thing)
    if thing.type == "AWS::S3::Bucket":
        why += f"; {_contents(to, thing.name)}"
    if thing.state and not thing.is_going:
        why += f"; {thing.state}"
    if thing.is_going:
        return Row(thing, Verdict.GOING, why, thing.state)
    if tags.get("stage") == "prod" and thing.type in leftovers.KEPT:
        return Row(thing, Verdict.KEPT, why, leftovers.KEPT[thing.type])
    return Row(thing, Verdict.LEFT, why)


def _contents(to: Target, bucket: str) -> str:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see odyssey_cli.inventory

    try:
        found = to.client("s3").list_object_versions(Bucket=bucket, MaxKeys=1)
    except ClientError:
        return "what it holds may not be listed"
    return "not empty" if found.get("Versions") or found.get("DeleteMarkers") else "empty"


def _has_lost_its_key_pair(thing: Thing, things: Iterable[Thing]) -> bool:
    if thing.type != "AWS::SSM::Parameter" or not thing.name.startswith(_PARAMETERS[1]):
        return False
    pairs = {each.within for each in things if each.type == "AWS::EC2::KeyPair"}
    return thing.name.removeprefix(_PARAMETERS[1]) not in pairs


def _unlisted(tags: Mapping[str, Mapping[str, str]], standing: Iterable[str]) -> list[Row]:
    """Return what only the tagging service names: of types that the inventory does not list."""
    return [
        Row(
            Thing(":".join(arn.split(":")[2:3]), arn),
            Verdict.LEFT,
            f"tag project={PROJECT}; the tagging service may name for a while what is gone",
        )
        for arn in sorted(tags)
        if not belonging.is_listed(arn) and tags[arn].get("stack", "") not in standing
    ]
