"""Entry point: registers the commands and turns errors into two readable sentences."""

import signal
import sys

# Until there is something to clean up, Ctrl-C just ends the process: the imports take a while.
signal.signal(signal.SIGINT, signal.SIG_DFL)

import typer  # noqa: E402
from rich.text import Text  # noqa: E402

from odyssey_cli.commands import (  # noqa: E402
    account,
    aggregator,
    audit,
    bench,
    chaos,
    checkov,
    cloud,
    demo,
    discovery,
    failures,
    fuzz,
    iam,
    ingest,
    maintenance,
    network,
    openapi,
    policy,
    pubsub,
    secrets,
    stacks,
)
from odyssey_cli.console import err, plain  # noqa: E402
from odyssey_cli.errors import OdysseyError  # noqa: E402

app = typer.Typer(
    name="odyssey",
    help="Small AWS systems that run, and prove themselves, without an AWS account.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback()
def options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """Options of every command."""


for _commands in (
    demo,
    maintenance,
    cloud,
    account,
    stacks,
    policy,
    audit,
    secrets,
    checkov,
    failures,
    iam,
    aggregator,
    discovery,
    pubsub,
    ingest,
    network,
    openapi,
    fuzz,
    chaos,
    bench,
):
    _commands.register(app)


def main() -> int:
    """Run the command line; return the exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        app(prog_name="odyssey")
    except OdysseyError as error:
        return _failed(error.problem, error.remedy)
    except KeyboardInterrupt:
        # While Typer reads the commands; later it sees to that itself.
        return 128 + signal.SIGINT
    except Exception as error:
        if not type(error).__module__.startswith("botocore."):
            raise
        return _failed(f"{error}", "--debug shows where it happened.")
    return 0


def _failed(problem: str, remedy: str) -> int:
    if "--debug" in sys.argv:
        raise  # noqa: PLE0704 - called while the error is handled
    lines = [plain(line) for line in problem.splitlines()]
    err.print("[red]error:[/red]", Text("\n".join(lines)))
    err.print(Text(remedy))
    return 1


if __name__ == "__main__":
    sys.exit(main())
