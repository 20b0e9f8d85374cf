"""What the project is made of: pinned versions that fit together, and small files."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tarfile
import tomllib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import aws_cdk
import pytest

from app import context_defaults
from odyssey_cli import account

if TYPE_CHECKING:
    from tests.template.synth import Synth

ROOT = Path(__file__).resolve().parents[2]
CLI = ROOT / "node_modules" / "aws-cdk"
OWN = {"stage", "architecture"}
# A scoped flag is CDK's; its own settings have no slash.
FLAG = re.compile(r"^@[^/]+/[^:]+:.+")


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def pins(path: str) -> dict[str, str]:
    """Return the version that a requirements file pins, by package."""
    return dict(re.findall(r"^([A-Za-z0-9_.\-]+)==([^\s;\\]+)", text(path), re.MULTILINE))


def python_files() -> list[Path]:
    """Return every Python file that is in the repository or will be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        return [
            path for name in listed.stdout.split("\n") if name and (path := ROOT / name).exists()
        ]
    # No git, or an archive: everything that is not set-up's.
    return [
        path
        for path in ROOT.rglob("*.py")
        if not {".odyssey", ".venv", "node_modules", "cdk.out"} & set(path.relative_to(ROOT).parts)
    ]


@pytest.fixture(scope="module")
def recommended() -> dict[str, object]:
    """The flags that aws-cdk-lib recommends, from the library itself."""
    [archive] = (Path(aws_cdk.__file__).parent / "_jsii").glob("aws-cdk-lib@*.jsii.tgz")
    with tarfile.open(archive) as members:
        for member in members:
            if member.name == "package/recommended-feature-flags.json":
                file = members.extractfile(member)
                assert file is not None
                flags: dict[str, object] = json.load(file)
                return flags
    raise AssertionError("aws-cdk-lib no longer lists its recommended flags where it did.")


def test_every_recommended_flag_is_set_as_recommended(recommended: dict[str, object]) -> None:
    context = context_defaults()
    assert len(recommended) > 50
    assert {flag: context.get(flag) for flag in recommended} == recommended


def test_no_flag_is_set_that_the_library_does_not_know(
    recommended: dict[str, object], dev: Synth
) -> None:
    report = dev.manifest["artifacts"]["aws-cdk-lib/feature-flag-report"]["properties"]["flags"]
    known = {*recommended, *report}
    assert {key for key in context_defaults() if key not in known} == OWN


def test_the_requirements_and_the_launchers_lock_pin_the_same_versions() -> None:
    locked, required = pins("requirements.lock"), pins("requirements.txt")
    build_tools = set(locked) - set(required)
    assert required
    assert {name: locked.get(name) for name in required} == required
    # The lock also has what the editable install is built with, and what that needs.
    project = tomllib.loads(text("pyproject.toml"))
    assert {
        re.split("[=<>]", each)[0] for each in project["build-system"]["requires"]
    } <= build_tools


def test_every_pin_of_the_launchers_lock_has_a_hash() -> None:
    for entry in re.split(r"\n(?=[A-Za-z0-9])", text("requirements.lock")):
        if "==" in entry:
            assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_what_runs_here_is_what_is_pinned() -> None:
    installed = {
        dist.metadata["Name"].lower().replace("_", "-") for dist in metadata.distributions()
    }
    for name, version in pins("requirements.txt").items():
        if name.lower() in installed:
            assert metadata.version(name) == version


def test_handlers_are_bundled_with_the_versions_they_are_tested_with() -> None:
    required = pins("requirements.txt")
    for name, version in pins("lambda_src/requirements.txt").items():
        assert required[name] == version


def test_handlers_are_bundled_without_the_sdk_that_lambda_has() -> None:
    assert not {"boto3", "botocore", "s3transfer"} & set(pins("lambda_src/requirements.txt"))


def test_the_cdk_command_line_is_pinned_exactly_and_locked() -> None:
    version = json.loads(text("package.json"))["devDependencies"]["aws-cdk"]
    assert re.fullmatch(r"2\.\d+\.\d+", version)
    lock = json.loads(text("package-lock.json"))["packages"]["node_modules/aws-cdk"]
    assert lock["version"] == version
    assert lock["integrity"].startswith("sha512-")


def test_the_library_is_pinned_exactly() -> None:
    dependencies = tomllib.loads(text("pyproject.toml"))["project"]["dependencies"]
    assert f"aws-cdk-lib=={metadata.version('aws-cdk-lib')}" in dependencies


@pytest.mark.skipif(not CLI.is_dir(), reason="the CDK CLI is not installed: npm ci")
def test_the_command_line_reads_what_the_library_writes(dev: Synth) -> None:
    # GIVEN
    pinned = json.loads(text("package.json"))["devDependencies"]["aws-cdk"]
    assert json.loads((CLI / "package.json").read_text())["version"] == pinned
    # WHEN
    bundled = (CLI / "lib" / "index.js").read_text(encoding="utf-8")
    [schema] = re.findall(
        r'schemaHash: "[0-9a-f]{64}",\s*(?:\$comment: "[^"]*",\s*)?revision: (\d+)', bundled
    )
    # THEN
    written = int(str(dev.manifest["version"]).split(".")[0])
    assert int(schema) >= written


def test_the_account_check_asks_for_the_bootstrap_that_the_assembly_needs(dev: Synth) -> None:
    # GIVEN what the stacks and the assets' manifests of the assembly say
    needed = {
        artifact["properties"]["requiresBootstrapStackVersion"]
        for artifact in dev.manifest["artifacts"].values()
        if "requiresBootstrapStackVersion" in artifact.get("properties", {})
    }

    # THEN `account check` asks for neither less nor more
    assert max(needed) == account.BOOTSTRAP_VERSION


def test_mypy_reads_the_modules_of_the_library_that_the_sources_import() -> None:
    # GIVEN
    packages = ("app.py", "stacks/*.py", "constructs/**/*.py", "bench/*.py", "odyssey_cli/**/*.py")
    imported = {
        name
        for pattern in packages
        for file in ROOT.glob(pattern)
        for name in library_modules(ast.parse(file.read_text(encoding="utf-8")))
    }
    # WHEN
    overrides = tomllib.loads(text("pyproject.toml"))["tool"]["mypy"]["overrides"]
    followed = {
        name
        for each in overrides
        if each.get("follow_imports") == "normal"
        for name in each["module"]
    }
    # THEN what comes from them is no Any
    assert "aws_cdk.aws_lambda" in imported
    assert imported - followed == set()


def library_modules(tree: ast.AST) -> set[str]:
    """Return the modules of aws_cdk that a module imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "aws_cdk":
            found.add(node.module)
            found |= {
                f"{node.module}.{name.name}"
                for name in node.names
                if name.name.startswith("aws_") or name.name == "interfaces"
            }
    return found


def test_constructs_is_a_source_root_and_no_package() -> None:
    # With an __init__.py it would shadow the package `constructs`, and aws-cdk-lib with it.
    assert not (ROOT / "constructs" / "__init__.py").exists()
    assert (ROOT / "constructs" / "odyssey_constructs" / "__init__.py").exists()
    import constructs  # noqa: PLC0415

    assert "site-packages" in str(constructs.__file__)


def test_handlers_import_nothing_of_the_stacks_and_stacks_nothing_of_the_handlers() -> None:
    deployed = {
        "aws_cdk",
        "constructs",
        "odyssey_constructs",
        "stacks",
        "odyssey_cli",
        "local_cloud",
    }
    handlers = {path.name for path in (ROOT / "lambda_src").iterdir() if path.is_dir()}
    assert handlers >= {"consumer", "discovery", "event_aggregator", "ingest", "pubsub", "shared"}
    for path in python_files():
        folder = path.relative_to(ROOT).parts[0]
        if folder == "lambda_src":
            assert not imports(path) & {*deployed, "tests"}, path
        if folder in ("stacks", "constructs"):
            assert not imports(path) & {*handlers, "odyssey_cli", "local_cloud", "tests"}, path


def test_constructs_know_no_stack() -> None:
    for path in (ROOT / "constructs").rglob("*.py"):
        assert "stacks" not in imports(path), path


def imports(path: Path) -> set[str]:
    """Return the top-level packages that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_files_are_short() -> None:
    limits = {path: 120 if path.parent.name == "stacks" else 400 for path in python_files()}
    assert len(limits) > 40
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in limits}
    assert {str(path): lengths[path] for path in limits if lengths[path] > limits[path]} == {}


def test_handlers_are_thin() -> None:
    handlers = [
        path for path in (ROOT / "lambda_src").rglob("*.py") if "\ndef handler(" in path.read_text()
    ]
    assert {path.stem for path in handlers} >= {
        *("producer", "aggregator", "counter", "multiplier"),
        *("transformer", "storer", "emitter", "responder", "reader", "trigger"),
    }
    for path in handlers:
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                assert function.end_lineno is not None
                assert function.end_lineno - function.lineno < 60, f"{path}: {function.name}"


def test_nothing_private_or_half_done_is_in_the_sources() -> None:
    forbidden = re.compile(r"\b(TODO|FIXME|XXX)\b|-----BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}")
    for path in python_files():
        if path != Path(__file__):
            found = forbidden.search(path.read_text(encoding="utf-8"))
            assert found is None, f"{path}: {found}"
