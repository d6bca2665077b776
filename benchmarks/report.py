"""Rows of numbers as aligned text, with goals and whether they are met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """A measured number and the bound that it should keep."""

    measured: float
    bound: float
    unit: str
    #: Whether the bound is the least, or else the most, that the number may be.
    least: bool

    @property
    def met(self) -> bool:
        if self.least:
            return self.measured >= self.bound
        return self.measured <= self.bound

    @property
    def cells(self) -> Row:
        sign = ">=" if self.least else "<="
        return {
            "goal": f"goal {sign} {self.bound:g}{self.unit}",
            "verdict": f"measured {shown(self.measured)}{self.unit}, "
            f"{'met' if self.met else 'missed'}",
        }


def at_least(bound: float, measured: float, unit: str = "") -> Goal:
    return Goal(measured, bound, unit, least=True)


def at_most(bound: float, measured: float, unit: str = "") -> Goal:
    return Goal(measured, bound, unit, least=False)


def shown(value: Any) -> str:
    """Return a number with the digits that matter; empty for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def table(rows: Sequence[Row]) -> str:
    """Return rows as aligned text, without columns that are empty throughout."""
    rows = [
        {
            **{key: cell for key, cell in row.items() if not isinstance(cell, Goal)},
            **(row["goal"].cells if isinstance(row.get("goal"), Goal) else {}),
        }
        for row in rows
    ]
    columns = [
        column
        for column in dict.fromkeys(key for row in rows for key in row)
        if any(row.get(column) is not None for row in rows)
    ]
    lines = [columns, *([shown(row.get(column)) for column in columns] for row in rows)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    numeric = [
        all(isinstance(row.get(column), int | float | None) for row in rows)
        for column in columns
    ]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )


def plain(value: Any) -> Any:
    """Return what JSON can hold instead of a goal or a numpy number."""
    if isinstance(value, Goal):
        return {**vars(value), "met": value.met}
    return value.item()
