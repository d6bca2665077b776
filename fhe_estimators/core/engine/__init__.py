"""Engines: they turn integer graphs into programs that compute on encrypted rows.

`ConcreteEngine` encrypts with TFHE. `ClearEngine` has the same interface and encrypts
nothing: it checks, tensor by tensor, that no integer leaves the range that the graph
declares for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fhe_estimators.core.engine._calibration import (
        MachinePrices,
        Work,
        cache_file,
        lookups,
        threads,
    )
    from fhe_estimators.core.engine._clear import ClearEngine, ClearProgram
    from fhe_estimators.core.engine._concrete import ConcreteEngine, ConcreteProgram
    from fhe_estimators.core.engine._folders import remove_with
    from fhe_estimators.core.engine._frames import Frame
    from fhe_estimators.core.engine._machine import Machine, engine_version
    from fhe_estimators.core.engine._native import (
        Cipher,
        Evaluator,
        Keys,
        generate_keys,
        keys_frame,
    )
    from fhe_estimators.core.engine._part import JointPart, Part, dumped
    from fhe_estimators.core.engine._prices import Prices
    from fhe_estimators.core.engine._program import (
        Engine,
        Facts,
        Integers,
        Program,
        run_clear,
    )
    from fhe_estimators.core.engine._selection import Selection
    from fhe_estimators.core.engine._signals import interruptible
    from fhe_estimators.core.engine._specification import SECURITY_BITS, Specification

#: Where names are: a process that only computes imports neither operators nor the compiler.
_MODULES = {
    "SECURITY_BITS": "_specification",
    "MachinePrices": "_calibration",
    "Cipher": "_native",
    "ClearEngine": "_clear",
    "ClearProgram": "_clear",
    "ConcreteEngine": "_concrete",
    "ConcreteProgram": "_concrete",
    "Engine": "_program",
    "Evaluator": "_native",
    "Facts": "_program",
    "Frame": "_frames",
    "Integers": "_program",
    "JointPart": "_part",
    "Keys": "_native",
    "Machine": "_machine",
    "Part": "_part",
    "Prices": "_prices",
    "Program": "_program",
    "Selection": "_selection",
    "Specification": "_specification",
    "Work": "_calibration",
    "cache_file": "_calibration",
    "dumped": "_part",
    "engine_version": "_machine",
    "generate_keys": "_native",
    "interruptible": "_signals",
    "keys_frame": "_native",
    "lookups": "_calibration",
    "remove_with": "_folders",
    "run_clear": "_program",
    "threads": "_calibration",
}

__all__ = [
    "SECURITY_BITS",
    "Cipher",
    "ClearEngine",
    "ClearProgram",
    "ConcreteEngine",
    "ConcreteProgram",
    "Engine",
    "Evaluator",
    "Facts",
    "Frame",
    "Integers",
    "JointPart",
    "Keys",
    "Machine",
    "MachinePrices",
    "Part",
    "Prices",
    "Program",
    "Selection",
    "Specification",
    "Work",
    "cache_file",
    "dumped",
    "engine_version",
    "generate_keys",
    "interruptible",
    "keys_frame",
    "lookups",
    "remove_with",
    "run_clear",
    "threads",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
