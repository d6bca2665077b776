"""Secrets under a passphrase: a key from scrypt, then AES-GCM."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fhe_estimators.deployment.errors import DeploymentError, KeyMismatchError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SALT_BYTES, NONCE_BYTES = 16, 12
#: Work and memory of scrypt: 64 MB, a quarter of a second.
_N, _R, _P = 1 << 16, 8, 1


def seal(secret: bytes, passphrase: str, context: bytes) -> bytes:
    """Return salt, nonce and a ciphertext that is bound to a context."""
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    sealed = _cipher(passphrase, salt).encrypt(nonce, secret, context)
    return salt + nonce + sealed


def unseal(sealed: bytes, passphrase: str, context: bytes) -> bytes:
    """Return what was sealed; `KeyMismatchError` for another passphrase or context."""
    from cryptography.exceptions import InvalidTag

    salt, rest = sealed[:SALT_BYTES], sealed[SALT_BYTES:]
    nonce, ciphertext = rest[:NONCE_BYTES], rest[NONCE_BYTES:]
    try:
        return _cipher(passphrase, salt).decrypt(nonce, ciphertext, context)
    except (InvalidTag, ValueError) as error:
        raise KeyMismatchError(
            "The secret keys cannot be read: the passphrase is another one, or the file "
            "was changed."
        ) from error


def _cipher(passphrase: str, salt: bytes) -> AESGCM:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    except ModuleNotFoundError as error:
        raise DeploymentError(
            "A passphrase needs the package cryptography: "
            "pip install 'fhe-estimators[deploy]'"
        ) from error
    return AESGCM(Scrypt(salt, 32, _N, _R, _P).derive(passphrase.encode()))
