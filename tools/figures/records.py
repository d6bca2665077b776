"""Records of figures: files of what has changed, the page of them, and what is allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.figures.models import Figures
from tools.mirror.sources import ROOT

__all__ = [
    "FOLDER",
    "PAGE",
    "Record",
    "changed",
    "latest",
    "page",
    "records",
    "unexplained",
]

FOLDER = ROOT / "benchmarks" / "figures"
PAGE = ROOT / "docs" / "developer" / "figures.md"
#: The part by which a figure may grow, or be off its record.
TOLERANCE = 0.02

_HEAD = f"""# What models cost on any machine

Written by `make figures`. A figure may grow by {TOLERANCE:.0%} unless a line of CHANGES.md
has its name and its new value. Keys and bytes are those of one encrypted row; complexity is
the optimizer's estimate of its operations; compilations are those until the cost is known;
modules are those that an import loads, without Python's own.
"""


@dataclass(frozen=True)
class Record:
    """What had changed at some time.

    Parameters
    ----------
    when : str
        Day and time of the record, the name of its file.
    after : str
        The commit that was changed.
    figures : dict of str to float
        The figures that are others than before; all of them in the first record.
    """

    when: str
    after: str
    figures: Figures

    @property
    def text(self) -> str:
        """The content of the file."""
        content = {"after": self.after, "figures": self.figures}
        return json.dumps(content, indent=2) + "\n"


def records(folder: Path = FOLDER) -> list[Record]:
    """Return all records, the oldest first."""
    return [
        Record(path.stem, **json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(folder.glob("*.json"))
    ]


def latest(known: Sequence[Record]) -> Figures:
    """Return the newest value of each figure."""
    found: Figures = {}
    for record in known:
        found |= record.figures
    return found


def changed(known: Sequence[Record], measured: Figures) -> list[str]:
    """Return the figures that are off their records, up or down, or have none."""
    last = latest(known)
    return [
        f"{name} is {shown(value)}, not {shown(last[name]) if name in last else 'recorded'}"
        for name, value in measured.items()
        if name not in last or abs(value - last[name]) > TOLERANCE * last[name]
    ]


def unexplained(known: Sequence[Record], changes: str) -> list[str]:
    """Return the figures that have grown without a line of CHANGES.md.

    Several small steps count as one: growth is that over the smallest value since the last
    growth that has a line.
    """
    paragraphs = [" ".join(text.split()) for text in re.split(r"\n(?=- |\n)", changes)]
    allowed: Figures = {}
    found = []
    for record in known:
        for name, value in record.figures.items():
            before = allowed.setdefault(name, value)
            told = any(_tells(paragraph, name, value) for paragraph in paragraphs)
            if value > before * (1 + TOLERANCE) and not told:
                found.append(f"`{name}` grew from {shown(before)} to {shown(value)}")
            else:
                allowed[name] = value if told else min(before, value)
    return found


def _tells(paragraph: str, name: str, value: float) -> bool:
    number = rf"(?<![\d,.]){re.escape(shown(value))}(?!\d|[,.]\d)"
    return f"`{name}`" in paragraph and re.search(number, paragraph) is not None


def shown(value: float) -> str:
    """Return a figure as the page and CHANGES.md have it."""
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def page(known: Sequence[Record]) -> str:
    """Return the page: all figures, and the table of changes."""
    last = latest(known)
    columns = list(dict.fromkeys(_figure(name) for name in last if not _of_import(name)))
    lines = [_HEAD, *_head("model", *columns)]
    for model in dict.fromkeys(name.partition(".")[0] for name in last):
        if model != "import":
            cells = [shown(last[f"{model}.{column}"]) for column in columns]
            lines.append(_row(model, *cells))
    lines += ["", *_head("import", "modules")]
    lines += [_row(_figure(n), shown(v)) for n, v in last.items() if _of_import(n)]
    lines += ["", "## Changes", ""]
    changes = _changes(known)
    table = [*_head("when", "after commit", "figure", "from", "to", "by"), *changes]
    return "\n".join([*lines, *(table if changes else ["None so far."])]) + "\n"


def _changes(known: Sequence[Record]) -> list[str]:
    """Return the rows of the table of changes, the newest first."""
    rows = []
    for number, record in enumerate(known[1:], 1):
        before = latest(known[:number])
        for name, value in record.figures.items():
            old = before.get(name)
            by = f"{value / old - 1:+.1%}" if old else ""
            cells = (name, "" if old is None else shown(old), shown(value), by)
            rows.append(_row(record.when, record.after, *cells))
    return rows[::-1]


def _of_import(name: str) -> bool:
    return name.startswith("import.")


def _figure(name: str) -> str:
    return name.partition(".")[2]


def _head(*cells: str) -> list[str]:
    return [_row(*cells), _row(*("---" for _ in cells))]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
