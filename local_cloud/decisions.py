"""The record of what IAM decided here: who may do what to what, and who may not.

Every decision counts: of a call that a function or a client signed, of what a service does in the
name of a role (`permissions.refusal`), and of what a service does in its own name by the policy
of a function, queue or topic. Of a role, user or group it is its *own* policies' decision, because
the record is for finding out which of them are needed: what a policy of the resource allows shows
no permission of the role's as used. Calls with the account's own keys are not checked by IAM.

- `GET /_odyssey/decisions`: `{"decisions": [...], "left_off": 0}`, in the order in which they
  were first made; `left_off` counts those of new kinds when there are too many to keep;
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
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

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


@dataclass
class Decision:
    """Decisions that were alike.

    Attributes:
        principal: `role/NAME`, `user/NAME` or a service's name.
        action: the IAM action.
        resource: ARN of what it was to be done to.
        allowed: what was decided.
        through: `call`, or in what other way it came to be decided.
        first: when the first was made, in seconds since 1970.
        count: how many there were.
        policies: ARNs of the managed policies that the principal had then.
        groups: names of the groups that it was in then.
    """

    principal: str
    action: str
    resource: str
    allowed: bool
    through: str
    first: float
    count: int = 0
    policies: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)


class Record:
    """Decisions, those that are alike once; any thread may note one."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str, str, bool, str], Decision] = {}
        self._left_off = 0

    def note(
        self, principal: str, action: str, resource: str, *, allowed: bool, through: str
    ) -> Decision | None:
        """Count a decision; return it when it is the first of its kind."""
        key = (principal, action, resource, allowed, through)
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                known.count += 1
                return None
            if len(self._kept) >= self._most:
                self._left_off += 1
                return None
            made = Decision(*key, first=time.time(), count=1)
            self._kept[key] = made
            return made

    def taken_back(self, principal: str, action: str, resource: str, through: str) -> None:
        """Count a decision that was to allow something as one that did not."""
        with self._lock:
            known = self._kept.get((principal, action, resource, True, through))
            if known is not None:
                known.count -= 1
                if not known.count:
                    del self._kept[principal, action, resource, True, through]
        self.note(principal, action, resource, allowed=False, through=through)

    def as_json(self) -> dict[str, Any]:
        """Return what `GET` answers."""
        with self._lock:
            return {
                "decisions": [asdict(each) for each in self._kept.values()],
                "left_off": self._left_off,
            }

    def clear(self) -> None:
        """Begin anew."""
        with self._lock:
            self._kept.clear()
            self._left_off = 0


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
            _note(ctx, allowed=result.decision == _ALLOW)
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
            _record.note(
                service, ctx.action, ctx.resource_arn, allowed=allowed, through=RESOURCE_POLICY
            )
        return result

    return evaluated


def _noting_refusals(combine: Callable[..., Any]) -> Callable[..., Any]:
    """Note that the resource's own policy refuses what the caller's would have allowed."""

    def combined(identity: Any, ctx: Any, *more: Any, **named: Any) -> Any:  # noqa: ANN401 -- MiniStack's
        result = combine(identity, ctx, *more, **named)
        if identity.decision == _ALLOW != result.decision:
            _record.taken_back(_principal(ctx), ctx.action, ctx.resource_arn, _through(ctx))
        return result

    return combined


def _note(ctx: Any, *, allowed: bool) -> None:  # noqa: ANN401 -- MiniStack's
    made = _record.note(
        _principal(ctx), ctx.action, ctx.resource_arn, allowed=allowed, through=_through(ctx)
    )
    if made is not None:
        made.policies, made.groups = _held(made.principal, ctx.principal_account)


def _through(ctx: Any) -> str:  # noqa: ANN401 -- MiniStack's
    return str(ctx.service_context.get(THROUGH, CALL))


def _principal(ctx: Any) -> str:  # noqa: ANN401 -- MiniStack's
    """Return a role's name for its sessions; a session has another name for each function."""
    kind, _, name = str(ctx.principal_arn).rpartition(":")[2].partition("/")
    if kind == "assumed-role":
        return f"role/{name.partition('/')[0]}"
    return f"{kind}/{name.rpartition('/')[2]}"


def _held(principal: str, account: str) -> tuple[list[str], list[str]]:
    """Return the managed policies that a principal has, its groups' too, and its groups."""
    kind, _, name = principal.partition("/")
    if kind == "role":
        role = find(_ROLES).get_scoped(account, None, name) or {}
        return list(role.get("AttachedPolicies", [])), []
    if kind != "user":
        return [], []
    user = find(_USERS).get_scoped(account, None, name) or {}
    policies, groups = list(user.get("AttachedPolicies", [])), []
    for group, stored in find(_GROUPS).items():
        if name in stored.get("Users", []):
            groups.append(str(group))
            policies += stored.get("AttachedPolicies", [])
    return policies, groups


def with_decisions(app: App) -> App:
    """Put the path that tells the record in front of an app."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        wanted = scope["type"] == "http" and scope["path"] == PATH
        if not wanted or b"x-odyssey" not in dict(scope["headers"]):
            await app(scope, receive, send)
            return
        body = json.dumps(_record.as_json()).encode()
        if scope["method"] == "DELETE":
            _record.clear()
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return wrapped
