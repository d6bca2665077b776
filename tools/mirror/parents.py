"""What the installed parent has: parameters, defaults, documented attributes."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from inspect import Parameter
from typing import Any

from numpydoc.docscrape import NumpyDocString

from fhe_estimators.base import parent_of

__all__ = ["Argument", "added", "documented_attributes", "mirrored", "takes_any"]


@dataclass(frozen=True)
class Argument:
    """A parameter of a constructor.

    Parameters
    ----------
    name : str
    default : str
        As Python source; empty without one.
    keyword_only : bool
    """

    name: str
    default: str
    keyword_only: bool


def mirrored(cls: type) -> list[Argument]:
    """Return the parameters of the parent, with those that it passes on by keyword.

    A class that has a choice of them, ``_named``, passes on the others by keyword.
    """
    found: dict[str, Argument] = {}
    for base in parent_of(cls).__mro__[:-1]:
        if "__init__" not in vars(base):
            continue
        own = {
            name: Argument(name, _source(p.default), p.kind is Parameter.KEYWORD_ONLY)
            for name, p in _signature(base).items()
            if p.kind is not Parameter.VAR_KEYWORD
        }
        found = {**own, **found}
        if not takes_any(base):
            break
    return _chosen(list(found.values()), getattr(cls, "_named", None))


def _chosen(every: list[Argument], named: Sequence[str] | None) -> list[Argument]:
    """Return the parameters that a constructor names, all if it does not choose.

    They stay positional up to the first that is left out.
    """
    if named is None:
        return every
    found = [argument for argument in every if argument.name in named]
    return [
        replace(argument, keyword_only=argument.keyword_only or argument is not of_parent)
        for argument, of_parent in zip(found, every, strict=False)
    ]


def takes_any(cls: type) -> bool:
    """Return whether a constructor takes keywords that it does not name."""
    return any(p.kind is Parameter.VAR_KEYWORD for p in _signature(cls).values())


def added(cls: Any) -> list[str]:
    """Return the names of our parameters, `p_error` last."""
    known = {argument.name for argument in mirrored(cls)}
    ours = [name for name in cls._fhe_constraints if name not in known]
    return sorted(ours, key=lambda name: name == "p_error")


def documented_attributes(cls: type) -> list[str]:
    """Return the names in the section Attributes of the parent's docstring."""
    section = NumpyDocString(inspect.getdoc(parent_of(cls)) or "")["Attributes"]
    # In the markup of some, an underscore at the end of a name has a backslash.
    return [entry.name.replace("\\_", "_") for entry in section]


def _signature(cls: Any) -> dict[str, Parameter]:
    _, *parameters = inspect.signature(cls.__init__).parameters.values()
    return {p.name: p for p in parameters}


def _source(default: Any) -> str:
    """Return a literal; one of a string has double quotes, and of no default is empty."""
    if default is Parameter.empty:
        return ""
    if isinstance(default, str):
        return f'"{default}"'
    if isinstance(default, float):
        # numpy's floats too; and nan has no literal.
        return "np.nan" if default != default else repr(float(default))
    return repr(default)
