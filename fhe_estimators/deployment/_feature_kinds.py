"""How a document holds what is known of the features of a model, and of their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fhe_estimators._tables import Categories, Table, TableRows
from fhe_estimators.deployment._features import Features
from fhe_estimators.deployment._kinds import (
    Array,
    Arrays,
    Flag,
    Integer,
    Kind,
    Optional,
    Real,
    Record,
    Several,
    Text,
    fail,
)


class LabelArray:
    """Labels: numbers, or texts, also as Python's own objects in an array."""

    _array = Array("biufU", 1)

    def write(self, value: Any, arrays: list[np.ndarray]) -> Any:
        array = np.asarray(value)
        is_object = array.dtype == object
        if is_object:
            kinds = {type(label) for label in array.tolist()}
            if len(kinds) != 1 or not kinds <= {str, int, float, bool}:
                raise TypeError(
                    f"cannot store labels of the types {sorted(map(repr, kinds))}"
                )
            array = np.array(array.tolist())
        return {"object": is_object, "array": self._array.write(array, arrays)}

    def read(self, document: Any, arrays: Arrays, where: str) -> np.ndarray:
        if type(document) is not dict or set(document) != {"object", "array"}:
            fail(where, document, "labels")
        is_object = Flag().read(document["object"], arrays, where)
        array = self._array.read(document["array"], arrays, where)
        return array.astype(object) if is_object else array


_FIELDS_OF_FEATURES: Mapping[str, Kind] = {
    "count": Integer(1),
    "names": Optional(Several(Text())),
    "dtype": Text(("float32", "float64")),
    "spaces": Flag(),
}
_FIELDS_OF_CATEGORIES: Mapping[str, Kind] = {
    "labels": LabelArray(),
    "unknown": Text(Categories.UNKNOWN),
    "arrays_hold_codes": Flag(),
    "truncates": Flag(),
}


def _of_categories(categories: Categories) -> dict[str, Any]:
    # An array of objects, whatever they are.
    labels = np.array([*categories.labels, None], object)[:-1]
    found = labels if categories.labels else np.zeros(0)
    return {**vars(categories), "labels": found}


class _OneMore:
    """A record that has a field more where it says something: others stay what they were.

    Parameters
    ----------
    record : Record
        Without it.
    name : str
        Of the field; what is not true is the default of the class.
    kind : Kind
    """

    def __init__(self, record: Record, name: str, kind: Kind) -> None:
        self._plain, self._name = record, name
        self._more = replace(record, fields={**record.fields, name: kind})

    def write(self, value: Any, arrays: list[np.ndarray]) -> Any:
        record = self._more if getattr(value, self._name) else self._plain
        return record.write(value, arrays)

    def read(self, document: Any, arrays: Arrays, where: str) -> Any:
        has_more = type(document) is dict and self._name in document
        record = self._more if has_more else self._plain
        return record.read(document, arrays, where)


_CATEGORIES = _OneMore(
    Record(Categories, _FIELDS_OF_CATEGORIES, _of_categories), "as_texts", Flag()
)


def _table(columns: Sequence[int], categories: Sequence[Any], order: Any) -> Table:
    known = (replace(found, labels=found.labels.tolist()) for found in categories)
    return Table(dict(zip(columns, known, strict=True)), order)


_TABLE_ROWS = Record(
    TableRows,
    {
        "table": Optional(
            Record(
                _table,
                {
                    "columns": Several(Integer()),
                    "categories": Several(_CATEGORIES),
                    "order": Optional(Several(Integer())),
                },
                lambda table: {
                    "columns": list(table.categories),
                    "categories": list(table.categories.values()),
                    "order": table.order,
                },
            )
        ),
        "missing": Several(Integer()),
        "number": Optional(Real()),
    },
)


#: Of `Features`: tables are no plain numbers where there are `rows`.
FEATURES = _OneMore(Record(Features, _FIELDS_OF_FEATURES), "rows", _TABLE_ROWS)
