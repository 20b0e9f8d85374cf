"""Row `synth`: all stacks against an app of one function."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Row, alternate, ratio, seconds
from bench.processes import project_environment, run
from odyssey_cli import paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS = 5
# With and without CloudFormation Validate; fixed costs hide less of ours without it.
BUDGETS = {True: 1.5, False: 2.0}
ASSEMBLY = paths.STATE / "bench" / "cdk.out"

ONE_FUNCTION = """\
from aws_cdk import App, Stack
from aws_cdk import aws_lambda as lambda_

app = App()
lambda_.Function(
    Stack(app, "One"),
    "Function",
    runtime=lambda_.Runtime.PYTHON_3_13,
    handler="index.handler",
    code=lambda_.Code.from_inline("def handler(event, context): pass"),
)
app.synth()
"""


def synthesize(app: Path, assembly: Path, *, validate: bool = False, context: str = "{}") -> float:
    """Run a CDK app; return how many seconds it took.

    Args:
        app: its script.
        assembly: the folder for its cloud assembly.
        validate: whether AWS's own rules are checked.
        context: settings, a JSON object.
    """
    environment = project_environment(
        CDK_OUTDIR=str(assembly),
        CDK_CONTEXT_JSON=context,
        CDK_VALIDATION="true" if validate else "false",
    )
    return run([sys.executable, "-P", str(app)], cwd=app.parent, environment=environment)[0]


def ours(*, stage: str = "dev") -> Path:
    """Synthesize the project for what other rows read from it; return the assembly."""
    assembly = ASSEMBLY.with_name(f"{stage}.out")
    synthesize(paths.ROOT / "app.py", assembly, context=f'{{"stage": "{stage}"}}')
    return assembly


def variants() -> Path:
    """Synthesize what `bench/network_app.py` makes; return the assembly."""
    assembly = ASSEMBLY.with_name("network.out")
    synthesize(paths.ROOT / "bench" / "network_app.py", assembly)
    return assembly


def rows(say: Callable[..., None]) -> Iterator[Row]:
    """Measure both, with validation and without."""
    with tempfile.TemporaryDirectory() as folder:
        one = Path(folder) / "app.py"
        one.write_text(ONE_FUNCTION)
        apps = {
            "all stacks": (paths.ROOT / "app.py", ASSEMBLY),
            "one function": (one, one.parent / "cdk.out"),
        }
        say("synthesizing, the first time")
        first = {name: synthesize(app, out) for name, (app, out) in apps.items()}
        sides = {
            f"synth of {name}{', validated' if validate else ''}": (
                lambda app=app, out=out, validate=validate: synthesize(app, out, validate=validate)
            )
            for validate in BUDGETS
            for name, (app, out) in apps.items()
        }
        best = alternate(sides, ROUNDS, say, "synthesizing in turns")
    for validate, budget in BUDGETS.items():
        suffix = ", validated" if validate else ""
        yield ratio(
            f"synth ÷ one function's{suffix or ', not validated'}",
            side=best[f"synth of all stacks{suffix}"],
            other=best[f"synth of one function{suffix}"],
            budget=budget,
            show=seconds,
            detail=f"minimum of {ROUNDS} in turns, python app.py into an assembly that has the "
            f"bundles; the first time, with bundling, {seconds(first['all stacks'])}",
        )
