"""The modules of a package, read without importing them: their imports, their circles, their functions."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

Graph = Mapping[str, AbstractSet[str]]


@dataclass(frozen=True)
class Module:
    """One source file; ``name`` is dotted and begins below the package, so the package itself is ``""``."""

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @property
    def docstring(self) -> str | None:
        return ast.get_docstring(self.tree)

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @property
    def relative(self) -> bool:
        """Whether it has an import that begins with a dot, which :meth:`imported` does not resolve."""
        return any(isinstance(node, ast.ImportFrom) and node.level for node in self.nodes)

    @cached_property
    def imported(self) -> list[str]:
        """Full names of everything that is imported, also inside functions and for type checking only."""
        found: list[str] = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                found += [f"{node.module}.{alias.name}" for alias in node.names]
        return found

    def imports_any(self, libraries: Iterable[str]) -> list[str]:
        """Which of the imported names are of one of these libraries."""
        return sorted(name for name in self.imported if any(_is_in(name, library) for library in libraries))

    def calls(self) -> Iterator[str]:
        """What it calls, as it is written."""
        return (ast.unparse(node.func) for node in self.nodes if isinstance(node, ast.Call))

    def attributes(self) -> Iterator[str]:
        """The attributes it reads, as they are written."""
        return (ast.unparse(node) for node in self.nodes if isinstance(node, ast.Attribute))

    def functions(self) -> Iterator[tuple[str, int]]:
        """Name and number of lines of each function and method, its decorators left out."""
        for node in self.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                yield node.name, node.end_lineno - node.lineno + 1


@dataclass(frozen=True)
class Source:
    """All modules of the package at ``root``."""

    root: Path

    @cached_property
    def modules(self) -> dict[str, Module]:
        found: dict[str, Module] = {}
        for path in sorted(self.root.rglob("*.py")):
            parts = path.relative_to(self.root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = Module(name, path)
        return found

    @cached_property
    def graph(self) -> dict[str, set[str]]:
        """Which module imports which others."""
        found: dict[str, set[str]] = {}
        for name, module in self.modules.items():
            found[name] = {self._module(full) for full in module.imported if _is_in(full, self.root.name)} - {name}
        return found

    def _module(self, full: str) -> str:
        """The module that an imported name is, or is defined in."""
        name = full.removeprefix(self.root.name).removeprefix(".")
        while name not in self.modules:
            name = name.rpartition(".")[0]
        return name

    def children(self, package: str) -> set[str]:
        """The modules and packages directly inside a package, by their own names."""
        names = (name for name in self.modules if _is_in(name, package) and name != package)
        return {name.removeprefix(package).removeprefix(".").partition(".")[0] for name in names}

    def packages(self) -> list[str]:
        return sorted(name for name, module in self.modules.items() if module.path.stem == "__init__")

    def between(self, package: str) -> dict[str, set[str]]:
        """Which child of a package imports which other child, whatever is inside either."""
        found: dict[str, set[str]] = {child: set() for child in self.children(package)}
        for name, others in self.graph.items():
            for other in others:
                own, its = self._child(package, name), self._child(package, other)
                if own and its and own != its:
                    found[own].add(its)
        return found

    @staticmethod
    def _child(package: str, name: str) -> str:
        """The child of ``package`` that ``name`` is or is in; empty where it is in none."""
        return name.removeprefix(package).removeprefix(".").partition(".")[0] if _is_in(name, package) else ""


def _is_in(name: str, package: str) -> bool:
    return not package or name == package or name.startswith(f"{package}.")


def circles(graph: Graph) -> list[list[str]]:
    """The strongly connected components of more than one node: every import circle is inside one of them."""
    order: list[str] = []
    _visit(graph, sorted(graph), order, set())
    backwards: dict[str, set[str]] = {node: set() for node in graph}
    for node, others in graph.items():
        for other in others:
            backwards[other].add(node)
    seen: set[str] = set()
    found: list[list[str]] = []
    for node in reversed(order):
        component: list[str] = []
        _visit(backwards, [node], component, seen)
        if len(component) > 1:
            found.append(sorted(component))
    return sorted(found)


def _visit(graph: Graph, nodes: list[str], done: list[str], seen: set[str]) -> None:
    """Append the nodes that can be reached to ``done``, each after all that it leads to."""
    for node in nodes:
        if node not in seen:
            seen.add(node)
            _visit(graph, sorted(graph[node]), done, seen)
            done.append(node)
