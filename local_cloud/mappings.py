"""Event source mappings as MiniStack keeps them, and what both kinds of poller do with one."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_cloud import permissions
from local_cloud.delivery import THROTTLED, Outcome
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

_LAMBDA = "ministack.services.lambda_svc"
_MAPPINGS = Hook(_LAMBDA, "_esms")
_ALL = Hook(_LAMBDA, "_iter_all_esms", ())
_FUNCTION = Hook(_LAMBDA, "_get_func_record_for_qualifier", ("name", "qualifier"))
_EXECUTE = Hook(_LAMBDA, "_execute_function", ("func", "event"))
_FILTER = Hook(_LAMBDA, "_apply_filter_criteria", ("records", "esm"))
_ACCOUNT = Hook("ministack.core.responses", "_request_account_id")
_REGION = Hook("ministack.core.responses", "_request_region")
_SPAWN = Hook("ministack.core.concurrency", "spawn_background")
_ORIGIN = Hook(
    "ministack.core.iam_evaluator", "pin_request_origin", ("source_ip", "secure_transport")
)
HOOKS = (_MAPPINGS, _ALL, _FUNCTION, _EXECUTE, _FILTER, _ACCOUNT, _REGION, _SPAWN, _ORIGIN)

logger = logging.getLogger("odyssey.delivery")

# What AWS says of a mapping's last invoke, "EventSourceMappingConfiguration", API reference.
FINE = "OK"
FUNCTION_FAILED = "PROBLEM: Function call failed"


@dataclass(frozen=True)
class Mapping:
    """An event source mapping.

    Attributes:
        account: Its account.
        region: Its region.
        stored: MiniStack's own record of it, which changes under us.
    """

    account: str
    region: str
    stored: dict[str, Any]

    @property
    def id(self) -> str:
        """Its UUID."""
        return str(self.stored["UUID"])

    @property
    def source(self) -> str:
        """The source's ARN."""
        return str(self.stored.get("EventSourceArn", ""))

    @property
    def is_on(self) -> bool:
        """Whether it is there still and enabled."""
        return self.exists and str(self.stored.get("Enabled", True)).lower() == "true"

    @property
    def exists(self) -> bool:
        """Whether it has not been deleted."""
        return find(_MAPPINGS).get_scoped(self.account, self.region, self.id) is self.stored

    def function(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the function's record and configuration, None when there is no such function."""
        found = find(_FUNCTION)(self.stored["FunctionName"], self.stored.get("Qualifier"))
        return None if found[0] is None else found

    def refusal(self, actions: tuple[str, ...], resource: str) -> str | None:
        """Say what the function's role lacks, None if nothing."""
        function = self.function()
        if function is None:
            return "There is no such function."
        return permissions.refusal(function[1], actions, resource, through="event source mapping")

    def wanted(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the records that pass the mapping's filter."""
        kept: list[dict[str, Any]] = find(_FILTER)(records, self.stored)
        return kept

    def tell(self, result: str) -> None:
        """Show what came of the last try, as GetEventSourceMapping does."""
        self.stored["LastProcessingResult"] = result

    def scope(self) -> AbstractContextManager[None]:
        """Look at MiniStack's state as the mapping's account and region."""
        return scope_of(self.account, self.region)


@contextmanager
def scope_of(account: str, region: str) -> Iterator[None]:
    """Look at MiniStack's state as this account and region."""
    tokens = [(find(_ACCOUNT), account), (find(_REGION), region)]
    undo = [(variable, variable.set(value)) for variable, value in tokens]
    try:
        yield
    finally:
        for variable, token in undo:
            variable.reset(token)


def all_of(service: str) -> list[Mapping]:
    """Return all mappings of a service's sources, also those that are off."""
    found = [Mapping(*scoped) for scoped in find(_ALL)()]
    return [mapping for mapping in found if mapping.source.split(":")[2:3] == [service]]


def over_tls() -> None:
    """Let policies see what this thread does as done over TLS, as services do it."""
    find(_ORIGIN)("127.0.0.1", True)


def in_background(work: Callable[..., None], *arguments: object) -> None:
    """Run `work` on a thread of its own, in the current scope; it may run functions."""

    def run() -> None:
        over_tls()
        work(*arguments)

    find(_SPAWN)(run, thread_name="odyssey-delivery")


def invoke(mapping: Mapping, event: dict[str, Any]) -> Outcome:
    """Send an event to the mapping's function and say what came of it."""
    function = mapping.function()
    if function is None:
        return THROTTLED
    result = find(_EXECUTE)(function[0], event)
    if result.get("throttle"):
        return THROTTLED
    if not result.get("error"):
        mapping.tell(FINE)
        return Outcome(result.get("body"))
    mapping.tell(FUNCTION_FAILED)
    logger.warning(
        "%s failed with a batch of %d from %s: %s\n%s",
        mapping.stored["FunctionName"],
        len(event["Records"]),
        mapping.source,
        result.get("body"),
        result.get("log", ""),
    )
    return Outcome(error=result.get("function_error") or "Unhandled")
