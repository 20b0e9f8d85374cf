"""What `odyssey bench` computes and shows."""

from __future__ import annotations

import io
import itertools
import json
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from bench import bundles, cost, prices, report
from bench.capacity import index_units, item_size, read_units, write_units
from bench.events import batches
from bench.figures import RATIO, Row, alternate, not_measured, ratio, seconds
from bench.load import Counts
from bench.rows import Bench
from bench.template import Template
from odyssey_cli import paths

if TYPE_CHECKING:
    from pathlib import Path

# As "DynamoDB item sizes and formats" (2026-11-21) counts them: names and values in UTF-8, a
# number two digits to the byte and one more, three bytes for a map or list and one a member.
SIZES = [
    ({"id": {"S": "abc"}}, 2 + 3),
    ({"å": {"S": "€"}}, 2 + 3),
    ({"n": {"N": "27"}}, 1 + 1 + 1),
    ({"n": {"N": "-12.345"}}, 1 + 3 + 1),
    ({"n": {"N": "1000"}}, 1 + 1 + 1),
    ({"b": {"BOOL": True}}, 1 + 1),
    ({"x": {"NULL": True}}, 1 + 1),
    ({"m": {"M": {"a": {"S": "b"}}}}, 1 + 3 + 1 + 2),
    ({"l": {"L": [{"S": "ab"}, {"S": "c"}]}}, 1 + 3 + 2 + 3),
    ({"s": {"SS": ["ab", "c"]}}, 1 + 3),
    ({"b": {"B": "AAAA"}}, 1 + 3),
]


@pytest.mark.parametrize(("item", "size"), SIZES)
def test_an_item_is_as_large_as_dynamodb_bills_it(item: dict, size: int) -> None:  # type: ignore[type-arg]
    assert item_size(item) == size


@pytest.mark.parametrize(
    ("size", "plain", "in_transaction"),
    [(0, 1, 2), (1, 1, 2), (1024, 1, 2), (1025, 2, 4), (3 * 1024, 3, 6)],
)
def test_a_write_costs_a_unit_per_kilobyte_and_twice_that_in_a_transaction(
    size: int, plain: int, in_transaction: int
) -> None:
    assert write_units(size) == plain
    assert write_units(size, transaction=True) == in_transaction


@pytest.mark.parametrize(("size", "units"), [(0, 1), (4096, 1), (4097, 2)])
def test_a_read_costs_a_unit_per_four_kilobytes_and_half_when_eventually_consistent(
    size: int, units: int
) -> None:
    assert read_units(size, consistent=True) == units
    assert read_units(size, consistent=False) == units / 2


def test_a_changed_rank_is_a_delete_and_a_put_in_the_index() -> None:
    assert index_units(500, existed=False) == 1
    assert index_units(500, existed=True) == 2


def producer(events: int = 10) -> Counts:
    return Counts(
        events, events, {"PutItem": events}, {"Events": events}, {}, {"Events": 300 * events}, 2_000
    )


def aggregator(loads: int) -> Counts:
    """Counts of so many full batches of 1,000 in 10 groups."""
    return Counts(
        invocations=loads,
        events=1_000 * loads,
        calls={"BatchGetItem": loads, "TransactWriteItems": 11 * loads},
        writes={"Markers": 2_000 * loads, "Sums": 40 * loads, "Sums index": 40 * loads},
        reads={"Sums": 10 * loads},
        stored={"Markers": 50_000 * loads},
        log_bytes=900 * loads,
    )


def test_the_cost_of_an_event_does_not_depend_on_their_number() -> None:
    # GIVEN counts that grow with the load
    def usd(loads: int) -> float:
        usage = cost.usage(producer(), aggregator(loads), access_log_bytes=400, memory=(0.5, 0.5))
        return usage.usd() / (1_000 * loads)

    # THEN so does the cost
    assert usd(1) == pytest.approx(usd(100))


def test_every_request_and_every_unit_is_billed() -> None:
    usage = cost.usage(producer(), aggregator(2), access_log_bytes=400, memory=(0.5, 0.5))

    assert usage.units["api"] == 2_000
    assert usage.units["lambda"] == 2_002
    assert usage.units["write"] == 2_000 + 2 * 2_080
    assert usage.units["read"] == 20
    assert usage.lines()["api"] == pytest.approx(0.007)


def test_exactly_once_is_compared_with_plain_counting() -> None:
    compared = cost.exactly_once(aggregator(1), groups=10)

    assert compared.ours == pytest.approx(2.08)
    assert compared.markers == pytest.approx(2)
    assert compared.per_batch == pytest.approx(0.03)
    assert compared.usd_per_million() == pytest.approx(0.625 * 2.05)


def test_a_load_is_full_batches_and_a_rest() -> None:
    assert batches(2_500, 1_000) == [1_000, 1_000, 500]
    assert batches(2_000, 1_000) == [1_000, 1_000]


def test_the_batch_size_is_the_one_of_the_event_source_mapping() -> None:
    read = Template(
        "Stack",
        {
            "F": {"Type": "AWS::Lambda::Function", "Properties": {"Handler": "a.b.handler"}},
            "M": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {"BatchSize": 7, "FunctionName": {"Ref": "F"}},
            },
        },
        {},
    )

    assert read.batch_size("a.b") == 7
    with pytest.raises(LookupError, match="No event source invokes"):
        read.batch_size("a.c")


def test_every_stack_s_bundles_are_zipped_and_a_shared_one_once(tmp_path: Path) -> None:
    # GIVEN two stacks that share a function, one with another
    for name in ("shared", "own"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "code.py").write_text("pass")

    def stack(*packages: str) -> Template:
        resources = {
            package: {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Handler": f"{package}.m.handler", "Code": {"S3Key": package}},
            }
            for package in packages
        }
        return Template("Stack", resources, {name: tmp_path / name for name in packages})

    # WHEN all are measured
    found = list(bundles.zip_rows([stack("shared"), stack("shared", "own")]))

    # THEN each bundle is there once
    assert [row.row for row in found] == ["zipped bundle, shared", "zipped bundle, own"]
    assert all(row.figure for row in found)


def test_sides_are_measured_in_turns_and_the_minimum_counts() -> None:
    # GIVEN two sides that note their turn
    turns: list[str] = []
    times = itertools.count(5, -1)

    def side(name: str) -> float:
        turns.append(name)
        return float(next(times))

    # WHEN they are measured
    best = alternate({"a": lambda: side("a"), "b": lambda: side("b")}, 2)

    # THEN they take turns
    assert turns == ["a", "b", "a", "b"]
    assert best == {"a": 3.0, "b": 2.0}


def test_a_ratio_shows_both_sides_and_is_held_against_its_budget() -> None:
    kept = ratio("r", side=3.0, other=2.0, budget=1.5, show=seconds)
    missed = ratio("r", side=3.1, other=2.0, budget=1.5, show=seconds)

    assert (kept.measured, kept.other, kept.figure, kept.unit) == ("3.00 s", "2.00 s", 1.5, RATIO)
    assert kept.ok is True
    assert missed.ok is False


ROWS = [
    Row(row="small", figure=1, unit="MB", budget=2, measured="1 MB", detail="how"),
    Row(row="large", figure=3, unit="MB", budget=2, measured="3 MB", other="2 MB"),
    Row(row="told", figure=0.012, unit="USD"),
    not_measured("broken", "it failed"),
]


def test_the_table_shows_each_figure_beside_its_budget() -> None:
    console = Console(file=io.StringIO(), width=120)

    console.print(report.table(ROWS))

    shown = console.file.getvalue()  # type: ignore[attr-defined]
    lines = {name: line for line in shown.splitlines() for name in line.split() if name.isalpha()}
    assert "≤ 2 MB" in lines["small"]
    assert "✓" in lines["small"]
    assert "✗" in lines["large"]
    assert "0.0120 USD" in lines["told"]
    assert "not measured" in lines["broken"]


def test_one_line_says_what_was_missed_and_what_could_not_be_measured() -> None:
    assert report.summary(ROWS) == "1 of 2 budgets kept. missed: large. not measured: broken."
    assert report.summary(ROWS[:1]) == "1 of 1 budgets kept."


def test_a_script_gets_both_sides_and_how_it_was_measured() -> None:
    assert ROWS[1].as_json() == {
        "row": "large",
        "figure": 3,
        "unit": "MB",
        "budget": 2,
        "ok": False,
        "detail": "3 MB against 2 MB",
    }
    assert json.loads(json.dumps(ROWS[3].as_json()))["figure"] is None


def test_a_row_that_fails_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a row that cannot be measured
    def broken() -> list[Row]:
        raise RuntimeError("no")

    monkeypatch.setattr(Bench, "rows", {"broken": broken, "fine": lambda: ROWS[:1]})

    # WHEN both are asked for
    found = list(Bench(lambda _: None).measure(["broken", "fine"]))

    # THEN one says why and the other is there
    assert [row.figure for row in found] == [None, 1]
    assert found[0].detail == "RuntimeError: no"


def test_the_page_on_costs_shows_the_price_table() -> None:
    page = (paths.ROOT / "docs" / "costs.md").read_text(encoding="utf-8")

    assert prices.markdown() in page
    assert prices.DATE in page
