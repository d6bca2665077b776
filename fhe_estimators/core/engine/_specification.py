"""What a client has to know of a program: key parameters, and shapes of ciphertexts.

It is the engine's own description of a program, a document that both sides hold. What is
not exactly of the form that this engine writes is not taken.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Iterator
from typing import Any

#: The name of the only circuit of a program.
CIRCUIT = "circuit"
#: Words of a ciphertext whose random part is a seed: the seed, and the body.
SEEDED_WORDS = 3
#: Bytes of the seed of a key.
_SEED = 16
#: Numbers of a tensor, and tensors, at most.
_MOST_NUMBERS, _MOST_GATES, _MOST_KEYS, _MOST_DIMENSION = 1 << 22, 16, 16, 1 << 17
_MOST_MODULUS = 1 << 16
#: Bits of security, and the line below which noise is too small for it: a key of `n` bits
#: needs ``log2(standard deviation) >= slope * n + intercept``.
SECURITY_BITS = 128
_SLOPE, _INTERCEPT = -0.0266, 2.98

_NATIVE: dict[str, Any] = {"modulus": {"native": {}}}
_WORD = {"integerPrecision": 64}


class Specification:
    """A program's parameters.

    Parameters
    ----------
    document : dict
        In the engine's form, less what is for another library.

    Raises
    ------
    ValueError
        If it has another form.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        try:
            _check(document)
        except (KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
            raise ValueError(
                f"not a specification of the engine: {type(error).__name__} {error}"
            ) from error

    @classmethod
    def of(cls, text: bytes) -> Specification:
        """Return the specification that is written in a text of the engine."""
        document = json.loads(text)
        document.pop("tfhers_specs", None)
        return cls(document)

    def to_bytes(self) -> bytes:
        """Return the document as text; the same for equal ones."""
        return _canonical(self._document)

    @property
    def keyset(self) -> dict[str, Any]:
        """What describes the keys."""
        found: dict[str, Any] = self._document["keyset"]
        return found

    @property
    def family(self) -> bytes:
        """A digest of what describes the keys: programs of one family share a key set."""
        return hashlib.sha256(_canonical(self.keyset)).digest()

    @property
    def has_evaluation_keys(self) -> bool:
        """Whether a server needs keys."""
        return any(self.keyset[name] for name in _KEYS if name != "lweSecretKeys")

    @property
    def secret_bytes(self) -> int:
        """Bytes of the secret keys."""
        sizes: list[int] = [key["params"]["lweDimension"] for key in self.keyset[_SECRET]]
        return 8 * sum(sizes)

    @property
    def evaluation_bytes(self) -> int | None:
        """Bytes of the evaluation keys; None for kinds that only making them tells.

        The random part of a key is a seed.
        """
        total = 0
        if self.keyset["packingKeyswitchKeys"]:
            return None
        for key in self.keyset["lweBootstrapKeys"]:
            params = key["params"]
            row = (params["glweDimension"] + 1) * params["polynomialSize"]
            total += 8 * params["inputLweDimension"] * params["levelCount"] * row + _SEED
        for key in self.keyset["lweKeyswitchKeys"]:
            params = key["params"]
            total += 8 * params["inputLweDimension"] * params["levelCount"] + _SEED
        return total

    @property
    def shapes(self) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        """Shapes of the integers of one row: of inputs, and of outputs."""
        return [*map(shape_of, self.inputs)], [*map(shape_of, self.outputs)]

    @property
    def row_bytes(self) -> int:
        """Bytes of an encrypted row."""
        return sum(map(payload_bytes, self.inputs))

    @property
    def result_bytes(self) -> int:
        """Bytes of the encrypted results of a row."""
        return sum(map(payload_bytes, self.outputs))

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """What describes the ciphertexts that are sent."""
        found: list[dict[str, Any]] = self._document["circuits"][0]["inputs"]
        return found

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """What describes the ciphertexts that come back."""
        found: list[dict[str, Any]] = self._document["circuits"][0]["outputs"]
        return found

    def shares_with(self, other: Specification) -> bool:
        """Tell whether keys, and what each integer is encrypted to, are the same."""

        def kinds(specification: Specification) -> list[tuple[Any, Any, Any]]:
            gates = (*specification.inputs, *specification.outputs)
            found = [gate["typeInfo"]["lweCiphertext"] for gate in gates]
            return [(k["encoding"], k["encryption"], k["compression"]) for k in found]

        return self.keyset == other.keyset and kinds(self) == kinds(other)

    @property
    def rows(self) -> int:
        """Rows of one call: the first axis of all tensors."""
        return shape_of(self.inputs[0])[0]

    def with_rows(self, rows: int) -> Specification:
        """Return the same for another number of rows of one call."""
        document = copy.deepcopy(self._document)
        for gate in (
            *document["circuits"][0]["inputs"],
            *document["circuits"][0]["outputs"],
        ):
            for sizes in (_sizes(gate, "abstractShape"), _sizes(gate, "concreteShape")):
                sizes[0] = rows
            gate["rawInfo"]["shape"]["dimensions"][0] = rows
        return type(self)(document)

    def with_width(self, width: int) -> Specification:
        """Return the same for a single input of another number of elements."""
        document = copy.deepcopy(self._document)
        (gate,) = document["circuits"][0]["inputs"]
        for sizes in (_sizes(gate, "abstractShape"), _sizes(gate, "concreteShape")):
            sizes[1] = width
        gate["rawInfo"]["shape"]["dimensions"][1] = width
        return type(self)(document)

    def bare(self, gate: dict[str, Any]) -> Specification:
        """Return the specification of secret keys and one kind of ciphertext only."""
        document = copy.deepcopy(self._document)
        for name in _KEYS:
            if name != _SECRET:
                document["keyset"][name] = []
        document["circuits"][0]["inputs"] = [copy.deepcopy(gate)]
        return type(self)(document)

    def weaknesses(self) -> list[str]:
        """Return what makes ciphertexts or keys less safe than 128 bits, if anything."""
        found = []
        for what, dimension, variance in self._noises():
            least = _SLOPE * dimension + _INTERCEPT
            deviation = math.log2(variance) / 2 if variance > 0 else -math.inf
            if not deviation >= least:
                found.append(
                    f"{what} of {dimension} bits has noise of 2**{deviation:.1f}; "
                    f"{SECURITY_BITS} bits of security take 2**{least:.1f}"
                )
        return found

    def _noises(self) -> Iterator[tuple[str, int, float]]:
        """Yield all that is encrypted: a name, the bits of the key, and the variance."""
        for gate in (*self.inputs, *self.outputs):
            encryption = gate["typeInfo"]["lweCiphertext"]["encryption"]
            yield "a ciphertext", encryption["lweDimension"], encryption["variance"]
        for key in self.keyset["lweBootstrapKeys"]:
            params = key["params"]
            size = params["glweDimension"] * params["polynomialSize"]
            yield "a bootstrap key", size, params["variance"]
        for key in self.keyset["lweKeyswitchKeys"]:
            params = key["params"]
            yield "a key-switching key", params["outputLweDimension"], params["variance"]
        for key in self.keyset["packingKeyswitchKeys"]:
            params = key["params"]
            size = params["glweDimension"] * params["polynomialSize"]
            yield "a packing key", size, params["variance"]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Specification):
            return NotImplemented
        return self._document == other._document

    __hash__ = None  # type: ignore[assignment]


def shape_of(gate: dict[str, Any]) -> tuple[int, ...]:
    """Return the shape of the integers in a tensor of ciphertexts."""
    return tuple(_sizes(gate, "abstractShape"))


def payload_bytes(gate: dict[str, Any]) -> int:
    """Return the bytes of a tensor of ciphertexts."""
    sizes: list[int] = gate["rawInfo"]["shape"]["dimensions"]
    return 8 * math.prod(sizes)


def _canonical(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _sizes(gate: dict[str, Any], name: str) -> list[int]:
    found: list[int] = gate["typeInfo"]["lweCiphertext"][name]["dimensions"]
    return found


_SECRET = "lweSecretKeys"
#: What keys of each kind are described by: numbers, and what is always the same.
_FIXED: dict[str, Any] = {**_WORD, "keyType": "binary"}
_LEVELS = ("levelCount", "baseLog")
_KEYS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    _SECRET: (("lweDimension",), _FIXED),
    "lweBootstrapKeys": (
        (*_LEVELS, "glweDimension", "polynomialSize", "inputLweDimension"),
        {**_FIXED, "modulus": _NATIVE},
    ),
    "lweKeyswitchKeys": (
        (*_LEVELS, "inputLweDimension", "outputLweDimension"),
        {**_FIXED, "modulus": _NATIVE},
    ),
    "packingKeyswitchKeys": (
        (
            *_LEVELS,
            "glweDimension",
            "polynomialSize",
            "inputLweDimension",
            "innerLweDimension",
        ),
        {**_FIXED, "modulus": _NATIVE},
    ),
}


def _check(document: dict[str, Any]) -> None:
    """Raise if a document has not the form that the engine writes."""
    _same(set(document), {"keyset", "circuits"}, "members")
    _same(set(document["keyset"]), set(_KEYS), "kinds of keys")
    secret = document["keyset"][_SECRET]
    dimensions = [key["params"]["lweDimension"] for key in secret]
    for kind, (numbers, fixed) in _KEYS.items():
        keys = document["keyset"][kind]
        _same(type(keys), list, f"the type of {kind}")
        if len(keys) > _MOST_KEYS:
            raise ValueError(f"{len(keys)} {kind}")
        for place, key in enumerate(keys):
            _check_key(kind, key, place, numbers, fixed, dimensions)
    if not secret:
        raise ValueError("no secret keys")
    (circuit,) = document["circuits"]
    _same(set(circuit), {"inputs", "outputs", "name"}, "members of the circuit")
    _same(circuit["name"], CIRCUIT, "the name of the circuit")
    for kind in ("inputs", "outputs"):
        gates = circuit[kind]
        if not isinstance(gates, list) or not 0 < len(gates) <= _MOST_GATES:
            raise ValueError(f"no list of {kind}, or a long one")
        for gate in gates:
            _check_gate(gate, dimensions)


def _check_key(
    kind: str,
    key: dict[str, Any],
    place: int,
    numbers: tuple[str, ...],
    fixed: dict[str, Any],
    dimensions: list[int],
) -> None:
    params = key["params"]
    if kind == _SECRET:
        _same(set(key), {"id", "params"}, "members of a secret key")
        _same(set(params), {*numbers, *fixed}, "parameters of a secret key")
    else:
        members = {"id", "inputId", "outputId", "params", "compression"}
        _same(set(key), members, f"members of {kind}")
        _same(set(params), {*numbers, *fixed, "variance"}, f"parameters of {kind}")
        _same(key["compression"], "seed", "the compression of a key")
        _same(params["inputLweDimension"], dimensions[_index(key["inputId"])], "dimension")
        output = dimensions[_index(key["outputId"])]
        if "outputLweDimension" in params:
            _same(params["outputLweDimension"], output, "dimension")
        else:
            size = params["glweDimension"] * params["polynomialSize"]
            _same(size, output, "dimension")
        _probability(params["variance"])
    _same(_index(key["id"]), place, "the number of a key")
    for name in numbers:
        _count(params[name], _MOST_DIMENSION)
    for name, value in fixed.items():
        _same(params[name], value, name)


def _check_gate(gate: dict[str, Any], dimensions: list[int]) -> None:
    _same(set(gate), {"rawInfo", "typeInfo"}, "members of a ciphertext")
    _same(set(gate["typeInfo"]), {"lweCiphertext"}, "the type of a ciphertext")
    kind = gate["typeInfo"]["lweCiphertext"]
    members = {"abstractShape", "concreteShape", "encryption", "compression", "encoding"}
    _same(set(kind), {*members, "integerPrecision"}, "members of a ciphertext")
    encryption = kind["encryption"]
    names = {"keyId", "variance", "lweDimension", "modulus"}
    _same(set(encryption), names, "members of an encryption")
    dimension = dimensions[_index(encryption["keyId"])]
    _same(encryption["lweDimension"], dimension, "dimension")
    _same(encryption["modulus"], _NATIVE, "modulus")
    _probability(encryption["variance"])
    words = {"seed": SEEDED_WORDS, "none": dimension + 1}[kind["compression"]]
    _same(set(kind["abstractShape"]), {"dimensions"}, "shape")
    sizes = kind["abstractShape"]["dimensions"]
    _same(type(sizes), list, "shape")
    for size in sizes:
        _count(size, _MOST_NUMBERS)
    _count(math.prod(sizes), _MOST_NUMBERS)
    encoding = kind["encoding"]["integer"]
    _same(set(kind["encoding"]), {"integer"}, "encoding")
    _same(set(encoding), {"width", "isSigned", "mode"}, "encoding")
    _count(encoding["width"], 63)
    _same(type(encoding["isSigned"]), bool, "encoding")
    concrete = {"dimensions": [*sizes, *_parts(encoding["mode"]), words]}
    _same(kind["concreteShape"], concrete, "shape")
    _same(gate["rawInfo"], {"shape": concrete, **_WORD, "isSigned": False}, "numbers")
    _same(kind["integerPrecision"], 64, "precision")


def _parts(mode: dict[str, Any]) -> list[int]:
    """Return an axis for the remainders that a wide integer is encrypted as, if it is."""
    if set(mode) != {"crt"}:
        _same(mode, {"native": {}}, "encoding")
        return []
    moduli = mode["crt"]["moduli"]
    _same(mode, {"crt": {"moduli": moduli}}, "encoding")
    _same(type(moduli), list, "moduli")
    _count(len(moduli), _MOST_GATES)
    for modulus in moduli:
        _count(modulus, _MOST_MODULUS)
    return [len(moduli)]


def _same(found: Any, expected: Any, what: str) -> None:
    if _text(found) != _text(expected):
        raise ValueError(f"{what}: {found!r:.80} instead of {expected!r:.80}")


def _text(value: Any) -> str | bytes:
    """Return a text that is the same for the same document: in Python True is 1."""
    if isinstance(value, set):
        return repr(sorted(value))
    return repr(value) if isinstance(value, type) else _canonical(value)


def _index(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _MOST_KEYS:
        raise ValueError(f"{value!r:.80} is no number of a key")
    return value


def _count(value: Any, most: int) -> None:
    if type(value) is not int or not 0 < value <= most:
        raise ValueError(f"{value!r:.80} is no number from 1 to {most}")


def _probability(value: Any) -> None:
    if type(value) is not float or not 0 <= value < 1:
        raise ValueError(f"{value!r:.80} is no variance")
