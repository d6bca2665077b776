"""Messages: a payload, and around it what it belongs to."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from fhe_estimators.deployment._manifest import FORMAT, OLDEST_FORMAT
from fhe_estimators.deployment.errors import FormatError

_MAGIC = b"FHEM"
#: Magic, format, kind, flags, model, key, request, rows, bytes of the payload.
_HEADER = struct.Struct("<4sHBB32s32s16sIQ")
_DIGEST_BYTES = 32
#: Bytes of a message beside its payload.
OVERHEAD = _HEADER.size + _DIGEST_BYTES
REQUEST, ANSWER = 1, 2
_KINDS = {REQUEST: "a request", ANSWER: "an answer"}


@dataclass(frozen=True)
class Envelope:
    """A message.

    Parameters
    ----------
    kind : int
        `REQUEST` or `ANSWER`.
    model : bytes of length 32
        Digest of the model.
    key : bytes of length 32
        Which keys it is encrypted with.
    request : bytes of length 16
        A random number of the request, which its answer repeats.
    rows : int
    payload : bytes
    """

    kind: int
    model: bytes
    key: bytes
    request: bytes
    rows: int
    payload: bytes

    def to_bytes(self) -> bytes:
        """Return header, digest of all the rest, and payload."""
        header = _HEADER.pack(
            _MAGIC,
            FORMAT,
            self.kind,
            0,
            self.model,
            self.key,
            self.request,
            self.rows,
            len(self.payload),
        )
        return header + _digest(header, self.payload) + self.payload

    @classmethod
    def header_of(cls, request: bytes) -> Envelope:
        """Return a request that was made here, without its payload."""
        *_, model, key, number, rows, _ = _HEADER.unpack(request[: _HEADER.size])
        return cls(REQUEST, model, key, number, rows, b"")

    @classmethod
    def of(cls, message: bytes, kind: int) -> Envelope:
        """Return the envelope that a message is.

        Parameters
        ----------
        message : bytes
        kind : int
            What it has to be.

        Raises
        ------
        FormatError
            If it is cut, longer, changed, or of another kind or form.
        """
        if not isinstance(message, bytes | bytearray | memoryview):
            raise FormatError(
                f"A message must be bytes; got {type(message).__name__}. Pass on what "
                "encrypt, or the server's run, returned."
            )
        message = bytes(message)
        if len(message) < OVERHEAD:
            raise FormatError(
                f"A message has at least {OVERHEAD} bytes; got {len(message)}."
            )
        header = message[: _HEADER.size]
        sealed = message[_HEADER.size : OVERHEAD]
        magic, form, found, flags, model, key, request, rows, size = _HEADER.unpack(header)
        if magic != _MAGIC:
            raise FormatError("The bytes are no message of fhe-estimators.")
        if not OLDEST_FORMAT <= form <= FORMAT or flags:
            raise FormatError(
                f"The message has the format {form} and flags {flags}; this version of "
                f"fhe-estimators reads formats {OLDEST_FORMAT} to {FORMAT}, without flags."
            )
        if found != kind:
            was = _KINDS.get(found, f"of kind {found}")
            raise FormatError(f"The message is {was}; expected {_KINDS[kind]}.")
        payload = message[OVERHEAD:]
        if size != len(payload):
            raise FormatError(
                f"The message says that {size} bytes follow; it has {len(payload)}."
            )
        if _digest(header, payload) != sealed:
            raise FormatError("The message was changed: its digest is another one.")
        return cls(kind, model, key, request, rows, payload)


def _digest(header: bytes, payload: bytes) -> bytes:
    digest = hashlib.sha256(header)
    digest.update(payload)
    return digest.digest()
