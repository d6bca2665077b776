"""Programs that read only some of the integers that a client encrypts.

The client encrypts all comparisons that trees on bins can make, so that it learns nothing
of the trees. The server drops those that its trees do not make before it does anything
with them: to unpack a compressed ciphertext takes as long as a hundredth of a table, and
most edges are not compared with.

Ciphertexts are moved as bytes. A tensor is serialized as a Cap'n Proto message [1]_ whose
payload holds the ciphertexts one after the other, all of the same size.

References
----------
.. [1] "Encoding Spec", Cap'n Proto, https://capnproto.org/encoding.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fhe_estimators.core.graph import Graph
from fhe_estimators.exceptions import CompilationError

#: Bytes in which the description of the payload ends.
_HEADER = 512


@dataclass(frozen=True, eq=False)
class Selection:
    """The elements of the one input, of shape (rows, width), that a program reads.

    Parameters
    ----------
    width : int
    indices : ndarray of int64 of shape (n_read,)
    """

    width: int
    indices: np.ndarray

    @classmethod
    def of(cls, graph: Graph) -> tuple[Selection | None, Graph]:
        """Return the selection that a graph begins with, if any, and the graph behind."""
        (source, *others), (first, *rest) = graph.inputs, graph.nodes
        gathers = first.op == "Gather" and first.inputs[0] == source.name
        elsewhere = any(source.name in node.inputs for node in rest)
        if others or not gathers or elsewhere or first.attributes.get("axis") != 1:
            return None, graph
        assert source.shape is not None
        if len(source.shape) != 2 or graph.constants[first.inputs[1]].ndim != 1:
            return None, graph
        assert source.shape[1] is not None
        selection = cls(source.shape[1], graph.constants[first.inputs[1]])
        if selection.costs_more:
            return None, graph
        inner = replace(graph, nodes=tuple(rest), inputs=(graph.value(first.outputs[0]),))
        return selection, inner

    @property
    def costs_more(self) -> bool:
        """Whether it takes longer than a program that reads all elements.

        All are encrypted, in parts of which the last one is filled up, and those that are
        read are unpacked, which takes as long for each. Of 100 elements 99 would be
        encrypted as two parts: 198.
        """
        size = len(self.indices)
        return size * (self.n_parts + 1) >= 2 * self.width

    def chosen(self, array: np.ndarray) -> np.ndarray:
        """Return the elements of an input that the graph reads."""
        return np.ascontiguousarray(array[:, self.indices])

    @property
    def n_parts(self) -> int:
        """How many arrays of the shape that the program takes hold all elements."""
        return -(-self.width // len(self.indices))

    def parts(self, array: np.ndarray) -> list[np.ndarray]:
        """Return all elements in arrays of the shape that the program takes."""
        size = len(self.indices)
        filled = np.pad(array, ((0, 0), (0, -self.width % size)))
        return [
            np.ascontiguousarray(filled[:, start : start + size])
            for start in range(0, self.width, size)
        ]

    def gathered(self, messages: Sequence[bytes], rows: int, payload_bytes: int) -> bytes:
        """Return the message that holds the ciphertexts that are read.

        Parameters
        ----------
        messages : sequence of bytes
            Serialized ciphertexts of `parts`.
        rows : int
        payload_bytes : int
            Of the ciphertexts of one part.
        """
        starts = [_payload(message, payload_bytes) for message in messages]
        shape = (rows, len(self.indices), -1)
        parts = [
            np.frombuffer(message, np.uint8, payload_bytes, start).reshape(shape)
            for message, start in zip(messages, starts, strict=True)
        ]
        read: bytes = np.concatenate(parts, axis=1)[:, self.indices].tobytes()
        frame, start = messages[0], starts[0]
        return frame[:start] + read + frame[start + payload_bytes :]


def _payload(message: bytes, size: int) -> int:
    """Return where the list of `size` bytes begins in a Cap'n Proto message.

    A pointer to a list of bytes is a word whose low half holds the tag 1 in two bits and
    then the distance in words, and whose high half holds the size code 2 in three bits and
    then the number of bytes.
    """
    words = np.frombuffer(message[: min(len(message), _HEADER) // 8 * 8], "<u4")
    low, high = words[::2].astype(np.int32), words[1::2]
    (found,) = np.nonzero((low & 3 == 1) & (high == (size << 3 | 2)))
    if len(found) != 1:
        raise CompilationError(
            "The engine serializes ciphertexts in a form that is not known here; use the "
            "version of concrete-python that this package requires."
        )
    return int(8 * (found[0] + 1 + (low[found[0]] >> 2)))
