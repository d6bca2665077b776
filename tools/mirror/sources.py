"""The source files: which classes are mirrors, found without importing them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "PACKAGE",
    "ROOT",
    "Mirror",
    "all_mirrors",
    "all_nets",
    "mirrors_in",
    "names_in",
    "nets_in",
]

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "fhe_estimators"


@dataclass(frozen=True)
class Mirror:
    """A class one of whose bases is a class of the same name from another library.

    Parameters
    ----------
    name : str
    parent : str
        The dotted name of the mirrored class; empty if it is one of ours.
    path : Path
    """

    name: str
    parent: str
    path: Path

    @property
    def module(self) -> str:
        """The dotted name of its module."""
        return ".".join(self.path.relative_to(ROOT).with_suffix("").parts)

    @property
    def library(self) -> str:
        """The name of the parent's library, as it is imported."""
        return self.parent.partition(".")[0]

    @property
    def family(self) -> str:
        """The public module of `fhe_estimators` that it is imported from."""
        return self.module.split(".")[1]


def mirrors_in(path: Path) -> list[Mirror]:
    """Return the mirrors that a file defines, in its order."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    modules = dict(_imported(tree))
    return [
        Mirror(node.name, f"{modules[base.value.id]}.{node.name}", path)
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Attribute)
        and isinstance(base.value, ast.Name)
        and base.attr == node.name
    ]


def nets_in(path: Path) -> list[Mirror]:
    """Return the mirrors in a file of classes of ours, which `_mirrors` names."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return [
        Mirror(node.name, "", path)
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(line).startswith("_mirrors = ") for line in node.body)
    ]


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the name by which a module is known in a file, and its dotted name."""
    for node in tree.body:
        prefix = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, prefix + alias.name


def all_mirrors() -> list[Mirror]:
    """Return the mirrors of all families, by name of family and class."""
    found = [
        mirror
        for pattern in ("[!_]*.py", "*/_*.py")
        for path in PACKAGE.glob(pattern)
        for mirror in mirrors_in(path)
    ]
    return sorted(found, key=lambda mirror: (mirror.family, mirror.name))


def all_nets() -> list[Mirror]:
    """Return the mirrors of classes of ours: networks, and what holds other models."""
    folders = ("conversion", "neural_network")
    paths = sorted(path for name in folders for path in (PACKAGE / name).glob("_*.py"))
    return [mirror for path in paths for mirror in nets_in(path)]


def names_in(family: str) -> list[str]:
    """Return ``__all__`` of a public module that has no mirrors."""
    path = PACKAGE / f"{family}.py"
    path = path if path.exists() else PACKAGE / family / "__init__.py"
    for node in ast.parse(path.read_text(encoding="utf-8"), filename=str(path)).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    raise LookupError(f"{path} has no __all__.")
