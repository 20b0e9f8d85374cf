"""Entry point: registers the commands and turns errors into two readable sentences."""

import sys

import typer

from odyssey_cli.console import err
from odyssey_cli.errors import OdysseyError

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


def main() -> int:
    """Run the command line; return the exit code."""
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
