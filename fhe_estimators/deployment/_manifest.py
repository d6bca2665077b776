"""What a deployment is, and what each side learns: the same text for both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fhe_estimators.deployment import _json
from fhe_estimators.deployment._kinds import (
    Arrays,
    Flag,
    Integer,
    Named,
    Real,
    Record,
    Several,
    Text,
)
from fhe_estimators.deployment.errors import FormatError

#: The number of the form of bundles and messages that is written, and the least that is
#: read.
FORMAT, OLDEST_FORMAT = 1, 1
ROLES = ("client", "server")


@dataclass(frozen=True)
class Manifest:
    """Facts of a deployment.

    Parameters
    ----------
    format : int
    role : {'client', 'server'}
        Whose bundle it is in.
    name : str
    kind : str
        The class of the model.
    versions : dict of str to str
        Of the packages that it was made with.
    p_error : float
        Probability that a table, or a decrypted result, is wrong.
    security_bits : int
    results_shared : bool
        Whether clients may show results to others.
    tables : int
        Look-ups for one row.
    row_bytes, result_bytes, key_bytes : int
        Of an encrypted row, of its results, of evaluation keys.
    family : str
        Digest of the description of keys.
    learns : dict of str to sequence of str
        What each side learns, in sentences.
    parts : dict of str to str
        SHA-256 of all files of both bundles.
    """

    format: int
    role: str
    name: str
    kind: str
    versions: Mapping[str, str]
    p_error: float
    security_bits: int
    results_shared: bool
    tables: int
    row_bytes: int
    result_bytes: int
    key_bytes: int
    family: str
    learns: Mapping[str, Sequence[str]]
    parts: Mapping[str, str]

    @property
    def digest(self) -> bytes:
        """What tells models apart: the same for client and server."""
        return hashlib.sha256(replace(self, role="")._text()).digest()

    def for_role(self, role: str) -> Manifest:
        """Return the manifest of the bundle of a role.

        Parameters
        ----------
        role : {'client', 'server'}

        Returns
        -------
        manifest : Manifest
        """
        return replace(self, role=role)

    def _text(self) -> bytes:
        return _json.dumps(_MANIFEST.write(self, []))

    def write(self) -> bytes:
        """Return the manifest as a document.

        Returns
        -------
        text : bytes
        """
        return self._text()

    @classmethod
    def read(cls, text: bytes) -> Manifest:
        """Return the manifest that was written.

        Parameters
        ----------
        text : bytes

        Returns
        -------
        manifest : Manifest

        Raises
        ------
        FormatError
            If it is something else, or of a form that is too old or too new.
        """
        document = _json.loads(text, "manifest.json")
        found = document.get("format") if type(document) is dict else None
        if type(found) is not int or not OLDEST_FORMAT <= found <= FORMAT:
            raise FormatError(
                f"manifest.json has the format {found!r:.80}; this version of "
                f"fhe-estimators reads {OLDEST_FORMAT} to {FORMAT}. Export the model with "
                "a version that writes one of these, or install the version that wrote it."
            )
        manifest: Manifest = _MANIFEST.read(document, Arrays([]), "manifest.json")
        return manifest


def digest_of(part: bytes) -> str:
    """Return the digest of a file of a bundle."""
    return hashlib.sha256(part).hexdigest()


_MANIFEST = Record(
    Manifest,
    {
        "format": Integer(OLDEST_FORMAT, FORMAT),
        "role": Text(ROLES),
        "name": Text(),
        "kind": Text(),
        "versions": Named(Text()),
        "p_error": Real(),
        "security_bits": Integer(),
        "results_shared": Flag(),
        "tables": Integer(),
        "row_bytes": Integer(),
        "result_bytes": Integer(),
        "key_bytes": Integer(),
        "family": Text(),
        "learns": Named(Several(Text(), 100), ROLES),
        "parts": Named(Text()),
    },
)
