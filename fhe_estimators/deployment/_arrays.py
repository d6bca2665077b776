"""Arrays in a file that numpy reads, and that holds nothing but numbers and texts."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib import format as npy

from fhe_estimators.deployment._archive import read_archive, write_archive
from fhe_estimators.deployment.errors import FormatError

# They have no types.
_write: Any = npy.write_array
_magic: Any = npy.read_magic
_header: Any = npy.read_array_header_1_0
#: Kinds of elements: truth values, integers, floats, texts.
_KINDS = "biufU"
_MOST_ARRAYS, _MOST_AXES = 100_000, 16


def pack(arrays: Sequence[np.ndarray]) -> bytes:
    """Return arrays as the bytes of a file of ``numpy.load``.

    Raises
    ------
    TypeError
        If elements are neither numbers nor texts.
    """
    members = {}
    for number, array in enumerate(arrays):
        if array.dtype.kind not in _KINDS:
            raise TypeError(f"cannot store an array of {array.dtype}")
        file = io.BytesIO()
        little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
        _write(file, little, version=(1, 0), allow_pickle=False)
        members[f"{number}.npy"] = file.getvalue()
    return write_archive(members)


def unpack(data: bytes, what: str) -> list[np.ndarray]:
    """Return the arrays that `pack` was given.

    Raises
    ------
    FormatError
        If the bytes are not what `pack` returns.
    """
    members = read_archive(data, what)
    if len(members) > _MOST_ARRAYS:
        raise FormatError(f"{what} holds {len(members)} arrays.")
    arrays = []
    for number, (name, member) in enumerate(members.items()):
        if name != f"{number}.npy":
            raise FormatError(f"{what} holds a member {name!r:.80}.")
        arrays.append(_array(member, f"{what}: array {number}"))
    if pack(arrays) != data:
        raise FormatError(f"{what} is not written as this package writes arrays.")
    return arrays


def _array(member: bytes, what: str) -> np.ndarray:
    file = io.BytesIO(member)
    try:
        version = _magic(file)
        if version != (1, 0):
            raise FormatError(f"{what} has the version {version}.")
        shape, fortran_order, dtype = _header(file)
    except (ValueError, TypeError, KeyError, SyntaxError, RecursionError) as error:
        raise FormatError(f"{what} has no header of numpy: {error}") from error
    if dtype.kind not in _KINDS or dtype.hasobject or dtype.names or fortran_order:
        raise FormatError(f"{what} is of {dtype}.")
    if len(shape) > _MOST_AXES or any(size < 0 for size in shape):
        raise FormatError(f"{what} has the shape {shape}.")
    rest = len(member) - file.tell()
    if math.prod(shape) * dtype.itemsize != rest:
        raise FormatError(f"{what} has {rest} bytes of elements for the shape {shape}.")
    if not dtype.itemsize:
        return np.zeros(shape, dtype)
    return np.frombuffer(member, dtype, offset=file.tell()).reshape(shape).copy()
