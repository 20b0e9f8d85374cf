"""secrets: is there a secret in the repository, or was there ever one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from odyssey_cli import paths
from odyssey_cli.console import err, out, plain

if TYPE_CHECKING:
    from odyssey_cli.secret_scan import Scan


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(secrets)


def secrets(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Look for secrets in all files and in all of their history; send nothing anywhere.

    Exits with 1 when there is one that nobody has reviewed, and with 2 outside of git.
    """
    from odyssey_cli import secret_scan  # noqa: PLC0415 - only this command needs it
    from odyssey_cli.secret_history import NoRepositoryError  # noqa: PLC0415

    try:
        scan = secret_scan.scan(paths.ROOT, secret_scan.reviews(paths.ROOT))
    except NoRepositoryError as error:
        err.print(
            "[red]error:[/red] There is no git repository to look through:", plain(f"{error}")
        )
        err.print("Run it in a clone.")
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(json.dumps(_as_json(scan), ensure_ascii=False))
    else:
        _show(scan)
    if not scan.ok:
        raise typer.Exit(1)


def _show(scan: Scan) -> None:
    from odyssey_cli.secret_scan import REVIEWED  # noqa: PLC0415 - see secrets

    if scan.findings:
        table = Table(title="Looks like a secret", title_justify="left")
        for heading in ("kind", "file", "where", "begins with"):
            table.add_column(heading, overflow="fold")
        for each in scan.findings:
            cells = (each.secret.kind, each.path or "(message)", each.where, each.shown)
            table.add_row(*(Text(plain(cell)) for cell in cells))
        out.print(table)
        err.print(
            "If one is real: revoke it first, where it was made; what was pushed is known. Then "
            f"take it out. If one is none, say why in {REVIEWED}."
        )
    for review in scan.unused:
        err.print(Text(f"Nothing there any more is what {REVIEWED} reviews as {review.value}."))
    for path in scan.too_large:
        err.print(Text(plain(f"Too large to read: {path}")))
    if scan.shallow:
        err.print(
            "This is a shallow clone: only the history that it has was seen. "
            "`git fetch --unshallow` brings the rest."
        )
    seen = " of a part of the history" if scan.shallow else " of all of the history"
    out.print(
        f"{scan.files} files and {scan.objects} objects{seen}, {scan.lines} different lines, "
        f"{len(scan.kinds)} kinds of secrets: {len(scan.findings)} found, {scan.reviewed} reviewed "
        f"and none, {scan.seconds:.1f} s"
    )


def _as_json(scan: Scan) -> dict[str, Any]:
    return {
        "ok": scan.ok,
        "shallow": scan.shallow,
        "findings": [
            {
                "kind": each.secret.kind,
                "path": each.path,
                "where": each.where,
                "begins_with": each.shown,
            }
            for each in scan.findings
        ],
        "unused_reviews": [review.value for review in scan.unused],
        "too_large": scan.too_large,
        "kinds": scan.kinds,
        "figures": {
            "files": scan.files,
            "objects": scan.objects,
            "lines": scan.lines,
            "kinds": len(scan.kinds),
            "found": len(scan.findings),
            "reviewed": scan.reviewed,
            "seconds": round(scan.seconds, 1),
        },
    }
