"""The generated parts of README.md and docs/: diagrams and the truth table.

A part stands between `<!-- generated: NAME -->` and `<!-- end -->`; NAME is `truth` or
`diagram STACK`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from odyssey_cli import paths
from odyssey_cli.diagram import mermaid
from odyssey_cli.errors import OdysseyError
from odyssey_cli.truth import markdown

if TYPE_CHECKING:
    from pathlib import Path

_PART = re.compile(r"(<!-- generated: (?P<name>[\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def pages() -> list[Path]:
    """Return all pages people read."""
    return [paths.ROOT / "README.md", *sorted((paths.ROOT / "docs").glob("*.md"))]


def rendered(text: str, assembly: Path) -> str:
    """Return a page's text with its generated parts as they should be now.

    Args:
        text: the page.
        assembly: a synthesized assembly, with path metadata.

    Raises:
        OdysseyError: a part has a name that nothing generates.
    """

    def part(match: re.Match[str]) -> str:
        kind, _, stack = match["name"].partition(" ")
        if kind == "truth":
            content = f"\n{markdown()}\n\n"
        elif kind == "diagram":
            content = f"\n```mermaid\n{mermaid(assembly / f'{stack}.template.json')}\n```\n\n"
        else:
            raise OdysseyError(
                f"Nothing generates {match['name']!r}.", "Use truth, or diagram STACK."
            )
        return f"{match[1]}{content}{match[3]}"

    return _PART.sub(part, text)


def render(assembly: Path) -> list[Path]:
    """Bring all pages up to date; return those that changed."""
    changed = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        new = rendered(text, assembly)
        if new != text:
            page.write_text(new, encoding="utf-8")
            changed.append(page)
    return changed
