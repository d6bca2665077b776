"""The file of a mirror: docstring and constructor are written, the rest stays."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Mapping, Sequence

from tools.mirror.docstrings import MARK, constructor, docstring
from tools.mirror.texts import Texts

__all__ = ["export", "in_order", "literal", "rewritten"]

#: The class, and the dotted name of the one that it mirrors: empty if that is one of ours.
Mirrored = tuple[type, str]


def rewritten(source: str, classes: Mapping[str, Mirrored], texts: Texts) -> str:
    """Return the source of a module with all that the tool writes.

    Parameters
    ----------
    source : str
    classes : mapping of str to tuple of type and str
        The mirrors in it by name, with the dotted names of their parents.
    texts : Texts

    Returns
    -------
    source : str
    """
    lines = source.splitlines()
    # From the last class on, the numbers of lines above stay what they are.
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.ClassDef) and node.name in classes:
            _write(lines, node, *classes[node.name], texts)
    names = [name for name, (_, parent) in classes.items() if parent]
    written = "\n".join(lines) + "\n"
    return export(written, names) if names else written


def _write(
    lines: list[str], node: ast.ClassDef, cls: type, parent: str, texts: Texts
) -> None:
    """Write the docstring of a class, and its constructor, into the lines of its file.

    It inherits the constructor of a class of ours.
    """
    described = node.body[0]
    raw = ast.get_docstring(node, clean=False)
    if raw is None:
        raise ValueError(f"{node.name} has no docstring: say in a sentence what it is.")
    if parent:
        _write_constructor(lines, node, constructor(cls, texts))
    # The source, not the value: lines that go on have a backslash.
    first, last = described.lineno - 1, described.end_lineno
    text = textwrap.dedent("    " + "\n".join(lines[first:last]).strip())
    if not (text.startswith('"""') and text.endswith('"""')):
        raise ValueError(f"the docstring of {node.name} is not in three double quotes.")
    text = docstring(text[3:-3], cls, parent, texts)
    quoted = textwrap.indent(f'"""{text}\n"""', "    ", lambda line: bool(line.strip()))
    lines[first:last] = quoted.splitlines()


def _write_constructor(
    lines: list[str], node: ast.ClassDef, written: Sequence[str]
) -> None:
    methods = [n for n in node.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    init = next((method for method in methods if method.name == "__init__"), None)
    if init is None:
        # Below the docstring and what else is no method.
        at = [n for n in node.body if n not in methods][-1].end_lineno or 0
        lines[at:at] = ["", *written]
    else:
        start = init.lineno - 1
        start -= lines[start - 1] == MARK
        lines[start : init.end_lineno] = written


def in_order(name: str) -> tuple[bool, bool, str]:
    """Return a key to sort imported names by: in capitals first, functions last."""
    return not name.isupper(), name.islower(), name.casefold()


def export(source: str, names: Iterable[str]) -> str:
    """Return the source of a module with ``__all__``, below its imports."""
    names = sorted(names, key=lambda name: (not name.isupper(), name))
    lines = source.splitlines()
    below = 0
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            lines[node.lineno - 1 : node.end_lineno] = literal("__all__", names)
            break
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.Assign):
            lines[below:below] = ["", *literal("__all__", names)]
            break
        below = node.end_lineno or 0
    else:
        lines += ["", *literal("__all__", names)]
    return "\n".join(lines) + "\n"


def literal(name: str, items: list[str]) -> list[str]:
    """Return the lines that assign a list of strings."""
    line = f"{name} = [" + ", ".join(f'"{item}"' for item in items) + "]"
    if len(line) <= 92:
        return [line]
    return [f"{name} = [", *(f'    "{item}",' for item in items), "]"]
