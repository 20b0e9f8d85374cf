"""The rules, in one list, and a run of all of them over templates."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from odyssey_cli.policy import access, alarms, edges, encryption, keeping, names, tagging
from odyssey_cli.policy.rule import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from odyssey_cli.policy.templates import Template

RULES = (
    Rule(
        "edges-guarded",
        "Every asynchronous edge has bounded tries and age, partial batches, an end that may be "
        "written to, and somebody who is told.",
        edges.unguarded,
    ),
    Rule(
        "edges-known",
        "There is no resource of which nobody knows whether it makes an asynchronous edge.",
        edges.unknown,
    ),
    Rule(
        "failure-queues-watched",
        "Every dead-letter and rejects queue has an alarm from one message on, which tells within "
        "15 minutes.",
        alarms.failure_queues_watched,
    ),
    Rule(
        "failure-queues-kept",
        "Every dead-letter and rejects queue keeps what it has for 14 days.",
        alarms.failure_queues_kept,
    ),
    Rule(
        "sources-watched",
        "Every queue, stream and delivery stream that is consumed has an alarm on its age, which "
        "tells at half of the time after which it is lost.",
        alarms.sources_watched,
    ),
    Rule(
        "failures-watched",
        "Functions have an alarm on throttles, APIs on their 5xx, delivery streams on failed "
        "batches, hosts on their status checks; CloudFormation's helpers tell whoever deploys.",
        alarms.failures_watched,
    ),
    Rule(
        "alarms-tell",
        "Every alarm acts on the app's one topic, within 15 minutes, and says in a sentence what "
        "is wrong.",
        alarms.alarms_tell,
    ),
    Rule(
        "encrypted",
        "Queues, topics, tables, buckets, streams, logs, secrets and volumes are encrypted at "
        "rest, in prod with the stack's own key, buses and archives with one of AWS's.",
        encryption.encrypted,
    ),
    Rule("keys-rotate", "Keys rotate, and only prod has any.", encryption.keys_rotate),
    Rule(
        "tls-only",
        "Queues, topics and buckets refuse calls without TLS.",
        encryption.tls_only,
    ),
    Rule(
        "buckets-closed",
        "Buckets are versioned and closed to the public.",
        encryption.buckets_closed,
    ),
    Rule(
        "log-groups-owned",
        "Functions, APIs, flow logs and delivery streams each have a log group of the template, "
        "with retention.",
        keeping.log_groups_owned,
    ),
    Rule(
        "removal-right",
        "What holds data goes with a dev stack, emptied if need be, and outlives a prod stack.",
        keeping.removal_right,
    ),
    Rule(
        "deletion-protected",
        "Stacks, tables and hosts of prod refuse to be deleted, and tables can be restored; those "
        "of dev go.",
        keeping.deletion_protected,
    ),
    Rule(
        "no-wildcard",
        "Statements name their actions, and their resources wherever AWS has any.",
        access.no_wildcard,
    ),
    Rule(
        "no-policy-of-aws",
        "Nobody has a policy that AWS manages.",
        access.no_policy_of_aws,
    ),
    Rule("role-of-its-own", "Every function has a role of its own.", access.role_of_its_own),
    Rule(
        "nobody-else",
        "Policies of resources and roles let in services for this account, and this account.",
        access.nobody_else,
    ),
    Rule("no-access-key", "No stack makes an access key.", access.no_access_key),
    Rule(
        "tagged",
        "Every stack, and whatever takes tags, has the app's: project, stack and stage.",
        tagging.tagged,
    ),
    Rule("no-export", "No stack exports a value, or imports one.", names.no_export),
    Rule(
        "no-physical-name",
        "Nothing has a physical name but what others find it by.",
        names.no_physical_name,
    ),
)


@dataclass(frozen=True)
class Run:
    """What a run of the rules came to.

    Attributes:
        stacks: how many templates were looked at.
        resources: how many resources they have.
        findings: what is wrong.
        milliseconds: how long the rules took, without the synth.
    """

    stacks: int
    resources: int
    findings: tuple[Finding, ...]
    milliseconds: int

    def figures(self) -> dict[str, Any]:
        """Return the run's figures."""
        return {
            "rules": len(RULES),
            "stacks": self.stacks,
            "resources": self.resources,
            "findings": len(self.findings),
            "milliseconds": self.milliseconds,
        }


def findings(templates: Iterable[Template], rules: Iterable[Rule] = RULES) -> list[Finding]:
    """Return what rules find in templates."""
    rules = tuple(rules)
    return [
        Finding(rule.name, template.name, fault)
        for template in templates
        for rule in rules
        for fault in dict.fromkeys(rule.check(template))
    ]


def run(templates: Sequence[Template]) -> Run:
    """Run all rules over templates."""
    started = time.perf_counter()
    found = findings(templates)
    return Run(
        stacks=len(templates),
        resources=sum(len(each.resources) for each in templates),
        findings=tuple(found),
        milliseconds=round(1000 * (time.perf_counter() - started)),
    )
