"""What is left of our stacks: everything there is, less what was there before and what stands.

On a local cloud "before" is a listing that the first deployment makes. Where there is none, as in
an AWS account, a resource is ours by its tags, or by the name that CloudFormation makes of a
logical id of our templates. Whatever else is called as ours are is perhaps not ours: nothing is
said that removes it.
"""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from odyssey_cli import belonging, leftovers, removals
from odyssey_cli import figures as shapes
from odyssey_cli.inventory import Thing, everything, kinds
from odyssey_constructs.project import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from odyssey_cli.policy.templates import Template
    from odyssey_cli.target import Target

_PARAMETER = "AWS::SSM::Parameter"
_PARAMETERS = "/odyssey/"


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
        removal: the shell lines that remove it, in their order; [] where none are known, where it
            goes by itself, and where it is perhaps not ours.
    """

    thing: Thing
    verdict: Verdict
    why: str
    reason: str = ""
    removal: list[str] = field(default_factory=list)

    @property
    def costs(self) -> str:
        """What it costs while nobody uses it."""
        # "AWS KMS pricing" and "AWS Secrets Manager pricing", 2026-11-21, not confirmed.
        return "nothing" if self.verdict is Verdict.GOING else leftovers.costs(self.thing.type)


@dataclass
class Report:
    """What an audit found.

    Attributes:
        rows: what is there though no stack needs it, in the order in which it can go.
        standing: our stacks that are deployed; what is in them is not looked at.
        bootstrap: what the CDK's bootstrap has there for every CDK app.
        unseen: listings that were refused.
        looked_at: how many resources were looked at, or named by the tagging service.
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


def record_before(to: Target) -> None:
    """Keep a listing of a bootstrapped local cloud, on which no stack of ours is yet.

    A listing of this very cloud that is there already stays. When something is deployed and there
    is none, it is too late.
    """
    if to.local is None or recorded_before(to) is not None:
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


def recorded_before(to: Target) -> set[Thing] | None:
    """Return the listing that `record_before` kept of this cloud, None if there is none."""
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


def audit(to: Target, templates: Sequence[Template]) -> Report:
    """Look for what is left; only read.

    Args:
        to: where.
        templates: those of the app's stacks: what they are called, and their logical ids.
    """
    begun = time.monotonic()
    report = Report()
    things = everything(to, report.unseen)
    tags = belonging.tagged(to, report.unseen)
    before = recorded_before(to)
    report.with_before = before is not None
    known = _Known(to, templates, belonging.by_key(tags), before)

    formations = [each for each in things if each.type == belonging.STACK]
    # A stranger's may have the same name.
    ours = [each.name for each in formations if known.has_our_tag(each)]
    namesakes = [each.name for each in formations if each.name in known.stacks - set(ours)]
    report.standing = sorted(
        each.name for each in formations if each.name in ours and not each.state
    )
    bootstrap = belonging.members(
        to, [each.name for each in formations if each.name == belonging.BOOTSTRAP]
    )
    report.bootstrap = sorted(map(" ".join, bootstrap))
    held = belonging.Held(
        bootstrap | belonging.members(to, ours), belonging.members(to, namesakes), things
    )
    loose = [each for each in things if each not in held]
    loose = [each for each in loose if each.type != belonging.STACK or each.state]

    rows = [row for each in loose if (row := known.row(each))]
    unknown = set(loose) - {row.thing for row in rows} - (before or set())
    rows += _without_key_pairs(unknown, things)
    unlisted = _unlisted(tags, report.standing)
    report.rows = [
        *sorted(rows, key=lambda row: (removals.place(row.thing), row.thing)),
        *unlisted,
    ]
    report.looked_at = len(things) + len(unlisted)
    report.seconds = time.monotonic() - begun
    return report


def figures(report: Report) -> dict[str, Any]:
    """Return an audit's figures.

    `tried` counts the resources that were looked at, of all that the target has, and those that
    only the tagging service names; `passed` those of them that are not left without a reason, also
    because they are not ours. `listings` are the kinds of resources that were asked for, `refused`
    those that were not told; the rest count what was found, by verdict.
    """
    return shapes.figures(
        tried=report.looked_at,
        passed=report.looked_at - len(report.of(Verdict.LEFT)),
        seconds=report.seconds,
        listings=kinds(),
        refused=len(report.unseen),
        **{verdict.name.lower(): len(report.of(verdict)) for verdict in Verdict},
    )


class _Known:
    """What is known of who owns what."""

    def __init__(
        self,
        to: Target,
        templates: Sequence[Template],
        tags: Mapping[tuple[str, str], Mapping[str, str]],
        before: set[Thing] | None,
    ) -> None:
        self._to = to
        self._templates = templates
        self._tags = tags
        self._before = before
        self.stacks = {each.name for each in templates}

    def tags_of(self, thing: Thing) -> Mapping[str, str]:
        """Return the tags that listings have told."""
        return thing.tags or self._tags.get(belonging.key(thing.type, thing.name), {})

    def has_our_tag(self, thing: Thing) -> bool:
        """Say whether a listing has told our tag."""
        return self.tags_of(thing).get("project") == PROJECT

    def row(self, thing: Thing) -> Row | None:
        """Return what is to be thought of something that is in no stack, None for nothing."""
        if self._before is not None:
            if thing in self._before:
                return None
            return self._left(thing, "not there before the first deployment", self.tags_of(thing))
        made_by = belonging.made_by(thing, self._templates)
        like = self._like(thing)
        tags = self.tags_of(thing)
        # A local cloud's tagging service knows few services; there are few resources, and nobody
        # else's. In an AWS account there may be thousands.
        if not tags and (made_by or like or self._to.local is not None):
            tags = belonging.ask_tags(self._to, thing)
        if "project" in tags:
            is_ours = tags["project"] == PROJECT
            return self._left(thing, f"tag project={PROJECT}", tags) if is_ours else None
        if made_by:
            return self._left(thing, f"named by CloudFormation for {made_by}", tags)
        if like:
            return Row(thing, Verdict.UNSURE, f"{like}, but it has no tag of ours")
        return None

    def _like(self, thing: Thing) -> str:
        """Say of which of ours only a name reminds, "" if of none."""
        if stack := belonging.looks_like(thing, sorted(self.stacks)):
            return f"named like {stack}'s"
        is_parameter = thing.type == _PARAMETER and thing.name.startswith(_PARAMETERS)
        return f"under {_PARAMETERS}" if is_parameter else ""

    def _left(self, thing: Thing, why: str, tags: Mapping[str, str]) -> Row:
        tags = tags or belonging.ask_tags(self._to, thing)
        if thing.type == "AWS::S3::Bucket":
            why += f"; {_contents(self._to, thing.name)}"
        if thing.is_going:
            return Row(thing, Verdict.GOING, why, thing.state)
        if thing.state:
            why += f"; {thing.state}"
        removal = removals.lines(thing, aws=_aws(self._to), account=self._to.account)
        if tags.get("stage") == "prod" and thing.type in leftovers.KEPT:
            return Row(thing, Verdict.KEPT, why, leftovers.KEPT[thing.type], removal)
        return Row(thing, Verdict.LEFT, why, removal=removal)


def _aws(to: Target) -> str:
    """Return the AWS CLI with the options that lead there, as a shell takes them."""
    if to.local is None:
        return shlex.join(["aws", *to.aws_options])
    region = to.environment["AWS_REGION"]
    return shlex.join(["aws", "--endpoint-url", to.local.endpoint, "--region", region])


def _contents(to: Target, bucket: str) -> str:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see odyssey_cli.inventory

    try:
        found = to.client("s3").list_object_versions(Bucket=bucket, MaxKeys=1)
    except ClientError:
        return "what it holds may not be listed"
    return "not empty" if found.get("Versions") or found.get("DeleteMarkers") else "empty"


def _without_key_pairs(loose: Iterable[Thing], things: Iterable[Thing]) -> list[Row]:
    """Return the private keys whose key pair is gone."""
    pairs = {each.within for each in things if each.type == "AWS::EC2::KeyPair"}
    return [
        Row(each, Verdict.UNSURE, "its key pair is gone; whose it was cannot be told")
        for each in loose
        if each.type == _PARAMETER
        and each.name.startswith(belonging.KEY_PAIRS)
        and each.name.removeprefix(belonging.KEY_PAIRS) not in pairs
    ]


def _unlisted(tags: Mapping[str, Mapping[str, str]], standing: Iterable[str]) -> list[Row]:
    """Return what only the tagging service names: of types that the inventory does not list."""
    return [
        Row(
            Thing(":".join(arn.split(":")[2:3]), arn),
            Verdict.LEFT,
            f"tag project={PROJECT}; the tagging service may name for a while what is gone",
        )
        for arn in sorted(tags)
        if not belonging.type_of(arn) and tags[arn].get("stack", "") not in standing
    ]
