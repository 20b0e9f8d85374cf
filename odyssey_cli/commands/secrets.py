"""secrets: is there a secret in the repository, or was there ever one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from odyssey_cli import figures, paths
from odyssey_cli.console import err, out, plain

if TYPE_CHECKING:
    from odyssey_cli.secret_scan import Scan

_HISTORY = {"all": "all of the history", "part": "a part of the history"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(secrets)


def secrets(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Look for secrets in all files and in all of their history; send nothing anywhere.

    Exits with 1 when there is one that nobody has reviewed, and when git fails. Outside of git,
    as in an archive of the sources, there are only files.
    """
    from odyssey_cli import secret_scan  # noqa: PLC0415 - only this command needs it

    scan = secret_scan.scan(paths.ROOT, secret_scan.reviews(paths.ROOT))
    if as_json:
        typer.echo(json.dumps(_as_json(scan), ensure_ascii=False))
    else:
        _show(scan)
        figures.show(_figures(scan))
    if not scan.ok:
        raise typer.Exit(1)


def _show(scan: Scan) -> None:
    from odyssey_cli.secret_scan import REVIEWED  # noqa: PLC0415 - see secrets

    if scan.findings:
        table = Table(title="Looks like a secret", title_justify="left")
        for heading in ("kind", "file", "where", "value"):
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
        what = plain(f"in {', '.join(review.paths)}: {review.reason}")
        err.print(Text(f"Nothing there any more is what {REVIEWED} reviews {what}"))
    for path in scan.too_large:
        err.print(Text(plain(f"Too large to read: {path}")))
    if scan.history == "part":
        err.print(
            "This is a shallow clone: only the history that it has was seen. "
            "`git fetch --unshallow` brings the rest."
        )
    if scan.history == "none":
        err.print("This is no git repository, so there is no history: only the files were seen.")
    past = _HISTORY.get(scan.history)
    seen = f"{scan.files} files" + (f" and {scan.objects} objects of {past}" if past else "")
    out.print(
        f"{seen}, {scan.lines} different lines, {len(scan.kinds)} kinds of secrets: "
        f"{len(scan.findings)} found, {scan.reviewed} reviewed and none"
    )


def _figures(scan: Scan) -> dict[str, Any]:
    tried = scan.files + scan.objects
    return figures.figures(
        tried=tried,
        passed=tried - scan.flawed,
        seconds=scan.seconds,
        files=scan.files,
        objects=scan.objects,
        lines=scan.lines,
        kinds=len(scan.kinds),
        found=len(scan.findings),
        reviewed=scan.reviewed,
    )


def _as_json(scan: Scan) -> dict[str, Any]:
    return {
        "ok": scan.ok,
        "history": scan.history,
        "findings": [
            {
                "kind": each.secret.kind,
                "path": each.path,
                "where": each.where,
                "fingerprint": each.shown,
            }
            for each in scan.findings
        ],
        "unused_reviews": [
            {"paths": list(review.paths), "reason": review.reason} for review in scan.unused
        ],
        "too_large": scan.too_large,
        "kinds": scan.kinds,
        "figures": _figures(scan),
    }
