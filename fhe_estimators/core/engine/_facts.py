"""What a compiled program of concrete-python costs."""

from __future__ import annotations

from typing import Any

from fhe_estimators.core.engine._program import Facts


def facts_of(compiled: Any) -> Facts:
    """Return the operations, bootstraps and bytes of a compiled program.

    The random part of compressed keys is a seed: of a bootstrap key for secret keys of `n`
    bits and ``k`` polynomials of size `N`, ``n * level * (k + 1) * N`` numbers are left, of
    a key-switching key one in ``n + 1``.
    """
    numbers, dimension = 0, 0
    for key in compiled.programmable_bootstrap_count_per_parameter:
        size = key.level() * (key.glwe_dimension() + 1) * key.polynomial_size()
        numbers += key.input_lwe_dimension() * size
        dimension = max(dimension, key.input_lwe_dimension())
    return Facts(
        compiled.complexity,
        compiled.programmable_bootstrap_count,
        compiled.size_of_inputs,
        compiled.size_of_outputs,
        8 * numbers + compiled.size_of_keyswitch_keys // (dimension + 1),
    )
