"""Write, or check, what estimators repeat of the classes that they mirror."""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tools.mirror.classes import rewritten
from tools.mirror.indexes import indexes
from tools.mirror.sources import ROOT, Mirror, all_mirrors, all_nets
from tools.mirror.texts import Texts

__all__ = ["main"]


def class_files(mirrors: Sequence[Mirror], texts: Texts) -> dict[Path, str]:
    """Return the content of the files of all mirrors."""
    contents = {}
    for path in sorted({mirror.path for mirror in mirrors}):
        here = [mirror for mirror in mirrors if mirror.path == path]
        module = importlib.import_module(here[0].module)
        classes = {m.name: (getattr(module, m.name), m.parent) for m in here}
        contents[path] = rewritten(path.read_text(encoding="utf-8"), classes, texts)
    return contents


def differences(contents: dict[Path, str]) -> str:
    """Return how files differ from what the tool would write."""
    return "".join(
        line
        for path, content in contents.items()
        for line in difflib.unified_diff(
            path.read_text(encoding="utf-8").splitlines(keepends=True),
            content.splitlines(keepends=True),
            str(path.relative_to(ROOT)),
            "make mirror",
        )
    )


def write(contents: dict[Path, str]) -> None:
    """Write the files that change, and print their names."""
    for path, content in contents.items():
        if path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")
            print(path.relative_to(ROOT))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the command line by default.

    Returns
    -------
    status : int
        1 if there is something to write with ``--check``, or a text that no class needs.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.mirror", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    checks = parser.parse_args(arguments).check
    mirrors, texts = all_mirrors(), Texts.read()
    # Classes are imported by the lists that name them: these come first.
    described = [*mirrors, *all_nets()]
    for found in (partial(indexes, mirrors), partial(class_files, described, texts)):
        if not checks:
            write(found())
        elif different := differences(found()):
            print(different, "Run `make mirror`.", sep="\n", file=sys.stderr)
            return 1
    unused = texts.unused()
    if unused:
        print(f"texts.rst: no class needs {unused}; take them out.", file=sys.stderr)
    return int(bool(unused))


if __name__ == "__main__":
    sys.exit(main())
