"""Arrays in files: numbers and texts, never objects."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators.deployment._archive import write_archive
from fhe_estimators.deployment._arrays import pack, unpack
from fhe_estimators.deployment.errors import FormatError

ARRAYS = [
    np.arange(6).reshape(2, 3),
    np.array(1.5),
    np.array(["a", "bcd"]),
    np.zeros((0, 4), np.float32),
    np.array([True, False]),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
]
DATA = pack(ARRAYS)


def test_arrays_come_back():
    found = unpack(DATA, "it")
    for array, expected in zip(found, ARRAYS, strict=True):
        assert array.dtype == expected.dtype
        assert np.array_equal(array, expected)


def test_numpy_reads_them():
    with np.load(io.BytesIO(DATA), allow_pickle=False) as found:
        assert np.array_equal(found["0"], ARRAYS[0])


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_no_byte_can_be_changed(place, change):
    data = bytearray(DATA)
    data[place] ^= change
    try:
        found = unpack(bytes(data), "it")
    except FormatError:
        return
    assert pack(found) == bytes(data)


def saved(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return write_archive({"0.npy": file.getvalue()})


@pytest.mark.parametrize(
    "array",
    [
        np.array([{"a": 1}], dtype=object),
        np.array([(1, 2.0)], dtype=[("a", "i8"), ("b", "f8")]),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        np.array([1j]),
    ],
)
def test_other_elements_are_refused(array):
    with pytest.raises(FormatError):
        unpack(saved(array), "it")
    with pytest.raises(TypeError):
        pack([array])


def test_sizes_are_those_of_the_bytes():
    """A header that claims gigabytes takes none."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
    header += b" " * (117 - len(header)) + b"\n"
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with pytest.raises(FormatError, match="bytes of elements"):
        unpack(write_archive({"0.npy": member}), "it")
