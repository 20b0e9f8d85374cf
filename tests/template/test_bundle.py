"""What a Lambda function's bundle carries: what it needs for any machine, and little of it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from odyssey_constructs.bundling import LAMBDA_SRC, bundle
from tests.template.synth import Synth, functions

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = sorted(
    path.parent.name for path in LAMBDA_SRC.glob("*/__init__.py") if path.parent.name != "shared"
)
COMPILED = {".so", ".pyd", ".dylib", ".dll", ".pyc", ".a"}


@pytest.fixture(scope="module", params=PACKAGES)
def package(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def folder(package: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("bundle") / "with a space"
    output.mkdir()
    bundle(package, output, architecture="arm64")
    return output


def test_no_file_is_compiled_because_two_machines_run_it(folder: Path) -> None:
    assert [str(path) for path in folder.rglob("*") if path.suffix in COMPILED] == []


def test_boto3_is_left_to_the_runtime(folder: Path) -> None:
    for name in ("boto3", "botocore", "s3transfer"):
        assert not (folder / name).exists()


def test_all_that_handlers_import_is_there(folder: Path, package: str) -> None:
    for name in (package, "shared", "aws_lambda_powertools", "rfc8785"):
        assert (folder / name / "__init__.py").is_file()


def test_there_is_nothing_of_the_machine_that_made_it(folder: Path) -> None:
    names = {path.name for path in folder.rglob("*")}
    assert not names & {"__pycache__", ".lock", "bin", "direct_url.json", ".DS_Store"}


def test_zipped_it_has_less_than_a_megabyte(folder: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "bundle"), "zip", folder)
    size = (tmp_path / "bundle.zip").stat().st_size
    assert archive.endswith("bundle.zip")
    assert 50_000 < size <= 1_000_000


def test_two_bundles_are_the_same_byte_for_byte(folder: Path, package: str, tmp_path: Path) -> None:
    bundle(package, tmp_path, architecture="arm64")
    assert contents(tmp_path) == contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    """Return what every file holds."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_handler_that_a_template_names_is_in_its_asset(dev: Synth) -> None:
    for name, template in dev.templates.items():
        for function in functions(template).values():
            key = function["Code"]["S3Key"].removesuffix(".zip")
            path, _, attribute = function["Handler"].rpartition(".")
            module = dev.folder / f"asset.{key}" / f"{path.replace('.', '/')}.py"
            assert f"def {attribute}(" in module.read_text(encoding="utf-8"), name
