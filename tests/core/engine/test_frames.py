"""Frames: payloads are taken out of messages and put into others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators.core.engine import Frame


def word(*halves):
    return b"".join(half.to_bytes(4, "little") for half in halves)


#: A struct of one pointer, to a list of two lists of bytes, of 3 and of 8 of them, the
#: second of which is in another segment.
MESSAGE = (
    word(1, 6)
    + word(1, 0)
    + word(0, 1 << 16)  # a struct without data, and one pointer
    + word(1, 2 << 3 | 6)  # a list of two pointers
    + word(1 << 2 | 1, 3 << 3 | 2)  # one word on, three bytes
    + word(2, 1)  # far: the first word of the segment 1
    + b"abc\0\0\0\0\0"
    + b"\0" * 8
    # The other segment, of a pointer and the bytes that follow.
    + word(1, 8 << 3 | 2)
)


def test_payloads_are_found_across_segments():
    segments = MESSAGE[:8] + word(2, 0) + MESSAGE[16:] + b"12345678"
    frame = Frame.of(segments)
    assert frame.holes == (3, 8)
    assert frame.payload(segments) == b"abc12345678"
    assert frame.message(b"xyz87654321").endswith(b"87654321")
    assert Frame.from_document(frame.to_document()) == frame


FRAME = Frame((b"ab", b"cd", b"e"), (2, 3), (1, 0))


@given(st.binary(min_size=5, max_size=5))
def test_payloads_come_back(payload):
    message = FRAME.message(payload)
    assert FRAME.payload(message) == payload
    assert len(message) == 10


def test_order_is_that_of_pointers():
    assert FRAME.message(b"12345") == b"ab345cd12e"


@pytest.mark.parametrize("message", [b"", b"ab345cd12", b"ab345cd12ee", b"aB345cd12e"])
def test_other_messages_are_refused(message):
    with pytest.raises(ValueError, match="frame"):
        FRAME.payload(message)


@pytest.mark.parametrize("size", [0, 4, 6])
def test_other_payloads_are_refused(size):
    with pytest.raises(ValueError, match=f"5 bytes; got {size}"):
        FRAME.message(bytes(size))
