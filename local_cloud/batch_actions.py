"""Batch calls of SQS, which IAM knows by the name of the single call.

MiniStack asks for `sqs:SendMessageBatch`, an action that IAM does not have: on AWS a batch is
allowed by the permission for one message.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html
read 2026-11-21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_cloud.ground import Hook

if TYPE_CHECKING:
    from collections.abc import Callable

_EXTRACT = Hook("ministack.core.iam_actions", "extract_iam_action")
HOOKS = (_EXTRACT,)

_SINGLE = {
    f"sqs:{name}Batch": f"sqs:{name}"
    for name in ("SendMessage", "DeleteMessage", "ChangeMessageVisibility")
}


def action_of_iam(action: str | None) -> str | None:
    """Return the action that IAM evaluates for a call's action."""
    return _SINGLE.get(action, action) if action else action


def install() -> None:
    """Translate what MiniStack reads off a request."""

    def make(extract: Callable[..., str | None]) -> Callable[..., str | None]:
        def extracted(*arguments: Any, **named: Any) -> str | None:  # noqa: ANN401 - passed on
            return action_of_iam(extract(*arguments, **named))

        return extracted

    _EXTRACT.replace(make)
