"""Refusals as RFC 9457 problem details, with a stable `type` a client can test for."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.event_handler import Response

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - the RFC's own word
    """A request that is refused.

    Attributes:
        status: the HTTP status.
        type: the last part of the problem's URN, e.g. `invalid-json`.
        detail: one sentence for the person who sent the request.
        headers: of the answer.
    """

    def __init__(
        self,
        status: HTTPStatus,
        type: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{type}: {detail}")
        self.headers = dict(headers or {})
        self.status = status
        self.type = type
        self.detail = detail

    def response(self) -> Response[str]:
        """Return the answer to send."""
        # Functions without an API know problems, too, and need not load what answers them.
        from aws_lambda_powertools.event_handler import Response  # noqa: PLC0415

        body = {
            "type": f"urn:aws-odyssey:problem:{self.type}",
            "title": self.type.replace("-", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
        }
        return Response(
            status_code=self.status,
            content_type=CONTENT_TYPE,
            headers={**self.headers},
            body=json.dumps(body, ensure_ascii=False),
        )


def bad_request(type: str, detail: str) -> Problem:
    """Return the problem of a request that can never succeed as it is (400)."""
    return Problem(HTTPStatus.BAD_REQUEST, type, detail)
