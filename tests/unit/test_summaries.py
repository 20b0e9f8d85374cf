"""GET /get-summary and GET /get-summary/{id}, from the gateway's event to the answer."""

from __future__ import annotations

import base64
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from event_aggregator import reader, settings
from event_aggregator.aggregation import RANKING
from tests.builders import FakeContext, api_request, get_summaries, get_summary
from tests.unit.aws import Aws, make_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INDEX = "by-count"
TEXT = "Åsa café 😀 R&D C# 1+1 50% a;b %41"
ID = f"{7:064x}"
Answer = tuple[int, Any]


def cursor(position: object) -> str:
    """Return what a page would have given for `position`."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


BAD_CURSORS = {
    "empty": "",
    "no base64": "!",
    "not ASCII": "Åsa",
    "base64 of nothing JSON": base64.b64encode(b"{").decode(),
    "base64 of what is not UTF-8": base64.b64encode(b"\xff\xfe\xfa").decode(),
    "null": cursor(None),
    "an object": cursor({"count": 1, "id": ID}),
    "no list of two": cursor([1]),
    "three parts": cursor([1, ID, 1]),
    "the parts swapped": cursor([ID, 1]),
    "a count as text": cursor(["1", ID]),
    "a count that is none": cursor([0, ID]),
    "a negative count": cursor([-1, ID]),
    "a fractional count": cursor([1.5, ID]),
    "a count that is a truth value": cursor([True, ID]),
    "a count beyond DynamoDB's numbers": cursor([10**200, ID]),
    "a count of 5,000 digits": base64.b64encode(b"[" + b"9" * 5_000 + b"]").decode(),
    "a count that is infinite": base64.b64encode(f'[Infinity,"{ID}"]'.encode()).decode(),
    "an id that is none": cursor([1, "x"]),
    "an id in capitals": cursor([1, "A" * 64]),
    "an id with a line break": cursor([1, ID + "\n"]),
    "nested deep": base64.b64encode(b"[" * 50_000).decode(),
    "megabytes": "A" * 1_000_000,
    "cut": cursor([1, ID])[:-3],
}
BAD_LIMITS = ["", "0", "-1", "101", "1000", "1.0", "1e1", " 1", "+1", "x", "\u0661", "9" * 5_000]
UNKNOWN_IDS = [
    "x",
    "0" * 64,
    "0" * 63,
    "A" * 64,
    "..",
    "%00",
    TEXT,
    "a/b",
    "😀",
    "\ud800",
    "x" * 9_999,
]


@pytest.fixture
def table(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = make_table(aws.client, ranking=INDEX)
    monkeypatch.setenv("SUMMARIES_TABLE", name)
    monkeypatch.setenv("RANKING", INDEX)
    settings.reader.cache_clear()
    yield name
    settings.reader.cache_clear()


@pytest.fixture
def get(table: str) -> Callable[[dict[str, Any]], Answer]:
    def get(request: dict[str, Any]) -> Answer:
        response = reader.handler(request, FakeContext())  # type: ignore[arg-type]
        kind = "application/json" if response["statusCode"] == 200 else "application/problem+json"
        assert response["multiValueHeaders"]["Content-Type"] == [kind]
        return response["statusCode"], json.loads(response["body"])

    return get


@pytest.fixture
def add(aws: Aws, table: str) -> Callable[[int, int], None]:
    def add(number: int, count: int) -> None:
        aws.client.put_item(
            TableName=table,
            Item={
                "id": {"S": f"{number:064x}"},
                "ranking": {"S": RANKING},
                "group_label": {"S": f'{{"a":"{TEXT}"}}'},
                "item_count": {"N": str(count)},
                "first_seen": {"S": "2026-11-21T12:00:00.000000Z"},
                "last_seen": {"S": "2026-11-21T13:00:00.000000Z"},
            },
        )

    return add


def pages(get: Callable[..., Answer], limit: int) -> Iterator[list[dict[str, Any]]]:
    """Turn the pages until there is no cursor."""
    query = {"limit": str(limit)}
    while True:
        status, page = get(get_summaries(**query))
        assert status == 200
        yield page["summaries"]
        if "cursor" not in page:
            return
        query["cursor"] = page["cursor"]


def test_one_summary_reads_as_it_was_counted(
    get: Callable[..., Answer], add: Callable[..., None]
) -> None:
    add(7, 42)
    assert get(get_summary(ID)) == (
        200,
        {
            "id": ID,
            "group": f'{{"a":"{TEXT}"}}',
            "item_count": 42,
            "first_seen": "2026-11-21T12:00:00.000000Z",
            "last_seen": "2026-11-21T13:00:00.000000Z",
        },
    )


@pytest.mark.parametrize("id", UNKNOWN_IDS, ids=range(len(UNKNOWN_IDS)))
def test_an_unknown_id_is_not_found(
    get: Callable[..., Answer], add: Callable[..., None], id: str
) -> None:
    add(7, 42)
    status, problem = get(get_summary(id))
    assert (status, problem["type"]) == (404, "urn:aws-odyssey:problem:unknown-summary")


def test_no_summaries_are_an_empty_page(get: Callable[..., Answer]) -> None:
    assert get(get_summaries()) == (200, {"summaries": []})


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 24, 25, 26, 100])
def test_paging_visits_each_summary_once_highest_count_first(
    get: Callable[..., Answer], add: Callable[..., None], limit: int, seed: int
) -> None:
    # GIVEN 25 summaries, some with equal counts
    generator = random.Random(seed)  # noqa: S311
    counts = {number: generator.randint(1, 9) for number in range(25)}
    for number in generator.sample(range(25), 25):
        add(number, counts[number])
    # WHEN
    found = list(pages(get, limit))
    # THEN
    flat = [summary for page in found for summary in page]
    assert sorted(summary["id"] for summary in flat) == [f"{number:064x}" for number in counts]
    assert [s["item_count"] for s in flat] == sorted(counts.values(), reverse=True)
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert len(found) == -(-25 // limit)


def test_a_page_holds_twenty_unless_told_otherwise(
    get: Callable[..., Answer], add: Callable[..., None]
) -> None:
    for number in range(21):
        add(number, number + 1)
    page = get(get_summaries())[1]
    assert len(page["summaries"]) == 20
    assert "cursor" in page


@pytest.mark.parametrize("bad", BAD_CURSORS.values(), ids=BAD_CURSORS)
def test_a_cursor_that_no_page_gave_is_refused(
    get: Callable[..., Answer], add: Callable[..., None], bad: str
) -> None:
    add(7, 42)
    status, problem = get(get_summaries(cursor=bad))
    assert (status, problem["type"]) == (400, "urn:aws-odyssey:problem:cursor")


@pytest.mark.parametrize("limit", BAD_LIMITS, ids=range(len(BAD_LIMITS)))
def test_a_limit_out_of_range_is_refused(get: Callable[..., Answer], limit: str) -> None:
    status, problem = get(get_summaries(limit=limit))
    assert (status, problem["type"]) == (400, "urn:aws-odyssey:problem:limit")


@pytest.mark.parametrize("limit", ["1", "100", "007"])
def test_a_limit_within_the_range_is_accepted(get: Callable[..., Answer], limit: str) -> None:
    assert get(get_summaries(limit=limit))[0] == 200


def test_unknown_parameters_are_ignored(get: Callable[..., Answer]) -> None:
    assert get(get_summaries(other="x"))[0] == 200


@pytest.mark.parametrize("path", ["/", "/other", "/get-summary/a/b"])
def test_another_path_is_not_found(get: Callable[..., Answer], path: str) -> None:
    assert get(api_request("GET", path))[0] == 404
