"""Which problems a handler's code can answer, found by reading the code and not by running it.

From a route's function on, every function and class that is named is followed. A method is known by
its name alone, so more may be found than can happen, never less; a problem whose status or type
is no literal is an error here.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LAMBDA_SRC = Path(__file__).resolve().parents[1] / "lambda_src"
_PROBLEM, _BAD_REQUEST = "shared.problems.Problem", "shared.problems.bad_request"
# Status, by HTTPStatus's name, and type.
Found = tuple[str, str]


@dataclass
class Module:
    """A module's top level: what it defines, imports and runs, and its classes' methods."""

    name: str
    defined: dict[str, ast.AST] = field(default_factory=dict)
    imported: dict[str, str] = field(default_factory=dict)
    methods: dict[str, list[ast.AST]] = field(default_factory=dict)
    statements: list[ast.stmt] = field(default_factory=list)


@cache
def module(name: str) -> Module | None:
    """Read a module of lambda_src; None for any other."""
    path = LAMBDA_SRC.joinpath(*name.split(".")).with_suffix(".py")
    if not path.is_file():
        return None
    tree, made = ast.parse(path.read_text(encoding="utf-8")), Module(name)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            made.imported |= {
                each.asname or each.name: f"{node.module}.{each.name}" for each in node.names
            }
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            made.defined[statement.name] = statement
        else:
            made.statements.append(statement)
            if isinstance(statement, ast.Assign):
                targets = [each.id for each in statement.targets if isinstance(each, ast.Name)]
                made.defined |= dict.fromkeys(targets, statement.value)
        if isinstance(statement, ast.ClassDef):
            for each in statement.body:
                if isinstance(each, ast.FunctionDef):
                    made.methods.setdefault(each.name, []).append(each)
    return made


def problems(handler: str, function: str) -> set[Found]:
    """Return the problems that a route's function can answer.

    Args:
        handler: its module, e.g. `consumer.reader`.
        function: its name in the module.
    """
    return _Walk(handler).problems(function)


class _Walk:
    def __init__(self, handler: str) -> None:
        self._handler = handler
        self._within = self._closure(handler)
        self._seen: set[int] = set()

    def problems(self, function: str) -> set[Found]:
        top = module(handler_name := self._handler)
        assert top is not None, handler_name
        # What the module runs, and what answers for any route.
        general = [
            each
            for each in top.defined.values()
            if isinstance(each, ast.FunctionDef) and not _is_route(each)
        ]
        roots = [top.defined[function], *general, *top.statements]
        return {found for root in roots for found in self._of(root, top)}

    def _closure(self, name: str) -> list[Module]:
        todo, found = [name], dict[str, Module]()
        while todo:
            read = module(name := todo.pop())
            if read is not None and name not in found:
                found[name] = read
                for each in read.imported.values():
                    todo += [each, each.rpartition(".")[0]]
        return list(found.values())

    def _of(self, node: ast.AST, where: Module) -> Iterator[Found]:
        if id(node) in self._seen:
            return
        self._seen.add(id(node))
        for each in ast.walk(node):
            if isinstance(each, ast.Call):
                yield from self._made(each, where)
            if isinstance(each, ast.Name | ast.Attribute) and isinstance(each.ctx, ast.Load):
                for target, its_module in self._named(each, where):
                    yield from self._of(target, its_module)

    def _made(self, call: ast.Call, where: Module) -> Iterator[Found]:
        match self._full_name(call.func, where), call.args:
            case "shared.problems.Problem", [
                ast.Attribute(attr=status),
                ast.Constant(value=str(kind)),
                *_,
            ]:
                yield status, kind
            case "shared.problems.bad_request", [ast.Constant(value=str(kind)), *_]:
                yield "BAD_REQUEST", kind
            case "shared.problems.Problem" | "shared.problems.bad_request", _:
                if where.name != "shared.problems":
                    raise AssertionError(f"{where.name}:{call.lineno}: not literals")

    def _full_name(self, node: ast.expr, where: Module) -> str:
        match node:
            case ast.Name(id=name):
                return where.imported.get(name, f"{where.name}.{name}")
            case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                return f"{where.imported.get(name, name)}.{attribute}"
        return ""

    def _named(
        self, node: ast.Name | ast.Attribute, where: Module
    ) -> Iterator[tuple[ast.AST, Module]]:
        full = self._full_name(node, where)
        its_module, _, name = full.rpartition(".")
        found = module(its_module)
        if full in (_PROBLEM, _BAD_REQUEST):
            return
        if found is not None and name in found.defined:
            target = found.defined[name]
            # A class is followed where its methods are named.
            if not isinstance(target, ast.ClassDef):
                yield target, found
        elif isinstance(node, ast.Attribute):
            for each in self._within:
                for method in each.methods.get(node.attr, []):
                    yield method, each


def _is_route(function: ast.FunctionDef) -> bool:
    return any(
        isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr in ("get", "post", "put", "patch", "delete", "route")
        for each in function.decorator_list
    )
