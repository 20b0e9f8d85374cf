"""What Firehose's objects are named."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from local_cloud import firehose_names as names
from tests.conformance.pages import Page

_GUIDE = "https://docs.aws.amazon.com/firehose/latest/dev/"
PREFIXES = Page("Understand custom prefixes for Amazon S3 objects", f"{_GUIDE}s3-prefixes.html")
NAMES = Page("Configure Amazon S3 object name format", f"{_GUIDE}s3-object-name.html")
PARTITIONED = Page(
    "Use Amazon S3 bucket prefix to deliver data",
    f"{_GUIDE}dynamic-partitioning-s3bucketprefix.html",
)

AT = datetime(2018, 8, 7, 10, 30, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Prefix:
    prefix: str
    error: str | None
    data: str
    failed: str
    page: Page = PREFIXES


TYPE = "!{firehose:error-output-type}"
EVALUATED = [
    Prefix("", f"failures/{TYPE}/", "2018/08/07/10/", "failures/processing-failed/"),
    Prefix("", None, "2018/08/07/10/", "processing-failed/2018/08/07/10/"),
    Prefix("mine/", None, "mine/2018/08/07/10/", "mine/processing-failed/2018/08/07/10/"),
    Prefix(
        "mine/year=!{timestamp:yyyy}/month=!{timestamp:MM}/rand=!{firehose:random-string}",
        f"bad/{TYPE}/!{{timestamp:yyyy}}/any/!{{timestamp:dd}}",
        "mine/year=2018/month=08/rand=5abf82daaa5",
        "bad/processing-failed/2018/any/07",
    ),
    Prefix(
        "!{firehose:random-string}/",
        f"bad/!{{timestamp:'year='yyyy'/month='MM'/day='dd'/hour='HH}}/{TYPE}",
        "5abf82daaa5/2018/08/07/10/",
        "bad/year=2018/month=08/day=07/hour=10/processing-failed",
    ),
    Prefix(
        "lake/!{timestamp:yyyy/MM/dd/HH}/", TYPE, "lake/2018/08/07/10/", "processing-failed"
    ),
    Prefix("!{timestamp:yy-D-H:m:s}", TYPE, "18-219-10:30:5", "processing-failed"),
]  # fmt: skip


@pytest.mark.parametrize("case", EVALUATED, ids=lambda case: case.prefix or "none")
def test_prefixes_are_evaluated_as_on_the_page(case: Prefix) -> None:
    def random() -> str:
        return "5abf82daaa5"

    assert names.data_prefix(case.prefix, AT, random) == case.data
    assert (
        names.error_prefix(case.prefix, case.error, AT, random, "processing-failed") == case.failed
    )
    assert names.problem(case.prefix, case.error, partitioned=False, at=AT) is None


def test_partition_keys_replace_the_default_date() -> None:
    # PARTITIONED
    prefix = "type=!{partitionKeyFromQuery:type}/who=!{partitionKeyFromLambda:who}/"
    keys = {
        "partitionKeyFromQuery": {"type": "order"},
        "partitionKeyFromLambda": {"who": "Åsa"},
    }
    assert names.data_prefix(prefix, AT, str, keys) == "type=order/who=Åsa/"
    assert names.problem(prefix, TYPE, partitioned=True, at=AT) is None
    with pytest.raises(names.UnknownKeyError):
        names.data_prefix(prefix, AT, str, {})


def test_an_object_is_named_after_its_stream_version_time_and_a_uuid() -> None:
    # NAMES
    assert names.suffix("s", 3, AT, "31f965fd", ".gz") == "s-3-2018-08-07-10-30-05-31f965fd.gz"


@pytest.mark.parametrize(
    ("prefix", "error", "says"),
    [
        ("!{timestamp:yyyy}", None, "ErrorOutputPrefix can't be null"),
        (f"x/{TYPE}/", TYPE, "Prefix cannot contain"),
        ("", "bad/!{timestamp:yyyy}/", "must contain"),
        ("!{partitionKeyFromQuery:a}", TYPE, "not enabled"),
        ("", f"{TYPE}!{{partitionKeyFromQuery:a}}", "cannot contain partition keys"),
        ("!{timestamp:yyyy", TYPE, "not complete"),
        ("!{timestamp:EEE}", TYPE, "no time pattern EEE"),
        ("!{timestamp:MMM}", TYPE, "no time pattern MMM"),
        ("!{timestamp:yyyy'}", TYPE, "no time pattern"),
        ("!{firehose:other}", TYPE, "no expression"),
        ("x" * 513, None, "512"),
    ],
)
def test_wrong_prefixes_are_refused(prefix: str, error: str | None, says: str) -> None:
    # PREFIXES, "Semantic rules"
    assert says in (names.problem(prefix, error, partitioned=False, at=AT) or "")
