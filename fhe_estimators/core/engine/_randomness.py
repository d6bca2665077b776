"""What the engine draws the seeds of keys and ciphertexts from."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

from fhe_estimators.exceptions import InsecureRandomnessError

#: What the engine's source of seeds returns when it holds it for secure.
_SECURE = 1
_SEED_BYTES = 16


def check_randomness(native: Any) -> None:
    """Raise where the engine would only print a warning, and go on.

    Its seeds come from the processor (RDSEED). Without that it reads ``/dev/random`` and
    says on the standard error that the seed is not cryptographically secure. What is drawn
    here is not used.

    Parameters
    ----------
    native : module
        The compiled part of the engine.

    Raises
    ------
    InsecureRandomnessError
    """
    status = _source(native)(ctypes.create_string_buffer(_SEED_BYTES))
    if status != _SECURE:
        raise InsecureRandomnessError(
            "The engine has no source of random seeds here that it holds for "
            "cryptographically secure: this processor, or virtual machine, has no RDSEED. "
            "No keys are made; make them on a machine that has it."
        )


def _source(native: Any) -> Callable[[Any], int]:
    """Return the engine's source of seeds."""
    package = native.Keyset.__module__.rpartition(".")[0]
    library = ctypes.CDLL(sys.modules[package].__file__)
    source: Callable[[Any], int] = library.concrete_cpu_crypto_secure_random_128
    return source
