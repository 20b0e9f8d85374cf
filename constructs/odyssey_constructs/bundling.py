"""Bundles of Lambda code made without Docker, the same in every checkout.

A bundle holds one package of `lambda_src`, the `shared` package and the pinned dependencies.
Its hash is taken from exactly what goes in (sources, lock, target platform), not from what
the bundling wrote, so that the same commit gives the same asset on every machine.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import jsii
import uv
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_constructs.config import Architecture

LAMBDA_SRC = Path(__file__).resolve().parents[2] / "lambda_src"
LOCK = LAMBDA_SRC / "requirements.txt"
PYTHON_VERSION = "3.13"
# Amazon Linux 2023, the base of Lambda's Python 3.13, has glibc 2.34; manylinux2014 asks for 2.17.
PLATFORMS = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}

# Parts of dependencies that no handler can reach; without them a bundle is a third as large.
_UNUSED = (
    "aws_lambda_powertools/event_handler/openapi/swagger_ui",
    "bin",
)


class BundlingError(RuntimeError):
    """The dependencies of a bundle could not be installed; the text is uv's own."""


def code(package: str, *, architecture: Architecture) -> lambda_.AssetCode:
    """Return the bundle of `lambda_src/<package>` as code for a function.

    Args:
        package: a package directly below `lambda_src`.
        architecture: instruction set for which dependencies are resolved.

    Raises:
        ValueError: there is no such package.
    """
    if not (LAMBDA_SRC / package / "__init__.py").is_file():
        raise ValueError(f"There is no package {package!r} in lambda_src.")
    return lambda_.Code.from_asset(
        str(LAMBDA_SRC),
        asset_hash_type=AssetHashType.CUSTOM,
        asset_hash=fingerprint(package, architecture=architecture),
        bundling=BundlingOptions(
            # Never used: the local bundling below either succeeds or raises.
            image=DockerImage.from_registry("scratch"),
            local=_UvBundling(package, architecture),
        ),
    )


def fingerprint(package: str, *, architecture: Architecture) -> str:
    """Return the SHA-256 of all that goes into the bundle."""
    digest = hashlib.sha256()
    for part in (PLATFORMS[architecture], PYTHON_VERSION, *_UNUSED):
        digest.update(part.encode() + b"\0")
    for file in (LOCK, *_sources(package)):
        digest.update(file.relative_to(LAMBDA_SRC).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _sources(package: str) -> Iterator[Path]:
    for name in (package, "shared"):
        yield from sorted(
            path
            for path in (LAMBDA_SRC / name).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        )


@jsii.implements(ILocalBundling)
class _UvBundling:
    def __init__(self, package: str, architecture: Architecture) -> None:
        self._package = package
        self._architecture = architecture

    def try_bundle(self, output_dir: str, *_options: object, **_more: object) -> bool:
        bundle(self._package, Path(output_dir), architecture=self._architecture)
        return True


def bundle(package: str, output: Path, *, architecture: Architecture) -> None:
    """Write the bundle into `output`, an existing folder.

    uv's cache is asked first, so that a bundle needs the network only once.

    Raises:
        BundlingError: the dependencies could not be installed.
    """
    install = [
        uv.find_uv_bin(), "pip", "install", "--quiet", "--no-config",
        "--target", str(output),
        "--python-platform", PLATFORMS[architecture],
        "--python-version", PYTHON_VERSION,
        "--only-binary", ":all:",
        "--no-deps", "--require-hashes",
        "--link-mode", "copy",
        "-r", str(LOCK),
    ]  # fmt: skip
    cached = subprocess.run([*install, "--offline"], capture_output=True, text=True, check=False)
    if cached.returncode != 0:
        fetched = subprocess.run(install, capture_output=True, text=True, check=False)
        if fetched.returncode != 0:
            raise BundlingError(f"uv could not install {LOCK}:\n{fetched.stderr.strip()}")
    for unused in _UNUSED:
        shutil.rmtree(output / unused, ignore_errors=True)
    (output / ".lock").unlink(missing_ok=True)
    for file in _sources(package):
        target = output / file.relative_to(LAMBDA_SRC)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
