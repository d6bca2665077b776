"""Messages between a server and its workers."""

import socket
import threading
import time

import pytest

from fhe_estimators.deployment.serving._channel import Channel, ChannelClosedError


@pytest.fixture
def pair():
    one, other = socket.socketpair()
    with one, other:
        yield Channel(one, 1 << 20), Channel(other, 1 << 20), other


def test_messages_arrive_as_they_were_sent(pair):
    one, other, _ = pair
    body = bytes(range(256)) * 2000
    sender = threading.Thread(target=one.send, args=({"task": "run", "n": 1}, body))
    sender.start()
    assert other.receive() == ({"task": "run", "n": 1}, body)
    sender.join()


def test_time_is_limited(pair):
    one, other, _ = pair
    with pytest.raises(TimeoutError):
        other.receive(time.monotonic() + 0.05)
    with pytest.raises(TimeoutError):
        one.send({}, bytes(1 << 25), time.monotonic() + 0.1)
    with pytest.raises(TimeoutError):
        other.receive(time.monotonic() - 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x02\0\0\0",
        b"\xff\xff\xff\xff" + bytes(8),
        b"\x02\0\0\0" + b"\xff" * 8 + b"{}",
        b"\x02\0\0\0" + bytes(8) + b"[]",
        b"\x02\0\0\0" + bytes(8) + b"{]",
    ],
    ids=["nothing", "cut", "long header", "long body", "no object", "no document"],
)
def test_other_things_are_refused(pair, data):
    one, _, end = pair
    end.sendall(data)
    end.close()
    with pytest.raises(ChannelClosedError):
        one.receive(time.monotonic() + 5)


def test_closing_wakes_who_waits(pair):
    one, _, _ = pair
    found = []

    def wait():
        try:
            one.receive()
        except ChannelClosedError:
            found.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.1)
    one.close()
    thread.join(5)
    assert found == [True]
