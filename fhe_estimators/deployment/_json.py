"""JSON documents of which there is one text only."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from fhe_estimators.deployment.errors import FormatError


def dumps(document: Any) -> bytes:
    """Return the text of a document: without spaces, its members sorted."""
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode("ascii")


def loads(text: bytes, what: str) -> Any:
    """Return a document.

    Parameters
    ----------
    text : bytes
    what : str
        For messages.

    Raises
    ------
    FormatError
        If it is not exactly what `dumps` would write.
    """
    try:
        document = json.loads(text, parse_constant=_refuse)
        if dumps(document) == text:
            return document
    except (ValueError, RecursionError, OverflowError) as error:
        raise FormatError(f"{what} is no JSON document: {error}") from error
    raise FormatError(f"{what} is not written as this package writes JSON documents.")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
