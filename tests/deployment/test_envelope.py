"""Messages: whatever is changed is noticed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators.deployment._envelope import ANSWER, OVERHEAD, REQUEST, Envelope
from fhe_estimators.deployment.errors import FormatError

envelopes = st.builds(
    Envelope,
    kind=st.just(REQUEST),
    model=st.binary(min_size=32, max_size=32),
    key=st.binary(min_size=32, max_size=32),
    request=st.binary(min_size=16, max_size=16),
    rows=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=64),
)


@given(envelopes)
def test_messages_are_opened(envelope):
    message = envelope.to_bytes()
    assert len(message) == OVERHEAD + len(envelope.payload)
    assert Envelope.of(message, REQUEST) == envelope


@given(envelopes, st.data())
def test_no_byte_can_be_changed(envelope, data):
    message = bytearray(envelope.to_bytes())
    place = data.draw(st.integers(0, len(message) - 1))
    message[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FormatError):
        Envelope.of(bytes(message), REQUEST)


@given(envelopes, st.data())
def test_cut_and_longer_messages_are_refused(envelope, data):
    message = envelope.to_bytes()
    size = data.draw(st.integers(0, len(message) - 1))
    for other in (message[:size], message + b"\0"):
        with pytest.raises(FormatError):
            Envelope.of(other, REQUEST)


@given(st.binary(max_size=400))
def test_other_bytes_are_refused(data):
    with pytest.raises(FormatError):
        Envelope.of(data, REQUEST)


def test_kinds_are_told_apart():
    envelope = Envelope(REQUEST, bytes(32), bytes(32), bytes(16), 1, b"")
    with pytest.raises(FormatError, match="a request; expected an answer"):
        Envelope.of(envelope.to_bytes(), ANSWER)
    with pytest.raises(FormatError, match="of kind 7"):
        Envelope.of(replace(envelope, kind=7).to_bytes(), ANSWER)


def test_what_is_no_bytes_is_refused():
    with pytest.raises(FormatError, match="must be bytes; got str"):
        Envelope.of("message", REQUEST)
