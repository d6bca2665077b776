"""What a circuit is given to compute on: as many ciphertexts as it takes, its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fhe_estimators.exceptions import CompilationError


def counted(ciphertexts: Any, count: int, source: str) -> tuple[Any, ...]:
    """Return ciphertexts as a tuple.

    Parameters
    ----------
    ciphertexts : sequence of ciphertext
    count : int
        How many there must be.
    source : str
        The method that gives them.

    Raises
    ------
    TypeError
        If it is no sequence.
    ValueError
        If there are more or fewer.
    """
    if not isinstance(ciphertexts, tuple | list):
        raise TypeError(
            f"Expected the tuple of ciphertexts that {source} returns; got one "
            f"{type(ciphertexts).__name__}."
        )
    if len(ciphertexts) != count:
        raise ValueError(
            f"Expected {count} ciphertext{'s' * (count != 1)}; got "
            f"{len(ciphertexts)}. Pass on what {source} of this circuit returns."
        )
    return tuple(ciphertexts)


@contextmanager
def told_of_foreign(source: str) -> Iterator[None]:
    """Raise a `ValueError` where an engine finds ciphertexts of another shape.

    Those of other keys, but of the same circuit, cannot be told apart: they decrypt to
    numbers without meaning.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, CompilationError) and "transport value" not in str(error):
            raise
        raise ValueError(
            "The ciphertexts are those of another circuit: their shape, or encryption "
            f"parameters, differ. Pass on what {source} of this circuit returns. ({error})"
        ) from error
