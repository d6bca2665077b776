"""Kinds of values that documents hold: how they are written, and what is read.

Arrays stand beside a document, which holds their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

import numpy as np

from fhe_estimators.deployment.errors import FormatError

#: Characters of a name at most, and members of a list.
_MOST_TEXT, _MOST_MEMBERS = 4096, 1_000_000


class Kind(Protocol):
    """A kind of values."""

    def write(self, value: Any, arrays: list[np.ndarray]) -> Any:
        """Return what a document holds for a value; arrays are appended."""

    def read(self, document: Any, arrays: Arrays, where: str) -> Any:
        """Return the value; `FormatError` if the document holds something else."""


class Arrays:
    """The arrays that stand beside a document, each of which is read once.

    Parameters
    ----------
    arrays : sequence of ndarray
    """

    def __init__(self, arrays: list[np.ndarray]) -> None:
        self._arrays, self._next = arrays, 0

    def take(self, number: Any, where: str) -> np.ndarray:
        """Return the next array, which has to be that of a number."""
        if type(number) is not int or number != self._next or number >= len(self._arrays):
            fail(where, number, f"the number {self._next} of an array")
        self._next += 1
        return self._arrays[number]

    def check_all_taken(self, where: str) -> None:
        """Raise `FormatError` if there are more arrays."""
        if self._next != len(self._arrays):
            fail(where, len(self._arrays), f"{self._next} arrays")


def fail(where: str, found: Any, expected: str) -> NoReturn:
    """Raise a `FormatError`."""
    raise FormatError(f"{where}: expected {expected}; got {found!r:.80}.")


@dataclass(frozen=True)
class Integer:
    """An integer in a range."""

    low: int = 0
    high: int = 1 << 62

    def write(self, value: Any, arrays: list[np.ndarray]) -> Any:
        return int(value)

    def read(self, document: Any, arrays: Arrays, where: str) -> int:
        if type(document) is not int or not self.low <= document <= self.high:
            fail(where, document, f"an integer from {self.low} to {self.high}")
        return document


@dataclass(frozen=True)
class Flag:
    """A truth value."""

    def write(self, value: Any, arrays: list[np.ndarray]) -> Any:
        return bool(value)

    def read(self, document: Any, arrays: Arrays, where: str) -> bool:
        if type(document) is not bool:
            fail(where, document, "true or false")
        return document


@dataclass(frozen=True)
class Real:
    """A finite number, a float."""

    def write(self, value: Any, arrays: list[np.ndarray]) -> Any:
        return float(value)

    def read(self, document: Any, arrays: Arrays, where: str) -> float:
        if type(document) is not float:
            fail(where, document, "a floating point number")
        return document


@dataclass(frozen=True)
class Text:
    """A short text, or one of a few."""

    choices: tuple[str, ...] = ()

    def write(self, value: Any, arrays: list[np.ndarray]) -> Any:
        return str(value)

    def read(self, document: Any, arrays: Arrays, where: str) -> str:
        if type(document) is not str or len(document) > _MOST_TEXT:
            fail(where, document, f"a text of at most {_MOST_TEXT} characters")
        if self.choices and document not in self.choices:
            fail(where, document, f"one of {self.choices}")
        return document


@dataclass(frozen=True)
class Array:
    """An array of numbers or texts.

    Parameters
    ----------
    kinds : str
        Of its elements, as in ``dtype.kind``.
    ndim : int, optional
        Its axes, if they are known.
    """

    kinds: str
    ndim: int | None = None

    def write(self, value: Any, arrays: list[np.ndarray]) -> Any:
        arrays.append(np.asarray(value))
        return len(arrays) - 1

    def read(self, document: Any, arrays: Arrays, where: str) -> np.ndarray:
        array = arrays.take(document, where)
        if array.dtype.kind not in self.kinds or self.ndim not in (None, array.ndim):
            shown = f"{array.dtype} of shape {array.shape}"
            fail(where, shown, f"an array of kind {self.kinds} and {self.ndim} axes")
        return array


@dataclass(frozen=True)
class Number:
    """A number of Python's, or an array of them: scalars keep their type."""

    kinds: str = "biuf"

    def write(self, value: Any, arrays: list[np.ndarray]) -> Any:
        if type(value) in (int, float, bool):
            return {"scalar": value}
        return {"array": Array(self.kinds).write(value, arrays)}

    def read(self, document: Any, arrays: Arrays, where: str) -> Any:
        if type(document) is dict and set(document) == {"array"}:
            return Array(self.kinds).read(document["array"], arrays, where)
        if type(document) is not dict or set(document) != {"scalar"}:
            fail(where, document, "a number or an array")
        value = document["scalar"]
        if type(value) not in (int, float, bool) or abs(value) > 1e308:
            fail(where, value, "a number")
        return value


@dataclass(frozen=True)
class Optional:
    """A value, or none."""

    kind: Kind

    def write(self, value: Any, arrays: list[np.ndarray]) -> Any:
        return None if value is None else self.kind.write(value, arrays)

    def read(self, document: Any, arrays: Arrays, where: str) -> Any:
        return None if document is None else self.kind.read(document, arrays, where)


@dataclass(frozen=True)
class Several:
    """A tuple of values of one kind."""

    kind: Kind
    most: int = _MOST_MEMBERS

    def write(self, value: Any, arrays: list[np.ndarray]) -> Any:
        return [self.kind.write(member, arrays) for member in value]

    def read(self, document: Any, arrays: Arrays, where: str) -> tuple[Any, ...]:
        if type(document) is not list or len(document) > self.most:
            fail(where, document, f"a list of at most {self.most} members")
        return tuple(
            self.kind.read(member, arrays, f"{where}[{place}]")
            for place, member in enumerate(document)
        )


@dataclass(frozen=True)
class Named:
    """A dict of values of one kind, by name."""

    kind: Kind
    names: tuple[str, ...] = ()

    def write(self, value: Any, arrays: list[np.ndarray]) -> Any:
        return {name: self.kind.write(value[name], arrays) for name in sorted(value)}

    def read(self, document: Any, arrays: Arrays, where: str) -> dict[str, Any]:
        if type(document) is not dict or len(document) > _MOST_MEMBERS:
            fail(where, document, "an object")
        name = Text(self.names)
        return {
            name.read(key, arrays, where): self.kind.read(
                document[key], arrays, f"{where}.{key}"
            )
            for key in sorted(document)
        }


@dataclass(frozen=True)
class Record:
    """An object of a class, by its fields.

    Parameters
    ----------
    make : callable
        Returns the object, from fields by name. What it raises is a `FormatError`.
    fields : mapping of str to Kind
    take : callable, optional
        Returns the fields of an object; its attributes by default.
    """

    make: Callable[..., Any]
    fields: Mapping[str, Kind]
    take: Callable[[Any], Mapping[str, Any]] | None = None

    def write(self, value: Any, arrays: list[np.ndarray]) -> Any:
        found = (
            self.take(value) if self.take else {n: getattr(value, n) for n in self.fields}
        )
        return {name: kind.write(found[name], arrays) for name, kind in self.fields.items()}

    def read(self, document: Any, arrays: Arrays, where: str) -> Any:
        if type(document) is not dict or set(document) != set(self.fields):
            given = sorted(document) if type(document) is dict else document
            fail(where, given, f"an object of {', '.join(sorted(self.fields))}")
        values = {
            name: kind.read(document[name], arrays, f"{where}.{name}")
            for name, kind in self.fields.items()
        }
        try:
            return self.make(**values)
        except FormatError:
            raise
        except (ValueError, TypeError, ArithmeticError, LookupError) as error:
            raise FormatError(f"{where}: {error}") from error


@dataclass(frozen=True)
class OneOf:
    """An object of one of several classes, told by a name.

    Parameters
    ----------
    records : mapping of str to (type, Record)
    """

    records: Mapping[str, tuple[type, Record]] = field(default_factory=dict)

    def write(self, value: Any, arrays: list[np.ndarray]) -> Any:
        for name, (cls, record) in self.records.items():
            if type(value) is cls:
                return {"kind": name, "fields": record.write(value, arrays)}
        known = ", ".join(self.records)
        raise TypeError(f"cannot store a {type(value).__name__}; what can be: {known}")

    def read(self, document: Any, arrays: Arrays, where: str) -> Any:
        if type(document) is not dict or set(document) != {"kind", "fields"}:
            fail(where, document, "an object of kind and fields")
        name = Text(tuple(self.records)).read(document["kind"], arrays, where)
        _, record = self.records[name]
        return record.read(document["fields"], arrays, f"{where}.{name}")
