"""The bytes around a payload, which are the same in every message of one kind.

The engine writes ciphertexts and keys as Cap'n Proto messages [1]_: a description, and
lists of bytes that hold the numbers. Only these lists are sent. Whoever receives them puts
them into the frame of a message of its own, so that the engine never reads a description
that somebody else wrote: it would believe whatever sizes that gives.

References
----------
.. [1] "Encoding Spec", Cap'n Proto, https://capnproto.org/encoding.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

_WORD = 8
#: Kinds of pointers, and sizes of elements of lists: bytes, pointers, structs.
_STRUCT, _LIST, _FAR = 0, 1, 2
_BYTES, _POINTERS, _STRUCTS = 2, 6, 7


@dataclass(frozen=True)
class Frame:
    """What surrounds the payload of a message.

    Parameters
    ----------
    literals : tuple of bytes
        In the order of the message, one more than there are holes.
    holes : tuple of int
        The bytes of each part of the payload, in the order in which pointers lead to them.
    order : tuple of int
        For each hole, in the order of the message, its number.
    """

    literals: tuple[bytes, ...]
    holes: tuple[int, ...]
    order: tuple[int, ...]

    @classmethod
    def of(cls, message: bytes) -> Frame:
        """Return the frame of a message that the engine made here.

        Parameters
        ----------
        message : bytes
            To be trusted: sizes in it are believed.
        """
        found = list(_Message(message).payload())
        order = sorted(range(len(found)), key=found.__getitem__)
        spans = [found[number] for number in order]
        starts = [0, *(start + size for start, size in spans)]
        stops = [*(start for start, _ in spans), len(message)]
        literals = tuple(
            message[start:stop] for start, stop in zip(starts, stops, strict=True)
        )
        return cls(literals, tuple(size for _, size in found), tuple(order))

    def to_document(self) -> dict[str, Any]:
        """Return the frame as a JSON document."""
        literals = [literal.hex() for literal in self.literals]
        return {"literals": literals, "holes": [*self.holes], "order": [*self.order]}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Frame:
        """Return the frame that `to_document` was called on, to be trusted."""
        literals = tuple(bytes.fromhex(literal) for literal in document["literals"])
        return cls(literals, tuple(document["holes"]), tuple(document["order"]))

    @property
    def payload_bytes(self) -> int:
        """Bytes of the payload."""
        return sum(self.holes)

    def payload(self, message: bytes) -> bytes:
        """Return the payload of a message.

        Raises
        ------
        ValueError
            If it has another frame.
        """
        parts, at = [b""] * len(self.holes), 0
        for literal, number in zip(self.literals, (*self.order, None), strict=True):
            if message[at : at + len(literal)] != literal:
                raise ValueError("The message has another frame.")
            at += len(literal)
            if number is not None:
                parts[number] = message[at : at + self.holes[number]]
                at += self.holes[number]
        if at != len(message):
            raise ValueError("The message is longer than its frame.")
        return b"".join(parts)

    def message(self, payload: bytes) -> bytes:
        """Return the message with a payload.

        Raises
        ------
        ValueError
            If the payload is shorter or longer.
        """
        if len(payload) != self.payload_bytes:
            raise ValueError(
                f"Expected a payload of {self.payload_bytes} bytes; got {len(payload)}."
            )
        stops, view = list(accumulate(self.holes, initial=0)), memoryview(payload)
        parts: list[bytes | memoryview] = [self.literals[0]]
        for number, literal in zip(self.order, self.literals[1:], strict=True):
            parts += [view[stops[number] : stops[number + 1]], literal]
        return b"".join(parts)


class _Message:
    """A message of which the pointers are followed."""

    def __init__(self, message: bytes) -> None:
        n_segments = 1 + int.from_bytes(message[:4], "little")
        sizes = np.frombuffer(message, "<u4", n_segments, 4).astype(int).tolist()
        first = (4 * (1 + n_segments) + _WORD - 1) // _WORD
        #: The first word of each segment.
        self._starts = [first, *accumulate(sizes, initial=first)][1:]
        self._words = np.frombuffer(message, "<u8", len(message) // _WORD)

    def payload(self) -> Iterator[tuple[int, int]]:
        """Yield place and size of the lists of bytes that are elements of lists.

        Others are texts.
        """
        yield from self._followed(self._starts[0], is_element=False)

    def _followed(self, place: int, *, is_element: bool) -> Iterator[tuple[int, int]]:
        pointer = int(self._words[place])
        if not pointer:
            return
        target = place + 1 + _signed(pointer >> 2, 30)
        if pointer & 3 == _FAR:
            pad = self._starts[pointer >> 32] + (pointer >> 3 & (1 << 29) - 1)
            if not pointer >> 2 & 1:
                yield from self._followed(pad, is_element=is_element)
                return
            far, pointer = int(self._words[pad]), int(self._words[pad + 1])
            target = self._starts[far >> 32] + (far >> 3 & (1 << 29) - 1)
        if pointer & 3 == _STRUCT:
            yield from self._struct(target, pointer)
        else:
            yield from self._list(target, pointer, is_element)

    def _struct(self, target: int, pointer: int) -> Iterator[tuple[int, int]]:
        n_data, n_pointers = pointer >> 32 & 0xFFFF, pointer >> 48
        for place in range(target + n_data, target + n_data + n_pointers):
            yield from self._followed(place, is_element=False)

    def _list(
        self, target: int, pointer: int, is_element: bool
    ) -> Iterator[tuple[int, int]]:
        kind, count = pointer >> 32 & 7, pointer >> 35
        if kind == _BYTES and is_element:
            yield target * _WORD, count
        elif kind == _POINTERS:
            for place in range(target, target + count):
                yield from self._followed(place, is_element=True)
        elif kind == _STRUCTS:
            tag = int(self._words[target])
            size = (tag >> 32 & 0xFFFF) + (tag >> 48)
            for number in range(tag >> 2 & (1 << 30) - 1):
                yield from self._struct(target + 1 + number * size, tag)


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value
