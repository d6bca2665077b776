"""What reports share: they print as tables, in terminals and in notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, ClassVar, TypeVar

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Report", "facts_as_html", "learned_as_html", "table_as_html"]

Record = TypeVar("Record")


class Report(tuple[Record, ...]):
    """Records of one kind, a row each; prints as a table.

    A subclass says what its cells are.
    """

    __slots__ = ()

    #: The field that tells rows apart.
    _index: ClassVar[str]

    def _cells(self) -> list[list[str]]:
        """Return the texts of the table, the heads first."""
        raise NotImplementedError

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with a row for each record, which needs pandas.

        Returns
        -------
        frame : pandas.DataFrame
        """
        import pandas as pd

        return pd.DataFrame(list(self)).set_index(self._index)

    def __str__(self) -> str:
        rows = self._cells()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)

    def _repr_html_(self) -> str:
        head, *rows = self._cells()
        return table_as_html(rows, head)


def table_as_html(rows: Iterable[Sequence[str]], head: Sequence[str]) -> str:
    """Return a table of texts, which are escaped."""
    heads = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def facts_as_html(facts: Mapping[str, object]) -> str:
    """Return a table of facts, a row for each with its name at the left."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(str(value))}</td></tr>'
        for name, value in facts.items()
    )
    return f"<table><tbody>{rows}</tbody></table>"


def learned_as_html(learns: Mapping[str, Sequence[str]]) -> str:
    """Return lists of what each side of a deployment learns."""
    return "".join(
        f"<h3>What the {escape(side)} learns</h3><ul>"
        + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
        + "</ul>"
        for side, sentences in learns.items()
    )
