"""Zip files: one for given members, and nothing else is read."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators.deployment._archive import read_archive, write_archive
from fhe_estimators.deployment.errors import FormatError

MEMBERS = {"a.json": b"{}", "b.npz": bytes(range(40))}
DATA = write_archive(MEMBERS)


def test_members_come_back_in_order():
    assert list(read_archive(DATA, "it").items()) == list(MEMBERS.items())


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_no_byte_can_be_changed(place, change):
    """Whatever is read was written: another content has another file."""
    data = bytearray(DATA)
    data[place] ^= change
    try:
        found = read_archive(bytes(data), "it")
    except FormatError:
        return
    assert write_archive(found) == bytes(data)


@given(st.binary(max_size=300))
def test_other_bytes_are_refused(data):
    with pytest.raises(FormatError):
        read_archive(data, "it")


@given(st.integers(0, len(DATA) - 1))
def test_cut_files_are_refused(size):
    with pytest.raises(FormatError):
        read_archive(DATA[:size], "it")


@pytest.mark.parametrize("extra", [b"x", DATA])
def test_more_bytes_are_refused(extra):
    for data in (DATA + extra, extra + DATA):
        with pytest.raises(FormatError):
            read_archive(data, "it")


def zipped(compression=zipfile.ZIP_STORED, **members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_bombs_are_not_unpacked():
    bomb = zipped(zipfile.ZIP_DEFLATED, a=bytes(1 << 24))
    assert len(bomb) < 1 << 16
    with pytest.raises(FormatError, match="compressed"):
        read_archive(bomb, "it")


def test_names_twice_are_refused():
    file = io.BytesIO(DATA)
    with (
        zipfile.ZipFile(file, "a") as archive,
        pytest.warns(UserWarning, match="Duplicate"),
    ):
        archive.writestr("a.json", b"[]")
    with pytest.raises(FormatError):
        read_archive(file.getvalue(), "it")
