"""Whatever the script, the updater and the service die in: each file once, and verified."""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.discovery.documents import Document, Wanted, names
from odyssey_cli.flows.discovery.submit import Outcome
from proofs.fakes.faults import Crash, Death
from tests.discovery import TEXT
from tests.reliability.discovery import UPDATED, UPLOADED, checksums, is_done

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.reliability.discovery import Discovery

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
WANTED = Wanted(model=TEXT)
THREE = names("laptop.json", 3)
# Of three submissions: an item and an object each, and one call that announces them.
CALLS = 7
STEPS = [(tempfile, "NamedTemporaryFile"), (os, "fsync"), (Path, "chmod"), (os, "link")]
SIDES = pytest.mark.parametrize("side", ["before", "after"])


@contextmanager
def dying_at(module: Any, step: str, side: str, times: int) -> Iterator[None]:
    """Die in the `times`-th use of a step of the file system."""
    real, used = getattr(module, step), 0

    def die(*arguments: Any, **options: Any) -> Any:
        nonlocal used
        used += 1
        if used == times and side == "before":
            raise Crash(step)
        result = real(*arguments, **options)
        if used == times:
            raise Crash(step)
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, step, die)
        yield


def documents(folder: Path) -> dict[str, Document]:
    """Return every file that is not temporary, by name."""
    return {
        each.name: Document.read(each.read_bytes())
        for each in folder.iterdir()
        if not each.name.startswith(".odyssey-")
    }


def expect_each_once(discovery: Discovery, folder: Path, expected: list[str]) -> None:
    """Check that each file is one item, one version of one object, and announced."""
    found = documents(folder)
    assert sorted(found) == sorted(expected)
    ids = {document.id for document in found.values()}
    assert len(ids) == len(expected)
    assert discovery.items.keys() == ids
    assert discovery.versions == {f"{found[name].id}/{name}": 1 for name in expected}
    for name in expected:
        item = discovery.items[found[name].id]
        assert item["s3_key"]["S"] == f"{found[name].id}/{name}"
        assert checksums(discovery)[item["s3_key"]["S"]] == item["sha256"]["S"]
        [version] = discovery.s3.buckets["files"][item["s3_key"]["S"]]
        assert version.content == (folder / name).read_bytes()


def announced(discovery: Discovery) -> Counter[str]:
    """Return how often each item was announced to the updater."""
    return Counter(json.loads(each["body"])["data"]["id"] for each in discovery.sent(UPLOADED))


def test_a_clean_run_makes_the_calls_that_are_failed_here(
    discovery: Discovery, tmp_path: Path
) -> None:
    assert is_done(discovery.submit(tmp_path, THREE, WANTED))
    assert len(discovery.dynamodb.calls) == CALLS
    expect_each_once(discovery, tmp_path, THREE)
    assert announced(discovery) == dict.fromkeys(discovery.items, 1)


@SIDES
@pytest.mark.parametrize("number", range(1, CALLS + 1))
def test_submit_dies_in_any_call_and_run_again_finishes_what_is_missing(
    discovery: Discovery, tmp_path: Path, number: int, side: str
) -> None:
    # GIVEN
    with Death(discovery.dynamodb, number, side) as death:
        discovery.submit(tmp_path, THREE, WANTED)
    assert death.came
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    # WHEN
    assert is_done(discovery.submit(tmp_path, THREE, WANTED))
    # THEN the files and their ids are those of the first run
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    expect_each_once(discovery, tmp_path, THREE)
    assert announced(discovery).keys() == discovery.items.keys()
    # Two calls cannot be one: a script that dies right after it announced does so again.
    doubled = 2 if (number, side) == (CALLS, "after") else 1
    assert set(announced(discovery).values()) == {doubled}


@SIDES
@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize(("module", "step"), STEPS, ids=[step for _, step in STEPS])
def test_submit_dies_at_any_step_of_writing_and_run_again_makes_each_file_once(
    discovery: Discovery, tmp_path: Path, module: Any, step: str, side: str, times: int
) -> None:
    # GIVEN
    with pytest.raises(Crash), dying_at(module, step, side, times):
        discovery.submit(tmp_path, THREE, WANTED)
    before = documents(tmp_path)
    assert discovery.dynamodb.calls == []
    # WHEN
    assert is_done(discovery.submit(tmp_path, THREE, WANTED))
    # THEN what was there stays, the rest is made
    assert before.items() <= documents(tmp_path).items()
    expect_each_once(discovery, tmp_path, THREE)
    assert announced(discovery) == dict.fromkeys(discovery.items, 1)


@SIDES
def test_submit_dies_in_every_call_of_every_run_but_the_last(
    discovery: Discovery, tmp_path: Path, side: str
) -> None:
    for number in [*range(1, CALLS + 1)] * 2:
        with Death(discovery.dynamodb, number, side):
            discovery.submit(tmp_path, THREE, WANTED)
    assert is_done(discovery.submit(tmp_path, THREE, WANTED))
    expect_each_once(discovery, tmp_path, THREE)
    assert announced(discovery).keys() == discovery.items.keys()


def test_what_has_moved_on_is_not_announced_again(discovery: Discovery, tmp_path: Path) -> None:
    discovery.submit(tmp_path, THREE, WANTED)
    assert discovery.update(discovery.sent()) == []
    assert is_done(discovery.submit(tmp_path, THREE, WANTED))
    assert announced(discovery) == dict.fromkeys(discovery.items, 1)
    assert {each["version"]["N"] for each in discovery.items.values()} == {"2"}


@SIDES
@pytest.mark.parametrize("number", range(1, CALLS + 1))
def test_a_file_that_changed_after_a_crash_is_refused_and_nothing_is_sent_for_it(
    discovery: Discovery, tmp_path: Path, number: int, side: str
) -> None:
    # GIVEN a script that died, and a file that somebody edits before it is run again
    with Death(discovery.dynamodb, number, side):
        discovery.submit(tmp_path, ["a.json"], WANTED)
    stored = {key: dict(value) for key, value in discovery.items.items()}
    file = tmp_path / "a.json"
    file.write_bytes(file.read_bytes() + b"\n")
    sent = len(discovery.sent())
    # WHEN
    [done] = discovery.submit(tmp_path, ["a.json"], WANTED)
    # THEN an item that was stored keeps its file; one that was not gets the file as it is now
    if not stored:
        assert is_done([done])
        return expect_each_once(discovery, tmp_path, ["a.json"])
    assert done.outcome is Outcome.CHANGED
    assert "a.json was changed after it was submitted: SHA-256" in done.error
    assert discovery.items == stored
    assert len(discovery.sent()) == sent
    return None


def test_a_file_of_somebody_else_is_refused_before_anything_is_sent(
    discovery: Discovery, tmp_path: Path
) -> None:
    (tmp_path / THREE[1]).write_text("mine")
    with pytest.raises(OdysseyError, match="was not written by submit"):
        discovery.submit(tmp_path, THREE, WANTED)
    assert discovery.dynamodb.calls == []
    assert (tmp_path / THREE[1]).read_text() == "mine"


@pytest.mark.usefixtures("one_at_a_time")
def test_two_hundred_files_are_verified_whatever_dies_on_their_way(
    discovery: Discovery, tmp_path: Path, seed: int
) -> None:
    generator = random.Random(seed)  # noqa: S311
    wanted = names("laptop.json", 200)

    def death(most: int) -> Death:
        side = generator.choice(["before", "after"])
        return Death(discovery.dynamodb, generator.randint(1, most), side)

    # GIVEN a script that dies again and again, and is run again each time
    for _ in range(8):
        with death(420):
            discovery.submit(tmp_path, wanted, WANTED)
    assert is_done(discovery.submit(tmp_path, wanted, WANTED))
    expect_each_once(discovery, tmp_path, wanted)

    # AND an updater that dies in every third batch
    messages = discovery.sent()
    assert len(messages) >= 200
    for _ in range(1_000):
        generator.shuffle(messages)
        batch, messages = messages[:10], messages[10:]
        if not batch:
            break
        if generator.random() < 0.3:
            with death(11):
                discovery.update(batch)
            messages += batch
        else:
            messages += discovery.update(batch)
    assert messages == []
    assert {each["version"]["N"] for each in discovery.items.values()} == {"2"}
    assert discovery.rejected == {}

    # WHEN the service dies again and again, and is started again each time
    for _ in range(8):
        with death(80):
            discovery.listen()
    discovery.listen()

    # THEN no message is left, and each item was verified
    assert discovery.sent(UPDATED) == []
    assert len(discovery.items) == len(discovery.versions) == 200
    assert set(discovery.versions.values()) == {1}
    assert discovery.told == discovery.items.keys()
    expect_each_once(discovery, tmp_path, wanted)
