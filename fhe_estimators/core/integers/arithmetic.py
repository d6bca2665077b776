"""Several encrypted tensors at once: sums, largest elements, products, any function.

Sums need no table where the tensors have one scale. Everything else is built from sums and
tables: the engine looks up one integer at a time.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fhe_estimators.core.graph import bits_of_range
from fhe_estimators.core.integers.builder import IntegerBuilder
from fhe_estimators.core.integers.kept_bits import KeptBits
from fhe_estimators.core.integers.tensors import Encrypted, Grid

#: What a scale may differ from a multiple of another by, relatively.
_TOLERANCE = 1e-9


def width(x: Encrypted) -> int:
    """Return the bits of the integers of a tensor."""
    return bits_of_range(int(x.low.min()), int(x.high.max()))


def _uniform(array: np.ndarray) -> bool:
    return bool(np.all(array == array.flat[0]))


def multiply_by(
    builder: IntegerBuilder, x: Encrypted, factor: np.ndarray, result: str
) -> Encrypted:
    """Return the same real tensor, without a pending function, on a multiple of integers.

    Parameters
    ----------
    factor : ndarray of int64 of shape (1, ...)
        Not zero.
    """
    if np.all(factor == 1):
        return x
    ends = np.stack([x.low * factor, x.high * factor])
    low, high = ends.min(axis=0), ends.max(axis=0)
    if _uniform(factor):
        factor = factor.reshape(-1)[:1]
    constant = builder.constant(f"{result}.factor", factor)
    name = builder.emit("Mul", (x.name, constant), low, high, result=result)
    return Encrypted(name, x.scale / factor, x.offset, low, high)


def upright(builder: IntegerBuilder, x: Encrypted, name: str) -> Encrypted:
    """Return the tensor with positive scales; one with a pending function unchanged."""
    if x.function is not None or np.all(x.scale > 0):
        return x
    return multiply_by(builder, x, np.where(x.scale < 0, -1, 1), f"{name}.upright")


def comparable(
    builder: IntegerBuilder, x: Encrypted, name: str, units_along: tuple[int, ...]
) -> Encrypted:
    """Return a tensor whose elements are to be compared, with positive scales.

    Tables read all bits of differences. So accumulators are rounded first, as they would be
    in front of any other table, or if differences would be too wide.

    Parameters
    ----------
    builder : IntegerBuilder
    x : Encrypted
    name : str
        The float tensor that it stands for.
    units_along : tuple of int
        Axes along which scales may differ.
    """
    most = widest_compared(builder)
    if x.function is None or most >= builder.bits.op_inputs:
        x = builder.materialize(x, name, units_along=units_along)
    if x.function is not None or width(x) > most:
        grid = builder.calibrated([name], builder.compared_bits, units_along)
        x = builder.materialize(x, name, grid=grid)
    return upright(builder, x, name)


def widest_compared(builder: IntegerBuilder) -> int:
    """Return the bits up to which integers are compared as they are."""
    if builder.kept_bits == KeptBits():
        return builder.table_bits - 1
    return builder.compared_bits


def on_one_scale(
    builder: IntegerBuilder,
    tensors: Sequence[Encrypted],
    names: Sequence[str],
    n_bits: int | None = None,
) -> list[Encrypted]:
    """Return tensors without pending functions, all of one positive scale.

    Tensors that have one scale stay as they are. Else the widest one that is fine enough
    without a table keeps its scale, and the others get it: by a factor if they are coarser
    by a whole number, else by a table of their integers, which rounds by half a step at
    most. If none is fine enough all of them are rounded to one grid of ``op_inputs`` bits.

    Parameters
    ----------
    builder : IntegerBuilder
    tensors : sequence of Encrypted
    names : sequence of str
        The float tensors that they stand for.
    n_bits : int, optional
        A tensor of more bits does not keep its scale, and none is rounded to more. Any may
        keep it by default.
    """
    tensors = [
        # What a table gave already is narrower than what the table reads.
        x if x.function is None else builder.computed(x, name)
        for x, name in zip(tensors, names, strict=True)
    ]
    tensors = [upright(builder, x, n) for x, n in zip(tensors, names, strict=True)]
    multiples = _multiples(tensors, n_bits)
    if multiples is not None:
        unit, factors = multiples
        return [
            replace(
                multiply_by(builder, x, factor, f"{name}.multiple"),
                scale=np.broadcast_to(unit, x.shape),
            )
            for x, factor, name in zip(tensors, factors, names, strict=True)
        ]
    most = builder.bits.op_inputs
    joint = builder.calibrated(names, most if n_bits is None else min(n_bits, most))
    fine = [
        x
        for x in tensors
        if x.function is None
        and (n_bits is None or width(x) <= n_bits)
        and (_uniform(x.scale) or all(other.shape == x.shape for other in tensors))
        and np.all(x.scale <= float(joint.scale.max()) * (1 + _TOLERANCE))
    ]
    if not fine:
        whole = Grid(joint.scale.reshape(1), joint.offset.reshape(1), joint.low, joint.high)
        return [
            builder.materialize(x, name, grid=whole)
            for x, name in zip(tensors, names, strict=True)
        ]
    widest = max(fine, key=width)
    unit = widest.scale.reshape(-1)[:1] if _uniform(widest.scale) else widest.scale
    origin = widest.offset.reshape(-1)[0] if _uniform(widest.offset) else 0.0
    pairs = list(zip(tensors, names, strict=True))
    return [_onto(builder, x, name, unit, origin) for x, name in pairs]


def _multiples(
    tensors: Sequence[Encrypted], n_bits: int | None
) -> tuple[np.ndarray, list[np.ndarray]] | None:
    """Return the largest unit that all scales are multiples of, and by what factors.

    None if there is no such unit, or if a table is needed for another reason.
    """
    alike = all(_uniform(x.scale) or x.shape == tensors[0].shape for x in tensors)
    wide = n_bits is not None and any(width(x) > n_bits for x in tensors)
    if not alike or wide or any(x.function is not None for x in tensors):
        return None
    # The scale of nothing but zeros does not matter.
    nothing = [(x.low == 0) & (x.high == 0) for x in tensors]
    scales = [
        np.where(none, np.inf, x.scale) if np.any(none) else x.scale
        for x, none in zip(tensors, nothing, strict=True)
    ]
    scales = [scale.reshape(-1)[:1] if _uniform(scale) else scale for scale in scales]
    unit = functools.reduce(np.minimum, scales)
    unit = np.where(np.isinf(unit), 1.0, unit)
    if any(unit.size > 1 and unit.shape != x.shape for x in tensors):
        return None
    factors = []
    for x, scale in zip(tensors, scales, strict=True):
        ratio = np.where(np.isinf(scale), 1.0, scale / unit)
        factor = np.rint(ratio)
        if np.any(np.abs(ratio - factor) > _TOLERANCE * ratio):
            return None
        factors.append(np.broadcast_to(factor.astype(np.int64), x.shape))
    return unit, factors


def _onto(
    builder: IntegerBuilder, x: Encrypted, name: str, unit: np.ndarray, origin: float
) -> Encrypted:
    """Return the tensor with scale `unit` and an offset a multiple of it from `origin`."""
    if x.function is None:
        ratio = x.scale / unit
        whole = np.rint(ratio)
        if np.all(np.abs(ratio - whole) <= _TOLERANCE * ratio) and np.all(whole >= 1):
            scaled = multiply_by(builder, x, whole.astype(np.int64), f"{name}.multiple")
            return replace(scaled, scale=np.broadcast_to(unit, x.shape))
    own = builder.calibrated([name])
    # Its integers count from the smallest number, or from one in the middle.
    zero, step = float(own.offset.min()), float(own.scale.max())
    assert isinstance(own.low, int)
    assert isinstance(own.high, int)
    offset = origin + unit * np.floor((zero - origin) / unit)
    below, above = (math.ceil(step * n / float(unit.min())) for n in (-own.low, own.high))
    return builder.materialize(x, name, grid=Grid(unit, offset, -below, above + 1))


def add(builder: IntegerBuilder, a: Encrypted, b: Encrypted, result: str) -> Encrypted:
    """Return ``a + b`` of tensors of one scale, without pending functions."""
    low, high = a.low + b.low, a.high + b.high
    name = builder.emit("Add", (a.name, b.name), low, high, result=result)
    scale = np.broadcast_to(a.scale, low.shape)
    return Encrypted(name, scale, a.offset + b.offset, low, high)


def subtract(builder: IntegerBuilder, a: Encrypted, b: Encrypted, result: str) -> Encrypted:
    """Return ``a - b`` of tensors of one scale, without pending functions."""
    low, high = a.low - b.high, a.high - b.low
    name = builder.emit("Sub", (a.name, b.name), low, high, result=result)
    scale = np.broadcast_to(a.scale, low.shape)
    return Encrypted(name, scale, a.offset - b.offset, low, high)


def largest_of(
    builder: IntegerBuilder, a: Encrypted, b: Encrypted, result: str
) -> Encrypted:
    """Return the larger of two elements, as ``b + max(a - b, 0)``: one table.

    The tensors have one positive scale and no pending functions. Where their offsets are
    no multiple of it apart, the result is off by half a step at most.
    """
    shift = np.rint((a.offset - b.offset) / a.scale).astype(np.int64)
    difference = subtract(builder, a, b, f"{result}.difference")
    excess = builder.materialize(
        replace(
            difference,
            scale=np.ones(shift.shape),
            offset=shift.astype(float),
            whole=True,
        ).then(lambda real: np.maximum(real, 0)),
        f"{result}.excess",
        grid=Grid(np.ones(1), np.zeros(1)),
    )
    # Not more than the larger one, which the sum of two ranges does not tell.
    low, high = np.maximum(a.low + shift, b.low), np.maximum(a.high + shift, b.high)
    name = builder.emit("Add", (b.name, excess.name), low, high, result=result)
    shape = low.shape
    scale, offset = np.broadcast_to(b.scale, shape), np.broadcast_to(b.offset, shape)
    return Encrypted(name, scale, offset, low, high)


def smallest_of(
    builder: IntegerBuilder, a: Encrypted, b: Encrypted, result: str
) -> Encrypted:
    """Return the smaller of two elements, as ``-max(-a, -b)``; see `largest_of`."""
    opposite = largest_of(builder, _negative(builder, a), _negative(builder, b), result)
    return _negative(builder, opposite)


def _negative(builder: IntegerBuilder, x: Encrypted) -> Encrypted:
    """Return ``-x`` on the same scale."""
    turned = multiply_by(builder, x, np.full(x.shape, -1), f"{x.name}.negative")
    return replace(turned, scale=x.scale, offset=-x.offset)


def in_steps(x: Encrypted) -> Encrypted:
    """Return the tensor divided by its positive scale: an offset that is whole is exact."""
    shift = x.offset / x.scale
    whole = np.rint(shift)
    is_whole = np.abs(shift - whole) <= _TOLERANCE * (1 + np.abs(whole))
    shift = np.where(is_whole, whole, shift)
    return replace(x, scale=np.ones(x.shape), offset=np.broadcast_to(shift, x.shape))


def multiply(builder: IntegerBuilder, a: Encrypted, b: Encrypted, result: str) -> Encrypted:
    """Return ``a * b`` as ``(a + b)**2 / 4 - (a - b)**2 / 4``: two tables.

    The tensors have one scale and no pending functions. The two squares are rounded to
    ``op_inputs`` bits of the largest one that calibration gives: the error is one step of
    that, beside what the tensors themselves were rounded by.
    """
    halves = [
        function(builder, a, b, f"{result}.{name}")
        for function, name in ((add, "sum"), (subtract, "difference"))
    ]
    largest = max(
        float(np.max(np.square(x.scale * builder.samples[x.name] + x.offset))) / 4
        for x in halves
    )
    levels = 2**builder.bits.op_inputs - 1
    grid = Grid(np.full(1, largest / levels or 1.0), np.zeros(1), 0, levels)
    squares = [
        builder.materialize(x.then(_quarter_of_square), f"{x.name}.square", grid=grid)
        for x in halves
    ]
    return subtract(builder, squares[0], squares[1], result)


def _quarter_of_square(real: np.ndarray) -> np.ndarray:
    return np.asarray(np.square(real) / 4)


def joint(
    builder: IntegerBuilder,
    function: Callable[..., np.ndarray],
    operands: Sequence[Encrypted | np.ndarray],
    names: Sequence[str],
    result: str,
    n_bits: int | None = None,
) -> Encrypted:
    """Return any function of several tensors, element by element, as one table.

    Its index holds an integer of each tensor, as digits. A tensor whose integers have more
    than `n_bits` bits is rounded to ``op_inputs`` bits first.

    Parameters
    ----------
    builder : IntegerBuilder
    function : callable
        Of all operands.
    operands : sequence of Encrypted or ndarray
    names : sequence of str
        The float tensors that they stand for.
    result : str
    n_bits : int, optional
        ``op_inputs`` by default.

    Returns
    -------
    index : Encrypted
        With the function pending.
    """
    narrow = [
        _narrow(builder, x, name, n_bits) if isinstance(x, Encrypted) else x
        for x, name in zip(operands, names, strict=True)
    ]
    sources = list({x.name: x for x in narrow if isinstance(x, Encrypted)}.values())
    index: Encrypted | None = None
    digits: dict[str, tuple[int, int, int]] = {}
    place = 1
    for x in sources:
        lowest, size = int(x.low.min()), int(x.high.max() - x.low.min()) + 1
        digits[x.name] = lowest, place, size
        digit = replace(x, scale=np.ones(x.shape), offset=np.zeros(x.shape), function=None)
        factor = np.full(x.shape, place)
        digit = multiply_by(builder, digit, factor, f"{result}.digit")
        digit = replace(digit, scale=np.ones(x.shape))
        index = digit if index is None else add(builder, index, digit, f"{result}.index")
        place *= size
    assert index is not None
    total = sum(lowest * place for lowest, place, _ in digits.values())

    def decoded(real: np.ndarray) -> np.ndarray:
        number = np.rint(real) - total
        arguments: list[np.ndarray] = []
        for x in narrow:
            if not isinstance(x, Encrypted):
                arguments.append(x)
                continue
            lowest, place, size = digits[x.name]
            q = np.floor(number / place) % size + lowest
            arguments.append(x.real(q))
        return function(*arguments)

    zero = np.zeros(index.shape)
    return replace(index, offset=zero, function=decoded, whole=True)


def narrow_width(
    builder: IntegerBuilder, x: Encrypted, name: str, n_bits: int | None = None
) -> int:
    """Return the bits that a tensor takes in the index of a `joint` table."""
    limit = builder.bits.op_inputs if n_bits is None else n_bits
    if x.function is None and width(x) <= limit:
        return width(x)
    top = builder.calibrated([name]).high
    assert isinstance(top, int)
    after = max(1, top.bit_length())
    return min(after, width(x)) if width(x) <= limit else after


def _narrow(
    builder: IntegerBuilder, x: Encrypted, name: str, n_bits: int | None
) -> Encrypted:
    if narrow_width(builder, x, name, n_bits) == width(x):
        return x
    return builder.materialize(x, name, grid=builder.calibrated([name]))
