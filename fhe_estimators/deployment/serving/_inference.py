"""Messages in the binary form of the Open Inference Protocol, for clients that speak it.

One input, ``request``, and one output, ``answer``, are tensors of bytes behind a document.
"""

from __future__ import annotations

import json
from typing import Any

from fhe_estimators.deployment._manifest import Manifest
from fhe_estimators.deployment.errors import FormatError

#: The header that tells how long the document is.
LENGTH = "Inference-Header-Content-Length"
#: Bytes of a document at most.
MOST_BYTES = 1 << 14
_KNOWN = {"id", "inputs", "outputs", "parameters"}


def read(body: bytes, length: str) -> tuple[bytes, str | None]:
    """Return the request in a body, and its ``id``.

    Parameters
    ----------
    body : bytes
    length : str
        Of the document before the tensor.

    Raises
    ------
    FormatError
        If it has another form.
    """
    if not (length.isascii() and length.isdigit() and len(length) < 6):
        raise FormatError(f"{LENGTH} is no number of bytes.")
    size = int(length)
    if size > min(MOST_BYTES, len(body)):
        raise FormatError(f"{LENGTH} is {size}; the body has {len(body)} bytes.")
    try:
        document = json.loads(body[:size])
        name = document.get("id")
        (tensor,) = document["inputs"]
        binary = tensor["parameters"]["binary_data_size"]
        found = (tensor["name"], tensor["datatype"], list(tensor["shape"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError("The document has not one binary input.") from error
    rest = body[size:]
    if binary != len(rest) or found != ("request", "UINT8", [1, len(rest)]):
        raise FormatError(
            f"The input is called request, of type UINT8 and shape [1, {len(rest)}]."
        )
    if not isinstance(name, str | None) or set(document) - _KNOWN:
        raise FormatError("The document has an 'id' or entries that are not known.")
    return rest, name


def write(answer: bytes, model: str, version: str, name: str | None) -> tuple[bytes, int]:
    """Return a body, and how long its document is."""
    document: dict[str, Any] = {
        "model_name": model,
        "model_version": version,
        "outputs": [
            {
                "name": "answer",
                "datatype": "UINT8",
                "shape": [1, len(answer)],
                "parameters": {"binary_data_size": len(answer)},
            }
        ],
    }
    if name is not None:
        document["id"] = name
    text = json.dumps(document).encode()
    return text + answer, len(text)


def metadata(name: str, manifest: Manifest, versions: list[str]) -> dict[str, Any]:
    """Return what the protocol tells of a model, and what this package adds."""
    tensor = {"datatype": "UINT8", "shape": [1, -1]}
    return {
        "name": name,
        "versions": versions,
        "platform": "fhe_estimators",
        "inputs": [{"name": "request", **tensor}],
        "outputs": [{"name": "answer", **tensor}],
        "parameters": {
            "digest": manifest.digest.hex(),
            "kind": manifest.kind,
            "family": manifest.family,
            "tables": manifest.tables,
            "row_bytes": manifest.row_bytes,
            "result_bytes": manifest.result_bytes,
            "key_bytes": manifest.key_bytes,
            "p_error": manifest.p_error,
            "security_bits": manifest.security_bits,
            "learns": {side: list(told) for side, told in manifest.learns.items()},
        },
    }
