"""Refusals are RFC 9457 problem details."""

import json
from http import HTTPStatus

from shared.problems import Problem, bad_request


def test_a_problem_has_a_stable_type_a_title_its_status_and_a_sentence() -> None:
    # GIVEN
    problem = Problem(HTTPStatus.CONFLICT, "still-in-use", "Åsa uses it.")
    # WHEN
    response = problem.response()
    # THEN
    assert response.status_code == 409
    assert response.headers["Content-Type"] == "application/problem+json"
    assert json.loads(response.body or "") == {
        "type": "urn:aws-odyssey:problem:still-in-use",
        "title": "Still in use",
        "status": 409,
        "detail": "Åsa uses it.",
    }


def test_a_bad_request_is_status_400() -> None:
    assert bad_request("limit", "Too many.").response().status_code == 400
