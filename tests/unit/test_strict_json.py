"""What is accepted survives every later hop unchanged; everything else is refused here."""

from __future__ import annotations

import contextlib
import json
import math
import random
import time
from decimal import Decimal

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from odyssey_cli.fuzz.hostile_json import BAD, nested
from shared import strict_json
from shared.strict_json import InvalidJson, Json

# DynamoDB nests 32 levels, of which item and attribute take two; doubles are exact to 2^53.
MAX_DEPTH = 30
MAX_INTEGER = 9_007_199_254_740_991
TEXT = "Åsa café 😀 R&D C# 1+1 50% a;b %41"

GOOD: dict[str, bytes] = {
    "nothing in an object": b"{}",
    "every kind": b'{"n":null,"t":true,"f":false,"i":1,"d":1.5,"s":"x","l":[],"o":{}}',
    "the text": json.dumps({TEXT: TEXT}, ensure_ascii=False).encode(),
    "the text, escaped": json.dumps({TEXT: TEXT}).encode(),
    "a surrogate pair": b'{"a":"\\ud83d\\ude00"}',
    "NUL and other control characters": b'{"a":"\\u0000\\u001f\\u007f\\u2028"}',
    "composed and decomposed": '{"\u00e9":1,"e\u0301":2}'.encode(),
    "an empty text": b'{"a":""}',
    "2^53 - 1": b'{"a":9007199254740991}',
    "-(2^53 - 1)": b'{"a":-9007199254740991}',
    "minus zero": b'{"a":-0,"b":-0.0,"c":-0e5}',
    "zero with an exponent": b'{"a":0e999,"b":0.000e-999}',
    "DynamoDB's smallest": b'{"a":1e-130,"b":-1e-130}',
    "DynamoDB's largest": b'{"a":9.9e125,"b":-9.9e125}',
    "a double with 17 digits": b'{"a":0.30000000000000004}',
    "the deepest": nested(MAX_DEPTH),
    "a scalar": b"1",
    "a name of 1,024 bytes": b'{"%s":1}' % (b"a" * 1_024),
    "a name of 512 letters of two bytes": b'{"%s":1}' % ("é" * 512).encode(),
    "empty containers": b'{"a":[],"b":{},"c":[[],{},""]}',
    "whole, negative and large": b"[-1,10,1e22,-1e22,123456789012345,1e-7,0.1,100.0]",
    "space all around": b' \r\n\t{ "a" : 1 } ',
}


def through_dynamodb(value: Json) -> Json:
    """Write as we do, and read as boto3 does."""
    return doubles(TypeDeserializer().deserialize(strict_json.to_attribute(value)))


def doubles(value: Json) -> Json:
    """Return `value` with decimals as JSON's numbers."""
    match value:
        case Decimal():
            return float(value)
        case dict():
            return {name: doubles(item) for name, item in value.items()}
        case list():
            return [doubles(item) for item in value]
    return value


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_what_a_later_hop_cannot_carry_is_refused_with_a_sentence(body: bytes) -> None:
    with pytest.raises(InvalidJson) as refusal:
        strict_json.parse(body)
    message = str(refusal.value)
    assert message.endswith(".")
    assert len(message) < 200
    # The message goes into a JSON answer.
    assert json.dumps(message, ensure_ascii=False).encode()


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD.keys())
def test_what_is_accepted_comes_back_from_dynamodb_unchanged(body: bytes) -> None:
    # GIVEN
    value = strict_json.parse(body)
    # WHEN
    stored = through_dynamodb(value)
    # THEN
    assert strict_json.canonical(stored) == strict_json.canonical(value)
    assert stored == value == json.loads(body)


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD.keys())
def test_canonical_json_means_the_same_and_is_its_own_canonical_form(body: bytes) -> None:
    value = strict_json.parse(body)
    canonical = strict_json.canonical(value)
    assert strict_json.parse(canonical) == value
    assert strict_json.canonical(strict_json.parse(canonical)) == canonical


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":1,"b":2}', b'{"b":2,"a":1}'),
        (b'{"a":1}', b'{"a":1.0}'),
        (b'{"a":100}', b'{"a":1e2}'),
        (b'{"a":0}', b'{"a":-0.0}'),
        (b'{"a":"\\u00e9"}', '{"a":"é"}'.encode()),
        (b'{"a":{"c":1,"b":[{"y":1,"x":2}]}}', b'{ "a" : {"b":[{"x":2,"y":1}],"c":1.0} }'),
    ],
)
def test_two_spellings_of_one_value_have_one_canonical_form(one: bytes, other: bytes) -> None:
    assert strict_json.canonical(strict_json.parse(one)) == strict_json.canonical(
        strict_json.parse(other)
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":1}', b'{"a":"1"}'),
        (b'{"a":1}', b'{"a":true}'),
        (b'{"a":0}', b'{"a":false}'),
        (b'{"a":null}', b"{}"),
        (b'{"a":[1,2]}', b'{"a":[2,1]}'),
        (b'{"a":9007199254740991}', b'{"a":9007199254740990}'),
        ('{"a":"\u00e9"}'.encode(), '{"a":"e\u0301"}'.encode()),
    ],
)
def test_two_values_never_share_a_canonical_form(one: bytes, other: bytes) -> None:
    assert strict_json.canonical(strict_json.parse(one)) != strict_json.canonical(
        strict_json.parse(other)
    )


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD.keys())
def test_what_dynamodb_kept_is_read_with_numbers_of_its_own_kind(body: bytes) -> None:
    # GIVEN
    value = strict_json.parse(body)
    # WHEN
    found = strict_json.from_attribute(strict_json.to_attribute(value))
    # THEN it is the same, and JSON again
    assert found == value
    assert strict_json.parse(json.dumps(found).encode()) == value


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD.keys())
def test_an_attribute_is_what_boto3_makes_of_the_same_value(body: bytes) -> None:
    value = strict_json.parse(body)
    expected = TypeSerializer().serialize(decimals(value))
    assert with_numbers(strict_json.to_attribute(value)) == with_numbers(expected)
    # AND whatever boto3 wrote is read as boto3 reads it
    assert strict_json.from_attribute(expected) == doubles(TypeDeserializer().deserialize(expected))


def decimals(value: Json) -> Json:
    """Return `value` with numbers as boto3 takes them."""
    match value:
        case float():
            return Decimal(repr(value))
        case dict():
            return {name: decimals(item) for name, item in value.items()}
        case list():
            return [decimals(item) for item in value]
    return value


def with_numbers(attribute: Json) -> Json:
    """Return an attribute with the numbers that its texts are: DynamoDB has its own for them."""
    [(kind, value)] = attribute.items()
    match kind:
        case "N":
            return kind, Decimal(value)
        case "M":
            return kind, {name: with_numbers(item) for name, item in value.items()}
        case "L":
            return kind, [with_numbers(item) for item in value]
    return kind, value


@pytest.mark.parametrize(
    ("value", "attribute"),
    [
        (0, {"N": "0"}),
        (-0.0, {"N": "0"}),
        (1e22, {"N": "1e+22"}),
        (1e-130, {"N": "1e-130"}),
        (MAX_INTEGER, {"N": "9007199254740991"}),
        (True, {"BOOL": True}),
        (None, {"NULL": True}),
        ("", {"S": ""}),
        ([], {"L": []}),
        ({}, {"M": {}}),
        (
            {"a": [1, {"b": False}]},
            {"M": {"a": {"L": [{"N": "1"}, {"M": {"b": {"BOOL": False}}}]}}},
        ),
    ],
)
def test_an_attribute_says_its_kind(value: Json, attribute: Json) -> None:
    assert strict_json.to_attribute(value) == attribute
    assert strict_json.from_attribute(attribute) == value


@pytest.mark.parametrize(
    ("text", "number"),
    [
        # As DynamoDB writes what it was given as 1E+2, 1.0, 1e22 and 9.9e125.
        ("100", 100),
        ("1.0", 1),
        ("10000000000000000000000", 1e22),
        ("99" + "0" * 124, 9.9e125),
        ("0.00000012", 1.2e-7),
        ("-0", 0),
    ],
)
def test_a_number_is_read_however_dynamodb_writes_it(text: str, number: float) -> None:
    found = strict_json.from_attribute({"N": text})
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1", "1"),
        ("1.0", "1"),
        ("-0.5", "-0.5"),
        ("9007199254740991", "9007199254740991"),
        ("1e22", "1e+22"),
        ("1e-7", "1e-07"),
        ("0.1", "0.1"),
        ("0", "0"),
    ],
)
def test_a_number_that_dynamodb_kept_is_written_as_before_or_shorter(
    number: str, text: str
) -> None:
    value = strict_json.parse(number.encode())
    stored = strict_json.to_attribute(value)
    assert json.dumps(strict_json.from_attribute(stored)) == text
    assert len(text) <= len(json.dumps(value))


def test_a_body_may_have_as_many_levels_as_its_reader_says() -> None:
    assert strict_json.parse(nested(MAX_DEPTH + 1), depth=MAX_DEPTH + 1)
    with pytest.raises(InvalidJson, match="nested deeper"):
        strict_json.parse(nested(MAX_DEPTH + 2), depth=MAX_DEPTH + 1)


def test_generated_values_survive_canonical_json_and_dynamodb(seed: int) -> None:
    generator = random.Random(seed)  # noqa: S311
    for _ in range(150):
        # GIVEN
        value = {"value": generated(generator, depth=4)}
        body = json.dumps(value, ensure_ascii=generator.random() < 0.5).encode()
        # WHEN
        parsed = strict_json.parse(body)
        # THEN
        assert parsed == value
        assert strict_json.canonical(through_dynamodb(parsed)) == strict_json.canonical(value)
        attribute = strict_json.to_attribute(parsed)
        assert strict_json.from_attribute(attribute) == parsed
        written = TypeSerializer().serialize(decimals(parsed))
        assert with_numbers(attribute) == with_numbers(written)


def generated(generator: random.Random, depth: int) -> Json:  # noqa: PLR0911 - a kind each
    """Return a value of any kind, with what is allowed at the limits more often than chance."""
    kinds = ["null", "bool", "int", "float", "text"] + ["list", "dict"] * (depth > 0)
    match generator.choice(kinds):
        case "bool":
            return generator.random() < 0.5
        case "int":
            return generator.choice(
                [0, 1, -1, MAX_INTEGER, -MAX_INTEGER, generator.getrandbits(53)]
            )
        case "float":
            number = math.copysign(10 ** generator.uniform(-130, 125.9), generator.random() - 0.5)
            return generator.choice([0.0, 1.0, 0.1, 1e-130, -9.9e125, number])
        case "text":
            return "".join(generator.choice(TEXT) for _ in range(generator.randrange(12)))
        case "list":
            return [generated(generator, depth - 1) for _ in range(generator.randrange(4))]
        case "dict":
            names = generator.sample(TEXT, generator.randrange(4))
            return {name: generated(generator, depth - 1) for name in names}
    return None


def test_a_body_full_of_names_is_refused_as_fast_as_it_is_read() -> None:
    # GIVEN 64 KiB of different names, and the same with the last one twice
    fields = [f'"{number:04x}":1' for number in range(7_000)]
    unique = f"{{{','.join(fields)}}}".encode()
    twice = f"{{{','.join([*fields, fields[-1]])}}}".encode()
    # WHEN
    reading = seconds(unique)
    refusing = seconds(twice)
    # THEN the time does not grow with the square of the names
    assert refusing < 20 * reading


def seconds(body: bytes) -> float:
    """Return the shortest of three times that `body` takes."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        with contextlib.suppress(InvalidJson):
            strict_json.parse(body)
        times.append(time.perf_counter() - start)
    return min(times)
