"""What the parameter ``n_bits`` means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from numbers import Integral

from fhe_estimators.core.engine import ConcreteEngine
from fhe_estimators.core.integers import BitWidths

#: The largest n_bits of any part: a table reads no more.
MAXIMUM_N_BITS = ConcreteEngine.maximum_table_bits

_PARTS = tuple(field.name for field in fields(BitWidths))
#: Each is as many as the other by default.
_MAIN = ("op_inputs", "op_weights")


def resolve_n_bits(n_bits: int | Mapping[str, int]) -> BitWidths:
    """Return the bits of each part.

    Parameters
    ----------
    n_bits : int in [1, 16] or mapping
        One number for all parts, or one for ``"op_inputs"`` (results of tables) and one for
        ``"op_weights"``, where one serves both, and, if they differ from ``"op_inputs"``,
        for ``"model_inputs"`` and ``"model_outputs"`` (those that are results of tables).

    Returns
    -------
    bits : BitWidths

    Raises
    ------
    TypeError
        If `n_bits` is neither an integer nor a mapping.
    ValueError
        If a number is out of range or a part is unknown or missing.

    Examples
    --------
    >>> resolve_n_bits(8)
    BitWidths(op_inputs=8, op_weights=8, model_inputs=None, model_outputs=None)
    >>> resolve_n_bits({"op_inputs": 4, "op_weights": 3, "model_inputs": 8})
    BitWidths(op_inputs=4, op_weights=3, model_inputs=8, model_outputs=None)
    >>> resolve_n_bits({"op_weights": 3})
    BitWidths(op_inputs=3, op_weights=3, model_inputs=None, model_outputs=None)
    """
    if isinstance(n_bits, Mapping):
        given = set(n_bits)
        if not given & set(_MAIN) or not given <= set(_PARTS):
            raise ValueError(
                f"The dict given as 'n_bits' must have the key {' or '.join(_MAIN)} and "
                f"may have {', '.join(_PARTS[len(_MAIN) :])}; got "
                f"{', '.join(map(repr, n_bits)) or 'none'}."
            )
        parts = {part: check_n_bits(n_bits[part], f"n_bits[{part!r}]") for part in n_bits}
        (first, *_) = (parts[part] for part in _MAIN if part in parts)
        return BitWidths(**{**dict.fromkeys(_MAIN, first), **parts})
    bits = check_n_bits(n_bits, "'n_bits'")
    return BitWidths(bits, bits)


def check_n_bits(n_bits: object, name: str) -> int:
    """Return `n_bits` as an int; see `resolve_n_bits` for what is raised."""
    if not isinstance(n_bits, Integral) or isinstance(n_bits, bool):
        raise TypeError(
            f"The parameter {name} must be an integer from 1 to {MAXIMUM_N_BITS}; "
            f"got {n_bits!r} of type {type(n_bits).__name__}."
        )
    bits = int(n_bits)
    if not 1 <= bits <= MAXIMUM_N_BITS:
        raise ValueError(
            f"The parameter {name} must be from 1 to {MAXIMUM_N_BITS}; got {n_bits}."
        )
    return bits
