"""Entry point: registers the commands and turns errors into two readable sentences."""

import signal
import sys

# Until there is something to clean up, Ctrl-C just ends the process: the imports take a while.
signal.signal(signal.SIGINT, signal.SIG_DFL)

import typer  # noqa: E402

from odyssey_cli.commands import aggregator, bench, cloud, demo, failures, maintenance, stacks  # noqa: E402
from odyssey_cli.console import err  # noqa: E402
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


for _commands in (demo, maintenance, cloud, stacks, failures, aggregator, bench):
    _commands.register(app)


def main() -> int:
    """Run the command line; return the exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        app(prog_name="odyssey")
    except OdysseyError as error:
        if "--debug" in sys.argv:
            raise
        err.print(f"[red]error:[/red] {error.problem}\n{error.remedy}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
