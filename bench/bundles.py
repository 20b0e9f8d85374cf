"""Rows `bundle` and `import`: how large functions are, and how long they take to be ready."""

from __future__ import annotations

import io
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Row, alternate, ratio, seconds
from bench.processes import clean_environment, run
from odyssey_cli import paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bench.template import Template

MEGABYTE = 1_000_000
ZIP_BUDGET = 1.0
ROUNDS = 15
API_BUDGET, ASYNCHRONOUS_BUDGET = 1.4, 1.25
# Lambda's runtime brings these; a bundle that has them would be counted without.
_RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py")

_READY = """
import sys, time
sys.path.insert(0, sys.argv[1])
begun = time.perf_counter()
if sys.argv[2]:
    __import__(sys.argv[2])
import boto3
boto3.client("dynamodb")
print(time.perf_counter() - begun)
"""


def zip_rows(templates: Iterable[Template]) -> Iterator[Row]:
    """Return the zipped size of each bundle."""
    bundles: dict[Path, list[str]] = {}
    for module, template in _functions(templates).items():
        bundles.setdefault(template.bundle(module), []).append(module)
    for bundle, modules in bundles.items():
        size = zipped_size(bundle) / MEGABYTE
        package = modules[0].partition(".")[0]
        yield Row(
            row=f"zipped bundle, {package}",
            figure=size,
            unit="MB",
            budget=ZIP_BUDGET,
            measured=f"{size:.2f} MB",
            detail=f"one bundle for {', '.join(modules)}, without boto3, which Lambda brings",
        )


def zipped_size(folder: Path) -> int:
    """Return the bytes of a folder's zip, at the level the CDK uses, without boto3."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(folder.rglob("*")):
            inside = file.relative_to(folder)
            if file.is_file() and inside.parts[0] not in _RUNTIME:
                archive.write(file, inside)
    return buffer.tell()


def import_rows(templates: Iterable[Template], say: Callable[..., None]) -> Iterator[Row]:
    """Measure how long each function takes to be imported with a client, against boto3 alone."""
    functions = _functions(templates)
    with tempfile.TemporaryDirectory() as folder:
        sides: dict[str, Callable[[], float]] = {}
        for number, (module, template) in enumerate(functions.items()):
            # A copy, because Python writes its bytecode beside the sources.
            copy = Path(folder) / str(number)
            shutil.copytree(template.bundle(module), copy)
            environment = template.environment(module)
            sides[module] = _side(copy, module, environment)
        sides["boto3"] = _side(Path(folder), "", {})
        for measure in sides.values():
            measure()  # writes the bytecode
        best = alternate(sides, ROUNDS, say, "importing")
    for module, template in functions.items():
        api = module in _behind_api(template)
        yield ratio(
            f"import ÷ boto3, {module} ({'API' if api else 'asynchronous'})",
            side=best[module],
            other=best["boto3"],
            budget=API_BUDGET if api else ASYNCHRONOUS_BUDGET,
            show=seconds,
            detail=f"{module} and a DynamoDB client against boto3 and the same client: minimum of "
            f"{ROUNDS} fresh interpreters in turns, bytecode warm, on the local cloud's Python",
        )


def _functions(templates: Iterable[Template]) -> dict[str, Template]:
    """Return a stack of each of our functions, by module; several stacks may have the same."""
    return {module: template for template in templates for module in template.handlers()}


def _behind_api(template: Template) -> set[str]:
    permissions = template.of_type("AWS::Lambda::Permission").values()
    functions = {
        each["FunctionName"]["Fn::GetAtt"][0]
        for each in permissions
        if each["Principal"] == "apigateway.amazonaws.com"
    }
    return {
        template.resources[name]["Properties"]["Handler"].removesuffix(".handler")
        for name in functions
    }


def _side(folder: Path, module: str, environment: dict[str, str]) -> Callable[[], float]:
    python = paths.CLOUD_VENV / "bin" / "python"
    whole = clean_environment(
        **environment,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",  # noqa: S106 - the local cloud's
        AWS_DEFAULT_REGION="us-east-1",
        AWS_CONFIG_FILE="/dev/null",
        AWS_SHARED_CREDENTIALS_FILE="/dev/null",
    )

    def measure() -> float:
        command = [str(python), "-P", "-c", _READY, str(folder), module]
        return float(run(command, cwd=folder, environment=whole)[1].splitlines()[-1])

    return measure
