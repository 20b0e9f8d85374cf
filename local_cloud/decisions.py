"""The record of what IAM decided here: who may do what to what, and who may not.

Every decision counts: of a call that a function or a client signed, of what a service does in the
name of a role (`permissions.refusal`), and of what a service does in its own name by the policy
of a function, queue or topic. Of a role, user or group it is its *own* policies' decision, because
the record is for finding out which of them are needed: what a policy of the resource allows shows
no permission of the role's as used. Calls with the account's own keys are not checked by IAM.

- `GET /_odyssey/decisions`: `{"decisions": [...], "left_off": 0}`, in the order in which they
  were first made, each a `Kind` with `first`, when that was, in seconds since 1970, and `count`;
  `left_off` counts those of new kinds when there are too many to keep;
- `DELETE /_odyssey/decisions`: the same, and the record begins anew.

Both want the header `x-odyssey`, so that a bucket may have a key of that name.

"Determining whether a request is allowed or denied within an account"
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
read 2026-11-21.
"""

from __future__ import annotations

import json
import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_cloud.transport import App, Receive, Scope, Send

PATH = "/_odyssey/decisions"
# What a context says of itself for the record; no policy can name such a condition key.
THROUGH = "odyssey:through"
CALL, RESOURCE_POLICY = "call", "resource policy"
# Some megabytes. Objects of a bucket are different resources.
_MOST = 20_000
_ALLOW = "Allow"
# Where a result of the evaluator's says what was noted of it, for it may have to be taken back.
_NOTED = "odyssey_noted"

_EVALUATOR = "ministack.core.iam_evaluator"
_IAM = "ministack.services.iam"
_EVALUATE = Hook(_EVALUATOR, "evaluate", ("ctx", "policies", "limits"))
_OF_RESOURCE = Hook(
    _EVALUATOR, "evaluate_resource_policy", ("doc", "ctx", "service", "named_only", "direct_only")
)
_COMBINE = Hook(
    _EVALUATOR,
    "combine_resource_policy",
    ("identity", "ctx", "policy", "owner_account", "required", "limits"),
)
_ROLES = Hook(_IAM, "_roles")
_USERS = Hook(_IAM, "_users")
_GROUPS = Hook(_IAM, "_groups")
HOOKS = (_EVALUATE, _OF_RESOURCE, _COMBINE, _ROLES, _USERS, _GROUPS)


class Kind(NamedTuple):
    """What decisions that are alike have in common.

    Attributes:
        principal: `role/NAME`, `user/NAME` or a service's name.
        action: the IAM action.
        resource: ARN of what it was to be done to.
        allowed: what was decided.
        through: `call`, or in what other way it came to be decided.
        policies: ARNs of the managed policies that the principal had then.
        groups: names of the groups that it was in then.
    """

    principal: str
    action: str
    resource: str
    allowed: bool
    through: str
    policies: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass
class _Times:
    """When the first decision of a kind was made, in seconds since 1970, and how many were."""

    first: float
    count: int


class Record:
    """Decisions, those that are alike once; any thread may note one."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: dict[Kind, _Times] = {}
        self._left_off = 0

    def note(self, kind: Kind) -> None:
        """Count a decision."""
        with self._lock:
            self._count(kind)

    def taken_back(self, kind: Kind) -> None:
        """Count a decision that was to allow something as one that did not."""
        with self._lock:
            known = self._kept.get(kind)
            if known is not None:
                known.count -= 1
                if not known.count:
                    del self._kept[kind]
            self._count(kind._replace(allowed=False))

    def as_json(self) -> dict[str, Any]:
        """Return what `GET` answers."""
        with self._lock:
            return self._told()

    def begun_anew(self) -> dict[str, Any]:
        """Forget everything; return what `DELETE` answers."""
        with self._lock:
            told = self._told()
            self._kept.clear()
            self._left_off = 0
            return told

    def _count(self, kind: Kind) -> None:
        known = self._kept.get(kind)
        if known is not None:
            known.count += 1
        elif len(self._kept) >= self._most:
            self._left_off += 1
        else:
            self._kept[kind] = _Times(time.time(), 1)

    def _told(self) -> dict[str, Any]:
        return {
            "decisions": [
                {**kind._asdict(), "first": times.first, "count": times.count}
                for kind, times in self._kept.items()
            ],
            "left_off": self._left_off,
        }


# A process has one cloud.
_record = Record()
# Whether a resource's own policy is being evaluated, which the evaluator does like any other.
_of_resource: ContextVar[bool] = ContextVar("of_resource", default=False)


def install() -> None:
    """Listen to the evaluator."""
    _EVALUATE.replace(_noting)
    _OF_RESOURCE.replace(_noting_services)
    _COMBINE.replace(_noting_refusals)


def _noting(evaluate: Callable[..., Any]) -> Callable[..., Any]:
    def evaluated(ctx: Any, policies: Any, *limits: Any) -> Any:  # noqa: ANN401 -- MiniStack's
        result = evaluate(ctx, policies, *limits)
        if not _of_resource.get():
            kind = _kind(ctx, allowed=result.decision == _ALLOW)
            _record.note(kind)
            setattr(result, _NOTED, kind)
        return result

    return evaluated


def _noting_services(of_resource: Callable[..., Any]) -> Callable[..., Any]:
    def evaluated(
        doc: Any,  # noqa: ANN401 -- MiniStack's
        ctx: Any,  # noqa: ANN401 -- MiniStack's
        service: str | None = None,
        named_only: bool = False,
        direct_only: bool = False,
    ) -> Any:  # noqa: ANN401 -- MiniStack's
        token = _of_resource.set(True)
        try:
            result = of_resource(doc, ctx, service, named_only, direct_only)
        finally:
            _of_resource.reset(token)
        if service is not None:
            allowed = result.decision == _ALLOW
            _record.note(Kind(service, ctx.action, ctx.resource_arn, allowed, RESOURCE_POLICY))
        return result

    return evaluated


def _noting_refusals(combine: Callable[..., Any]) -> Callable[..., Any]:
    """Note that the resource's own policy refuses what the caller's would have allowed."""

    def combined(identity: Any, ctx: Any, *more: Any, **named: Any) -> Any:  # noqa: ANN401 -- MiniStack's
        result = combine(identity, ctx, *more, **named)
        if identity.decision == _ALLOW != result.decision:
            _record.taken_back(getattr(identity, _NOTED))
        return result

    return combined


def _kind(ctx: Any, *, allowed: bool) -> Kind:  # noqa: ANN401 -- MiniStack's
    principal = _principal(ctx)
    through = str(ctx.service_context.get(THROUGH, CALL))
    held = _held(principal, ctx.principal_account)
    return Kind(principal, ctx.action, ctx.resource_arn, allowed, through, *held)


def _principal(ctx: Any) -> str:  # noqa: ANN401 -- MiniStack's
    """Return a role's name for its sessions; a session has another name for each function."""
    kind, _, name = str(ctx.principal_arn).rpartition(":")[2].partition("/")
    if kind == "assumed-role":
        return f"role/{name.partition('/')[0]}"
    return f"{kind}/{name.rpartition('/')[2]}"


def _held(principal: str, account: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the managed policies that a principal has, its groups' too, and its groups."""
    kind, _, name = principal.partition("/")
    if kind == "role":
        role = find(_ROLES).get_scoped(account, None, name) or {}
        return tuple(role.get("AttachedPolicies", ())), ()
    if kind != "user":
        return (), ()
    user = find(_USERS).get_scoped(account, None, name) or {}
    policies, groups = [*user.get("AttachedPolicies", ())], []
    for group, stored in find(_GROUPS).items():
        if name in stored.get("Users", []):
            groups.append(str(group))
            policies += stored.get("AttachedPolicies", [])
    return tuple(policies), tuple(groups)


def with_decisions(app: App) -> App:
    """Put the path that tells the record in front of an app."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        wanted = scope["type"] == "http" and scope["path"] == PATH
        if not wanted or b"x-odyssey" not in dict(scope["headers"]):
            await app(scope, receive, send)
            return
        told = _record.begun_anew() if scope["method"] == "DELETE" else _record.as_json()
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(told).encode()})

    return wrapped
