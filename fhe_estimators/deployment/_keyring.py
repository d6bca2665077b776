"""The keys of a client: made once for each family of models, kept in a folder."""

from __future__ import annotations

import hashlib
import logging
import os
import struct
from pathlib import Path
from typing import NoReturn

import numpy as np

from fhe_estimators.core.engine import Keys, Specification, generate_keys
from fhe_estimators.deployment import _seal
from fhe_estimators.deployment._private import check_private, private_folder, write_new
from fhe_estimators.deployment.errors import (
    DeploymentError,
    FormatError,
    KeyMismatchError,
    WeakParametersError,
)

logger = logging.getLogger(__name__)

_MAGIC, _FORMAT, _SEALED = b"FHEK", 1, 1
#: Magic, format, flags, family, key id; then the secret, and a digest of all.
_HEADER = struct.Struct("<4sHH32s32s")
_DIGEST_BYTES = 32
_WHAT = "The keys"


class Keyring:
    """Secret and evaluation keys of one family.

    Parameters
    ----------
    keys : Keys
    family : bytes of length 32
    key_id : bytes of length 32

    Attributes
    ----------
    keys, family, key_id
        As given.
    """

    def __init__(self, keys: Keys, family: bytes, key_id: bytes) -> None:
        self.keys, self.family, self.key_id = keys, family, key_id

    @classmethod
    def new(cls, specification: Specification) -> Keyring:
        """Return new keys.

        Raises
        ------
        WeakParametersError
            If the parameters are less safe than 128 bits.
        """
        check_strength(specification)
        keys = generate_keys(specification)
        logger.info("new keys of the family %s", specification.family.hex()[:8])
        return cls(keys, specification.family, _id(specification.family, keys.evaluation))

    @classmethod
    def kept(
        cls, specification: Specification, folder: str | Path, passphrase: str | None
    ) -> Keyring:
        """Return the keys of a family in a folder; they are made if there are none.

        Raises
        ------
        DeploymentError
            If others can read them, or they are not those of the passphrase.
        """
        check_strength(specification)
        folder = private_folder(folder, _WHAT)
        path = folder / f"{specification.family.hex()}.secret"
        if not path.exists():
            ring = cls.new(specification)
            evaluation = _evaluation_path(folder, ring.key_id)
            write_new(evaluation, ring.keys.evaluation)
            if write_new(path, ring._secret_file(passphrase)):
                return ring
            evaluation.unlink()  # Another process was faster.
        check_private(path, _WHAT)
        return cls._loaded(path, specification, passphrase)

    def _secret_file(self, passphrase: str | None) -> bytes:
        flags, secret = (0 if passphrase is None else _SEALED), self.keys.secret
        header = _HEADER.pack(_MAGIC, _FORMAT, flags, self.family, self.key_id)
        if passphrase is not None:
            secret = _seal.seal(secret, passphrase, header)
        return header + secret + hashlib.sha256(header + secret).digest()

    @classmethod
    def _loaded(
        cls, path: Path, specification: Specification, passphrase: str | None
    ) -> Keyring:
        content = path.read_bytes()
        body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
        if len(body) < _HEADER.size or hashlib.sha256(body).digest() != digest:
            raise FormatError(f"{path} was cut or changed.")
        header, secret = body[: _HEADER.size], body[_HEADER.size :]
        magic, form, flags, family, key_id = _HEADER.unpack(header)
        if (magic, form) != (_MAGIC, _FORMAT) or flags not in (0, _SEALED):
            raise FormatError(f"{path} is no file of keys of this version.")
        if family != specification.family:
            raise KeyMismatchError(f"{path} holds keys of another family of models.")
        if flags and passphrase is None:
            raise DeploymentError(f"{path} is sealed: give its passphrase.")
        if passphrase is not None:
            if not flags:
                raise DeploymentError(
                    f"{path} was written without a passphrase: give none, or use another "
                    "folder."
                )
            secret = _seal.unseal(secret, passphrase, header)
        if len(secret) != specification.secret_bytes or not _are_bits(secret):
            raise FormatError(f"{path} does not hold secret keys of these parameters.")
        evaluation = b""
        if specification.has_evaluation_keys:
            evaluation = _evaluation_path(path.parent, key_id).read_bytes()
            if _id(family, evaluation) != key_id:
                raise FormatError(f"The evaluation keys beside {path} were changed.")
        return cls(Keys(secret, evaluation), family, key_id)

    def __reduce__(self) -> NoReturn:
        raise TypeError("Secret keys are not pickled.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key_id.hex()[:8]})"


def check_strength(specification: Specification) -> None:
    """Raise `WeakParametersError` if parameters are less safe than 128 bits."""
    weaknesses = specification.weaknesses()
    if weaknesses:
        raise WeakParametersError(
            f"No key is made for weak parameters: {'; '.join(weaknesses)}. Do not use this "
            "bundle, and ask who made it."
        )


def key_id_of(family: bytes, evaluation: bytes) -> bytes:
    """Return the name of evaluation keys: a digest of them and of their family."""
    return hashlib.sha256(family + evaluation).digest()


def _id(family: bytes, evaluation: bytes) -> bytes:
    """Return the name of new keys: a random one if there is nothing that a server needs."""
    return key_id_of(family, evaluation) if evaluation else os.urandom(32)


def _evaluation_path(folder: Path, key_id: bytes) -> Path:
    return folder / f"{key_id.hex()}.evaluation"


def _are_bits(secret: bytes) -> bool:
    return bool((np.frombuffer(secret, "<u8") <= 1).all())
