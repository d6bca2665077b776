"""The lists of estimators: those of families, of the package, and of the README."""

from __future__ import annotations

import ast
import re
import textwrap
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tools.mirror.classes import export, in_order
from tools.mirror.sources import PACKAGE, ROOT, Mirror, names_in

__all__ = ["indexes"]

#: Public names beside the mirrors, by module; None stands for all of the module's.
_OTHERS: dict[str, list[str] | None] = {
    "conversion": None,
    "exceptions": None,
    "neural_network": None,
    "quantization": [
        "NumpyModule",
        "QuantizedArray",
        "QuantizedModule",
        "UniformQuantizer",
    ],
}

_BEGIN = "# Written by `make mirror`, down to the end of the table."
_TABLE = re.compile(r"(?<=\| module \| estimators \|\n\|---\|---\|\n)(\|.*\n)+")


def indexes(mirrors: Sequence[Mirror]) -> dict[Path, str]:
    """Return the content of all files that list estimators.

    Parameters
    ----------
    mirrors : sequence of Mirror
        All of them, sorted.

    Returns
    -------
    contents : dict of Path to str
    """
    families: dict[str, list[Mirror]] = defaultdict(list)
    for mirror in mirrors:
        families[mirror.family].append(mirror)
    contents = {
        path: _family(path.read_text(encoding="utf-8"), members)
        for name, members in families.items()
        if (path := PACKAGE / name / "__init__.py").exists()
    }
    names = {family: [m.name for m in found] for family, found in families.items()}
    others = {module: given or names_in(module) for module, given in _OTHERS.items()}
    init, readme = PACKAGE / "__init__.py", ROOT / "README.md"
    contents[init] = _package(init.read_text(encoding="utf-8"), {**names, **others})
    foreign = sorted(f for f, found in families.items() if found[0].library != "sklearn")
    order = [*sorted(families.keys() - {*foreign}), *foreign, "neural_network"]
    nets = [n for n in others["neural_network"] if n.endswith(("Classifier", "Regressor"))]
    rows = [
        f"| `fhe_estimators.{family}` | "
        + ", ".join(f"`{name}`" for name in names.get(family, nets))
        + " |\n"
        for family in order
    ]
    text = readme.read_text(encoding="utf-8")
    contents[readme] = _TABLE.sub(lambda _: "".join(rows), text)
    return contents


def _family(source: str, members: Sequence[Mirror]) -> str:
    """Return ``__init__`` of a folder that imports its mirrors and nothing else of it."""
    lines = source.splitlines()
    for node in reversed(ast.parse(source).body):
        ours = isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "fhe_estimators."
        )
        if ours or (isinstance(node, ast.Assign) and "__all__" in ast.unparse(node)):
            del lines[node.lineno - 1 : node.end_lineno]
    by_module: dict[str, list[str]] = defaultdict(list)
    for mirror in members:
        by_module[mirror.module].append(mirror.name)
    head = "\n".join(lines).rstrip()
    imports = [_imported(module, by_module[module]) for module in sorted(by_module)]
    text = head + "\n\n" + "\n".join(imports) + "\n"
    return export(text, [mirror.name for mirror in members])


def _imported(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(sorted(names, key=in_order))}"
    if len(line) <= 88:  # whether it is indented or not
        return line
    return "\n".join(
        [f"from {module} import (", *(f"    {name}," for name in sorted(names)), ")"]
    )


def _package(source: str, names: dict[str, list[str]]) -> str:
    """Return ``__init__`` of the package with its imports for editors and its table."""
    head, _, rest = source.partition(_BEGIN)
    _, _, tail = rest.partition("\n}\n")
    # An alias says that a name is public here.
    imports = [
        _imported(f"fhe_estimators.{module}", [f"{name} as {name}"])
        for module, found in sorted(names.items())
        for name in sorted(found, key=in_order)
    ]
    table = [
        f'    "{name}": "{module}",'
        for module, found in sorted(names.items())
        for name in sorted(found)
    ]
    written = [
        f"{_BEGIN}\nif TYPE_CHECKING:",
        textwrap.indent("\n".join(imports), "    "),
        "\n_MODULE_OF = {",
        *table,
        "}\n",
    ]
    return head + "\n".join(written) + tail
