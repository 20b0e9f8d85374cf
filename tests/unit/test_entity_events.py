"""Events about entities: which there are, what they are called, and how large they may be."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from proofs.fakes.sizes import LARGEST_ITEM, LARGEST_TRANSACTION, item_size
from shared import entity_events, queues, strict_json
from shared.entity_events import TooLarge
from shared.rejects import Unprocessable
from tests.ingest import NOON, TEXT, at, envelope, event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGEST = 200_000
MOST = 2 * LARGEST
MOST_VALUES = 5_000
EMPTY = len(event(1, data={}).text)
# 30 levels, of which the envelope and `data` take two.
LEVELS = 28


def test_an_event_is_written_in_one_line_as_it_was_read() -> None:
    text = queues.json_text(envelope(1, data={"text": f"{TEXT}\n\u2028\uffff", "n": [1, 2.5]}))
    assert entity_events.read(text).text == text
    assert "\n" not in text


def test_an_entity_is_known_by_its_type_and_id() -> None:
    assert event(1, type="order", subject="a").entity == "order/a"
    assert entity_events.entity_key("order", "a") == "order/a"
    keys = {event(1, type=t, subject=s).entity for t in ("a", "a.b", "b") for s in ("a", "b", "ab")}
    assert len(keys) == 9


def test_an_event_is_known_by_its_source_and_id() -> None:
    names = {
        event(1, id=name, source=source).id
        for name in ("1", "/1", "1/1")
        for source in ("/a", "/a/1")
    }
    assert len(names) == 6


def test_places_sort_as_times_do_and_then_as_ids(seed: int) -> None:
    generator = random.Random(seed)  # noqa: S311
    made = [
        event(1, time=at(generator.choice([-1e9, -1, -0.5, -0.000001, 0])), id=name)
        for name in ("!", "#", "0", "A", "a", "a#", "a0", "~")
        for _ in range(5)
    ]
    generator.shuffle(made)
    by_place = sorted(made, key=lambda each: each.at)
    found = [(each.envelope.time, each.envelope.id) for each in by_place]
    assert found == sorted(found)


def test_two_events_that_say_the_same_are_two() -> None:
    assert event(1) != event(1)
    assert len({event(1), event(1)}) == 2


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"subject": None}, "'subject'"),
        ({"subject": "a/b"}, "'subject'"),
        ({"type": "A"}, "'type'"),
        ({"type": ".a"}, "'type'"),
        ({"id": "a b"}, "'id'"),
        ({"id": "i" * 256}, "'id'"),
        ({"source": "aws.s3"}, "'source' begins with 'aws.'"),
        ({"source": "aws."}, "'source' begins with 'aws.'"),
    ],
)
def test_what_is_about_no_entity_is_refused(changes: dict[str, Any], cause: str) -> None:
    with pytest.raises(Unprocessable, match=cause):
        event(1, **changes)


@pytest.mark.parametrize("source", ["/aws.s3", "aws", "awsome", "AWS.s3", "urn:aws.s3"])
def test_a_source_that_only_resembles_those_of_aws_is_anybody_s(source: str) -> None:
    assert event(1, source=source).envelope.source == source


@pytest.mark.parametrize("name", ["type", "subject"])
def test_a_cause_does_not_repeat_what_was_refused(name: str) -> None:
    # It is in the log, which is to hold no payload.
    with pytest.raises(Unprocessable) as refused:
        event(1, **{name: "hunter2 hunter2"})
    assert "hunter2" not in str(refused.value)


def test_only_who_says_when_it_is_refuses_the_future() -> None:
    text = json.dumps(envelope(1, time=at(3_601)))
    assert entity_events.read(text).envelope.id == "e1"
    with pytest.raises(Unprocessable, match="more than an hour ahead"):
        entity_events.read(text, now=NOON)
    assert entity_events.read(json.dumps(envelope(1, time=at(3_600))), now=NOON)
    with pytest.raises(Unprocessable, match="more than an hour ahead"):
        entity_events.from_dict(envelope(1, time=at(3_601)), now=NOON)
    assert entity_events.from_dict(envelope(1, time=at(3_600)), now=NOON)
    assert entity_events.from_dict(envelope(1, time=at(3_601)))


@pytest.mark.parametrize("character", ["x", "é", "😀", '"', "\n", "\uffff"])
def test_an_event_is_as_large_as_its_json_in_utf8(character: str) -> None:
    each = len(queues.json_text(character).encode()) - 2
    room = LARGEST - EMPTY - len('"t": ""')
    text = character * (room // each) + "x" * (room % each)
    assert len(event(1, data={"t": text}).text.encode()) == LARGEST
    with pytest.raises(TooLarge, match="200001 bytes"):
        event(1, data={"t": text + "x"})


def stored_size(data: dict[str, Any], **changes: Any) -> tuple[int, int]:
    """Return the bytes of an event as JSON, and as DynamoDB counts its item."""
    made = event(1, data=data, **changes)
    item = {
        "entity": {"S": made.entity},
        "at": {"S": made.at},
        "event": strict_json.to_attribute(made.envelope.as_dict()),
        "expires_at": {"N": "1795000000"},
    }
    return len(made.text.encode()), item_size(item)


def nested(levels: int, inner: str, opening: str = "[", closing: str = "]") -> Any:
    return json.loads(opening * levels + inner + closing * levels)


def shapes() -> Iterator[tuple[str, Any]]:
    """Yield JSON of which DynamoDB makes much, one piece of a list each."""
    yield "nothing", None
    yield "a digit", 1
    yield "a negative digit", -1
    yield "two digits", 11
    yield "a fraction", 0.1
    yield "a large number", 1e100
    yield "the most digits", -0.12345678901234567
    yield "an empty text", ""
    yield "an empty list", []
    yield "an empty object", {}
    yield "a name of a letter", {"a": 1}
    yield "lists in lists", nested(LEVELS - 1, "")
    yield "a digit in lists", nested(LEVELS - 1, "1")
    yield "objects in lists", nested(LEVELS - 2, "{}")
    yield "objects in objects", nested(LEVELS - 2, "{}", '{"a":', "}")


PIECES = dict(shapes())


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES.keys())
def test_no_piece_of_json_adds_more_than_twice_its_bytes_in_dynamodb(piece: Any) -> None:
    before, after = stored_size({"a": []}), stored_size({"a": [piece] * 50})
    assert after[1] - before[1] <= 2 * (after[0] - before[0])


@pytest.mark.parametrize("length", [1, 250])
def test_an_event_without_data_is_at_most_twice_as_large_in_dynamodb(length: int) -> None:
    names = {"subject": "s" * length, "type": "t" * min(length, 64), "id": "i" * length}
    json_bytes, item = stored_size({}, **names)
    assert item <= 2 * json_bytes


def test_generated_data_adds_at_most_twice_its_bytes_in_dynamodb(seed: int) -> None:
    generator = random.Random(seed)  # noqa: S311
    before = stored_size({})
    for _ in range(150):
        data = {"a": generated(generator, LEVELS)}
        after = stored_size(data)
        assert after[1] - before[1] <= 2 * (after[0] - before[0]), json.dumps(data)


def generated(generator: random.Random, levels: int) -> Any:
    """Return JSON that is nested deep rather than broad."""
    leaves: list[Any] = [
        None,
        True,
        "",
        "é",
        0,
        -1,
        10,
        99,
        -0.1,
        1e-130,
        -9.9e125,
        2**53 - 1,
        [],
        {},
    ]
    if not levels or generator.random() < 0.1:
        return generator.choice(leaves if levels else leaves[:-2])
    inside = [generated(generator, levels - 1) for _ in range(generator.choice([1, 1, 1, 1, 2]))]
    if generator.random() < 0.5:
        return inside
    return {chr(ord("a") + place): each for place, each in enumerate(inside)}


def test_the_largest_event_is_an_item_and_ten_are_a_transaction() -> None:
    # GIVEN as many of the worst of the shapes above as an event can have, and text
    pieces = [nested(LEVELS - 1, "")] * ((MOST_VALUES - 3) // (LEVELS - 1))
    room = LARGEST - stored_size({"a": pieces, "t": ""})[0]
    # WHEN
    json_bytes, item = stored_size({"a": pieces, "t": "x" * room})
    # THEN
    assert json_bytes == LARGEST
    assert item <= MOST < LARGEST_ITEM
    assert 10 * MOST < LARGEST_TRANSACTION


@pytest.mark.parametrize(
    ("make", "own"),
    [
        (lambda count: {"a": [0] * count}, 2),
        (lambda count: {str(number): None for number in range(count)}, 1),
        (lambda count: {"a": [{}] * (count // 2), "b": [[]] * (count - count // 2)}, 3),
    ],
    ids=["a list", "fields", "empty containers"],
)
def test_an_event_has_as_many_values_as_are_written_in_time(
    make: Callable[[int], dict[str, Any]], own: int
) -> None:
    assert event(1, data=make(MOST_VALUES - own))
    with pytest.raises(Unprocessable, match="data has 5001 values, more than 5000"):
        event(1, data=make(MOST_VALUES - own + 1))
