"""What a deployment is, and what each side learns: the same text for both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fhe_estimators.core.trees.encoders import BinEncoder
from fhe_estimators.core.validation import P_ERROR_OF_SHARED_RESULTS
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

if TYPE_CHECKING:
    from fhe_estimators.core.quantized_module import QuantizedModule

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


def check_may_be_shared(results_shared: bool, p_error: float) -> None:
    """Raise if clients would show others results that tell about their keys.

    Raises
    ------
    ValueError
        If `p_error` is too large for that.
    """
    if results_shared and p_error > P_ERROR_OF_SHARED_RESULTS:
        raise ValueError(
            f"The parameter results_shared=True needs p_error <= 2**-128; got "
            f"p_error={p_error:g}. Fit or compile the model with p_error=2**-128."
        )


def what_is_learned(
    module: QuantizedModule, *, has_preprocessing: bool, results_shared: bool
) -> dict[str, Any]:
    """Return what each side learns, in sentences.

    Parameters
    ----------
    module : QuantizedModule
        Compiled.
    has_preprocessing : bool
        Whether a pipeline begins with other steps.
    results_shared : bool
        Whether clients may show results to others.
    """
    tables = module.fhe_circuit.programmable_bootstrap_count
    # Thresholds are on the client's side.
    is_tree = any(isinstance(each, BinEncoder) for each in module.input_quantizers)
    client = ["The raw scores of its rows, and with them labels and probabilities."]
    if is_tree:
        client.append(
            "The bins of each feature that the model looks at, among whose edges its "
            "thresholds are, and the values that leaves, or their sums, can have."
        )
    else:
        client.append("The ranges of the features, and how many there are.")
    if has_preprocessing:
        client.append(
            "All that the steps of the pipeline before the model were fitted to: means, "
            "scales, categories, quantiles."
        )
    if tables:
        client.append(
            "Nothing more from encrypted results, as far as is known, but that is not "
            "proved; and whoever may ask often enough can imitate any model."
        )
    else:
        client.append(
            "All quantized weights of the model: it has no table, and one answer gives as "
            "many equations as there are weights. Give it only to clients that may have "
            "the model."
        )
    server = [
        "Which key asks, when, and for how many rows.",
        "Nothing about the features or the results: these are encrypted for a key that it "
        "does not have.",
    ]
    if not results_shared:
        server.append(
            "Possibly the client's key, if it is shown decrypted results: p_error does not "
            "allow that. Export with results_shared=True if clients show them to others."
        )
    return {"client": client, "server": server}
