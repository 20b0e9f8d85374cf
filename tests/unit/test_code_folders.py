from __future__ import annotations

import tempfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from local_cloud.code_folders import Archive

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def archive(folder: Path, text: str) -> Path:
    """Make an environment's folder, with the archive of its code and an empty place for it."""
    (folder / "code").mkdir(parents=True)
    with zipfile.ZipFile(folder / "code.zip", "w") as made:
        made.writestr("package/module.py", text)
    return folder


def unpack(environment: Path) -> Path:
    with Archive(environment / "code.zip") as code:
        code.extractall(environment / "code")
    return environment / "code"


def test_environments_of_one_code_share_one_copy(tmp_path: Path, temporary: Path) -> None:
    # GIVEN two environments of a function, and one of another
    same = [archive(tmp_path / name, "a = 1") for name in ("one", "two")]
    other = archive(tmp_path / "other", "a = 2")
    # WHEN
    folders = [unpack(each) for each in [*same, other]]
    # THEN each reads its own code, and there is a copy per code
    assert [(each / "package" / "module.py").read_text() for each in folders] == [
        "a = 1",
        "a = 1",
        "a = 2",
    ]
    assert folders[0].resolve() == folders[1].resolve() != folders[2].resolve()
    assert len(list(temporary.iterdir())) == 2


def test_what_is_no_functions_code_is_unpacked_in_its_place(tmp_path: Path) -> None:
    layer = tmp_path / "layer_0"
    with Archive(archive(tmp_path / "one", "a = 1") / "code.zip") as code:
        code.extractall(layer)
    assert (layer / "package" / "module.py").exists()
    assert not layer.is_symlink()
