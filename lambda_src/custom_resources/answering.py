"""Answers to CloudFormation, which waits for one from each custom resource.

Requests and answers: "Custom resource request and response reference", AWS CloudFormation User
Guide, 2026-11-21.
"""

from __future__ import annotations

import json
from typing import Any

import urllib3

# Answers over 4,096 bytes are not taken; a character may become twelve.
_MAX_REASON = 250


def answer(event: dict[str, Any], *, physical_id: str, failure: str | None = None) -> None:
    """Tell CloudFormation how a request went.

    Args:
        event: the request.
        physical_id: what was made, changed or deleted; another one than before replaces it.
        failure: in a sentence, why it could not be; None when it could.

    Raises:
        RuntimeError: the answer was not taken.
    """
    body = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    body |= {
        "Status": "SUCCESS" if failure is None else "FAILED",
        "Reason": (failure or "")[:_MAX_REASON],
        "PhysicalResourceId": physical_id,
    }
    # The address is signed for an empty content type.
    sent = urllib3.PoolManager().request(
        "PUT", event["ResponseURL"], body=json.dumps(body), headers={"content-type": ""}
    )
    if sent.status >= 300:  # noqa: PLR2004 - what HTTP calls success ends there
        raise RuntimeError(f"CloudFormation did not take the answer: {sent.status}.")
