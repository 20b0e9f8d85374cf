"""Files are written once and whole, and are found again as the submission that they are."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.discovery import documents
from odyssey_cli.flows.discovery.documents import Document, NotADocument, Wanted, names, write
from proofs.fakes.faults import Crash
from tests.discovery import TEXT, item, item_id, submission

if TYPE_CHECKING:
    from collections.abc import Callable

ANY = Wanted()
NAME = "laptop.json"


def listing(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_one_file_has_the_name_that_was_given() -> None:
    assert names(NAME, 1) == [NAME]


def test_several_files_are_numbered_from_1() -> None:
    assert names(NAME, 3) == ["laptop-1.json", "laptop-2.json", "laptop-3.json"]
    assert names("laptop", 2) == ["laptop-1", "laptop-2"]
    assert names("a.tar.gz", 2) == ["a.tar-1.gz", "a.tar-2.gz"]


def test_any_number_of_files_have_names_of_their_own() -> None:
    assert len(set(names(NAME, 10_000))) == 10_000


@pytest.mark.parametrize("name", [TEXT, "a b.json", ".json", "...", "é" * 127, "x" * 255])
def test_a_name_that_a_file_can_have_is_taken(tmp_path: Path, name: str) -> None:
    assert names(name, 1) == [name]
    assert write(tmp_path, name, ANY).file.name == name


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "name is empty"),
        (" ", "name is empty"),
        ("\t\n", "name is empty"),
        (".", "separator or control character"),
        ("..", "separator or control character"),
        ("a/b.json", "separator"),
        ("/etc/passwd", "separator"),
        ("../a.json", "separator"),
        ("a\\b.json", "separator"),
        ("a\nb", "control character"),
        ("a\x00b", "control character"),
        ("a\x1bb", "control character"),
        ("a\x7fb", "control character"),
        ("a\x80b", "control character"),
        ("a\x9fb", "control character"),
        ("x" * 256, "longer than 255 bytes"),
        ("é" * 128, "longer than 255 bytes"),
        ("a\udcff.json", "not UTF-8"),
    ],
)
@pytest.mark.parametrize("count", [1, 2])
def test_a_name_that_no_file_can_have_is_refused_with_what_to_do(
    name: str, problem: str, count: int
) -> None:
    with pytest.raises(OdysseyError) as refused:
        names(name, count)
    assert problem in refused.value.problem
    assert "plain name like laptop.json" in refused.value.remedy
    # A terminal can show it.
    assert str(refused.value).isprintable()


def test_a_name_that_the_numbers_make_too_long_is_refused() -> None:
    assert len(names("x" * 253, 9)) == 9
    with pytest.raises(OdysseyError, match="longer than 255 bytes"):
        names("x" * 253, 10)


def test_a_new_file_says_what_was_wanted(tmp_path: Path) -> None:
    made = write(tmp_path, NAME, Wanted("Å & B", TEXT, 1999))
    content = made.file.read_bytes()
    assert made.is_new
    assert made.content == content
    assert made.sha256 == hashlib.sha256(content).hexdigest()
    fields = json.loads(content)
    assert (fields["manufacturer"], fields["model"], fields["year"]) == ("Å & B", TEXT, 1999)
    assert TEXT.encode() in content
    assert made.key == f"{fields['id']}/laptop.json"


def test_what_is_not_wanted_is_left_to_chance_and_is_a_document(tmp_path: Path) -> None:
    made = [write(tmp_path, f"{number}.json", ANY) for number in range(50)]
    assert len({each.document.id for each in made}) == 50
    assert len({each.document.model for each in made}) > 1
    assert all(Document.read(each.content) == each.document for each in made)


def test_others_may_read_the_file(tmp_path: Path) -> None:
    assert write(tmp_path, NAME, ANY).file.stat().st_mode & 0o777 == 0o644


def test_a_file_is_found_again_as_the_same_submission(tmp_path: Path) -> None:
    first = write(tmp_path, NAME, Wanted(model=TEXT))
    for wanted in (ANY, Wanted(model=TEXT), Wanted(first.document.manufacturer)):
        again = write(tmp_path, NAME, wanted)
        assert not again.is_new
        assert (again.document, again.content, again.key) == (
            first.document,
            first.content,
            first.key,
        )
    assert listing(tmp_path) == [NAME]


def test_the_item_says_what_the_file_says_and_where_it_is() -> None:
    assert submission(1).item() == item(1)
    assert item(1) == {
        "id": {"S": item_id(1)},
        "manufacturer": {"S": "Framework"},
        "model": {"S": TEXT},
        "year": {"N": "2021"},
        "status": {"S": "uploaded"},
        "version": {"N": "1"},
        "created_at": {"S": "2026-11-21T09:00:00.000000Z"},
        "updated_at": {"S": "2026-11-21T09:00:00.000000Z"},
        "s3_key": {"S": f"{item_id(1)}/laptop.json"},
        "sha256": {"S": hashlib.sha256(submission(1).content).hexdigest()},
    }


@pytest.mark.parametrize("wanted", [Wanted("b"), Wanted(model="b"), Wanted(year=2000)])
def test_a_file_that_says_something_else_than_wanted_is_refused(
    tmp_path: Path, wanted: Wanted
) -> None:
    before = write(tmp_path, NAME, Wanted("a", "a", 1999)).content
    with pytest.raises(OdysseyError, match=r"exists with another (manufacturer|model|year)"):
        write(tmp_path, NAME, wanted)
    assert (tmp_path / NAME).read_bytes() == before


GOOD = json.loads(submission(1).content)
NO_DOCUMENTS = {
    "nothing": (b"", "not JSON"),
    "no JSON": (b"{", "not JSON"),
    "no UTF-8": (b'{"id": "\xff"}', "not UTF-8"),
    "a list": (b"[]", "exactly the fields"),
    "a field more": (json.dumps(GOOD | {"x": 1}).encode(), "exactly the fields"),
    "a field less": (json.dumps(dict(list(GOOD.items())[1:])).encode(), "exactly the fields"),
    "no fields": (b"{}", "exactly the fields"),
    **{
        f"{name} {value!r}": (json.dumps(GOOD | {name: value}).encode(), f"Its {name} ")
        for name, value in [
            ("id", "1"),
            ("id", f"../{item_id(1)}"),
            ("id", 1),
            ("manufacturer", ""),
            ("manufacturer", None),
            ("model", "x" * 201),
            ("model", ["x"]),
            *[
                (name, f"a{character}b")
                for name in ("manufacturer", "model")
                for character in ("\x00", "\t", "\n", "\x1b", "\x1f", "\x7f", "\x80", "\x9f")
            ],
            ("year", 1969),
            ("year", 2101),
            ("year", "2000"),
            ("year", 2000.5),
            ("year", True),
            ("created_at", "2026-11-21"),
            ("created_at", "2026-11-21T10:00:00.000000+01:00"),
            ("created_at", 1),
            ("created_at", "2026-99-21T09:00:00.000000Z"),
        ]
    },
}


@pytest.mark.parametrize(("content", "problem"), NO_DOCUMENTS.values(), ids=NO_DOCUMENTS.keys())
def test_a_file_of_somebody_else_is_refused_and_left_as_it_is(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(OdysseyError, match="was not written by submit") as refused:
        write(tmp_path, NAME, ANY)
    assert problem in refused.value.problem
    assert "Choose another name" in refused.value.remedy
    assert (tmp_path / NAME).read_bytes() == content
    with pytest.raises(NotADocument):
        Document.read(content)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted("x" * 201),
        Wanted("a\nb"),
        Wanted("a\x1b[2Jb"),
        Wanted(model="a\x7fb"),
        Wanted(model="a\x9bb"),
        Wanted(year=1969),
        Wanted(year=-1),
        Wanted(year=0),
    ],
)
def test_what_no_document_can_say_is_refused_and_writes_nothing(
    tmp_path: Path, wanted: Wanted
) -> None:
    with pytest.raises(OdysseyError, match="can be no such document"):
        write(tmp_path, NAME, wanted)
    assert listing(tmp_path) == []


@pytest.mark.parametrize("wanted", [Wanted("a\udcff"), Wanted(model="\ud800")])
def test_a_text_that_is_not_utf_8_is_refused_and_writes_nothing(
    tmp_path: Path, wanted: Wanted
) -> None:
    with pytest.raises(OdysseyError, match="a text is not UTF-8") as refused:
        write(tmp_path, NAME, wanted)
    assert "Change the option" in refused.value.remedy
    assert listing(tmp_path) == []


@pytest.mark.parametrize("text", ["\x20", "\xa0", "~", "é", "😀"])
def test_the_characters_beside_the_control_characters_are_taken(tmp_path: Path, text: str) -> None:
    assert write(tmp_path, NAME, Wanted(f"a{text}b", f"a{text}b")).document.model == f"a{text}b"
    assert names(f"a{text}b", 1) == [f"a{text}b"]


@pytest.mark.parametrize("wanted", [Wanted(manufacturer=""), Wanted(model="")])
def test_an_empty_text_is_refused_like_any_other_that_cannot_be(
    tmp_path: Path, wanted: Wanted
) -> None:
    with pytest.raises(OdysseyError, match="can be no such document"):
        write(tmp_path, NAME, wanted)


def a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("")
    return tmp_path / "file"


@pytest.mark.parametrize(
    "place",
    [lambda tmp_path: tmp_path / "missing", a_file],
    ids=["a folder that is missing", "a folder that is a file"],
)
def test_a_place_that_cannot_be_written_is_a_clear_error(
    tmp_path: Path, place: Callable[[Path], Path]
) -> None:
    folder = place(tmp_path)
    with pytest.raises(OdysseyError, match=r"laptop\.json cannot be written") as refused:
        write(folder, NAME, ANY)
    assert "--dir" in refused.value.remedy


def test_a_folder_of_that_name_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(OdysseyError, match="cannot be written: Is a directory"):
        write(tmp_path, NAME, ANY)


@pytest.mark.parametrize("step", ["fsync", "link"])
def test_a_full_or_protected_disk_is_a_clear_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, step, refuse)
    with pytest.raises(OdysseyError, match="cannot be written: Operation not permitted"):
        write(tmp_path, NAME, ANY)
    assert listing(tmp_path) == []


STEPS = [(tempfile, "NamedTemporaryFile"), (os, "fsync"), (Path, "chmod"), (os, "link")]


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize(("module", "step"), STEPS, ids=[step for _, step in STEPS])
def test_a_crash_at_any_step_leaves_the_whole_file_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, step: str, side: str
) -> None:
    # GIVEN a process that dies before or after a step
    real = getattr(module, step)

    def die(*arguments: Any, **options: Any) -> Any:
        if side == "after":
            real(*arguments, **options)
        raise Crash(step)

    with monkeypatch.context() as patch:
        patch.setattr(module, step, die)
        with pytest.raises(Crash):
            write(tmp_path, NAME, ANY)
    # THEN there is the whole file, if it was linked, and never a part of one under its name
    is_there = (step, side) == ("link", "after")
    assert (tmp_path / NAME).exists() == is_there
    if is_there:
        Document.read((tmp_path / NAME).read_bytes())
    # Nobody knew the name of a temporary file yet that was made right before the crash.
    if (step, side) != ("NamedTemporaryFile", "after"):
        assert listing(tmp_path) == [NAME] * is_there
    # AND it can be run again
    assert write(tmp_path, NAME, ANY).is_new != is_there


def test_of_two_writers_one_is_first_and_both_have_its_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN somebody who writes the same file just before we do
    others = []
    real = os.link

    def late(*arguments: Any) -> None:
        monkeypatch.setattr(os, "link", real)
        others.append(write(tmp_path, NAME, ANY))
        real(*arguments)

    monkeypatch.setattr(os, "link", late)
    # WHEN
    ours = write(tmp_path, NAME, ANY)
    # THEN
    [other] = others
    assert (other.is_new, ours.is_new) == (True, False)
    assert ours.document == other.document
    assert listing(tmp_path) == [NAME]


def test_of_two_writers_who_want_different_things_the_second_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def late(*arguments: Any) -> None:
        monkeypatch.setattr(os, "link", real)
        write(tmp_path, NAME, Wanted("first"))
        real(*arguments)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(OdysseyError, match="another manufacturer: 'first'"):
        write(tmp_path, NAME, Wanted("second"))
    assert listing(tmp_path) == [NAME]


def test_a_file_that_is_taken_away_meanwhile_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "_write_once", lambda *_: False)
    with pytest.raises(OdysseyError, match="came and went"):
        write(tmp_path, NAME, ANY)
