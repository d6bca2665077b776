"""Integer weights: those of quantization-aware training, or fitted to rows."""

from __future__ import annotations

import numpy as np

from fhe_estimators.core.integers.builder import Step, WeightBits
from fhe_estimators.core.integers.tensors import ClearIntegers, same_but_along

#: Weights of more features are fitted where there are so many rows for each of them, and
#: rounded one by one otherwise. Fitted to fewer rows they learn the rounding errors of
#: these rows: with 2,000 rows the error on others grew by a third at 1,000 independent
#: features, and fourfold at 2,000.
_FEW_FEATURES, _ROWS_PER_FEATURE = 512, 4
#: Features whose rounding errors are passed on at once to the features behind them.
_BLOCK = 128
#: At most so many rows, or windows of rows, are fitted to.
MOST_ROWS = 5_000
#: The smallest eigenvalue of a system that is solved in double precision, relative to the
#: largest number in it.
_CONDITION = 1e-11
#: Rows for each feature that errors which are assumed count as much as (measured).
_ASSUMED = 0.3
#: What rounding of weights may make a range larger by.
_ROUNDED = 1.04
#: What ranges of integers differ by, at least, where weights become finer for it.
_APART = 8
#: Bits of sums up to which they do. (There are no parameters for some networks beyond 20.)
_WIDEST_SUM = 19
#: Variance of a number that was rounded to an integer.
ROUNDING_VARIANCE = 1 / 12


def integer_weights(
    q: np.ndarray,
    target: np.ndarray,
    units: np.ndarray,
    constant: np.ndarray,
    weights: np.ndarray | ClearIntegers,
    row_weights: np.ndarray,
    bits: WeightBits,
    magnitude: np.ndarray,
    step: Step | None = None,
    noise: np.ndarray | float = ROUNDING_VARIANCE,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose the integer weights of products of groups of features.

    Integers that quantization-aware training has chosen are used as they are, where one
    unit counts for all features of an output; others are fitted, see `fit_weights`.

    Parameters
    ----------
    q : ndarray of shape (n_rows, n_groups, n_places, n_features)
        Integers on calibration rows.
    target : ndarray of shape (n_rows, n_groups, n_places, n_outputs)
        What the products should be.
    units : ndarray of shape (n_groups, n_features)
        The scale of each feature.
    constant : ndarray of bool of shape (n_groups, n_features)
        Features of one integer: the shift of the result holds what they add, and fitted
        weights of theirs are zero.
    weights : ndarray or ClearIntegers, of shape (n_groups, n_features, n_outputs)
    row_weights : ndarray of shape (n_rows,)
    bits : WeightBits
    magnitude : ndarray of shape (n_groups, n_outputs)
        See `fit_weights`.
    step : Step, its scale of shape (n_groups, n_outputs), optional
        See `fit_weights`.
    noise : ndarray of shape (n_groups, n_features), optional
        See `fit_weights`.

    Returns
    -------
    integers : ndarray of int64 of shape (n_groups, n_features, n_outputs)
    scale, shift : ndarray of float64 of shape (n_groups, n_outputs)
    """
    if (
        isinstance(weights, ClearIntegers)
        and same_but_along(weights.unit, (0, 2))
        and same_but_along(units, (0,))
    ):
        scale = units[:, :1] * weights.unit[:, 0]
        return weights.integers, scale, np.zeros(scale.shape)
    values = weights.values if isinstance(weights, ClearIntegers) else weights
    _, n_groups, n_places, n_features = q.shape
    each = np.repeat(row_weights, n_places)
    chosen: slice | np.ndarray = slice(None)
    if len(each) > MOST_ROWS:
        chosen = np.random.default_rng(0).choice(len(each), MOST_ROWS, replace=False)
    real = np.where(constant, 0, units)[..., np.newaxis] * values
    least = np.zeros((n_groups, target.shape[-1]))
    finer = _finer(q, real, largest_weight(bits.number))
    limit = largest_weight(bits.number) * finer
    if bits.margin is not None:
        least = _units_of_one_range(real, target, limit, bits.margin)
        limit = largest_weight(bits.most) * finer
    noises = np.broadcast_to(noise, (n_groups, n_features))
    fits = [
        fit_weights(
            q[:, group].reshape(-1, n_features)[chosen].astype(float),
            target[:, group].reshape(len(each), -1)[chosen],
            real[group],
            each[chosen],
            limit[group],
            magnitude[group],
            None if step is None else step._replace(scale=step.scale[group]),
            least[group],
            noises[group],
        )
        for group in range(n_groups)
    ]
    integers, scale, shift = (np.stack(arrays) for arrays in zip(*fits, strict=True))
    return integers, scale, shift


def largest_weight(n_bits: int) -> int:
    """Return the largest magnitude of a weight of so many bits."""
    return max(1, (1 << n_bits - 1) - 1)


def _finer(q: np.ndarray, weights: np.ndarray, limit: int) -> np.ndarray:
    """Return how much larger weights of each output may be than their bits say.

    One unit counts for the weights of all features of an output. Where integers of some
    features have many more bits than those that matter most, as sums beside results of
    tables, that unit would leave nothing of their weights. With this factor what matters
    most, a weight times the range of its integers, has as many bits as if all integers had
    those of the widest, unless sums get too wide for the engine.

    Parameters
    ----------
    q : ndarray of shape (n_rows, n_groups, n_places, n_features)
    weights : ndarray of shape (n_groups, n_features, n_outputs)
    limit : int
        The largest weight that their bits allow.

    Returns
    -------
    finer : ndarray of int64 of shape (n_groups, n_outputs)
        1 if ranges are nearly alike.
    """
    spread = np.ptp(q, axis=(0, 2)).astype(float)[..., np.newaxis]
    most = (np.abs(weights) * spread).max(axis=1, initial=0.0)
    alike = np.abs(weights).max(axis=1, initial=0.0) * spread.max(axis=1, initial=0.0)
    factor = np.divide(alike, most, out=np.ones_like(most), where=most > 0)
    sums = limit * (np.abs(weights) * spread).sum(axis=1)
    room = 2.0**_WIDEST_SUM * np.abs(weights).max(axis=1, initial=0.0)
    room = np.divide(room, sums, out=np.ones_like(sums), where=sums > 0)
    return np.where(factor >= _APART, np.clip(room, 1, factor), 1).astype(np.int64)


def _units_of_one_range(
    weights: np.ndarray, target: np.ndarray, limit: np.ndarray, margin: float
) -> np.ndarray:
    """Return units of weights with which accumulators of all outputs have one range.

    One table reads them all, and removes as many bits of each. So that all outputs use all
    of its entries, their integers get the range that the widest has for weights up to
    `limit`, with a margin, which is rounded up to a power of two.

    Parameters
    ----------
    weights : ndarray of shape (n_groups, n_features, n_outputs)
    target : ndarray of shape (n_rows, n_groups, n_places, n_outputs)
    limit : ndarray of int of shape (n_groups, n_outputs)
    margin : float
        See `IntegerBuilder`.

    Returns
    -------
    units : ndarray of shape (n_groups, n_outputs)
    """
    unit = np.abs(weights).max(axis=1, initial=0.0) / limit
    spread = target.max(axis=(0, 2)) - target.min(axis=(0, 2))
    reach = spread * (1 + 2 * margin) * _ROUNDED
    widest = np.divide(reach, unit, out=np.ones_like(unit), where=unit > 0).max(initial=2)
    bits = np.ceil(np.log2(widest))
    return np.where(spread > 0, reach / 2**bits, unit)


def fit_weights(
    q: np.ndarray,
    target: np.ndarray,
    weights: np.ndarray,
    row_weights: np.ndarray,
    limit: int | np.ndarray,
    magnitude: float | np.ndarray = 0.0,
    step: Step | None = None,
    least: float | np.ndarray = 0.0,
    noise: float | np.ndarray = ROUNDING_VARIANCE,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose integer weights that reproduce a product as well as integers can.

    The integers ``q`` are rounded numbers, and rounding errors of correlated features
    can make up for each other. So the weights are not the original ones, ``v``, rounded;
    they minimize the error of the result on the calibration rows [1]_::

        sum_rows |target - t q V - shift|**2 + n |e (t V - v)|**2

    The second term is what errors of ``q``, of the variance ``e**2``, cost on average; it
    keeps the weights near the original ones along directions that the rows do not fix. Of
    `noise` beyond that of rounding a part of ``0.3 n_features / n`` counts. The minimum in
    real numbers is a linear system; it is rounded feature by feature, and each rounding
    error is passed on to the features that are not rounded yet ([2]_, [3]_). `shift` makes
    the mean of the result exact (bias correction, [4]_).

    Parameters
    ----------
    q : ndarray of float64 of shape (n_rows, n_features)
        Integers.
    target : ndarray of float64 of shape (n_rows, n_outputs)
    weights : ndarray of float64 of shape (n_features, n_outputs)
        The original weights ``v``.
    row_weights : ndarray of shape (n_rows,)
    limit : int or ndarray of int of shape (n_outputs,)
        Largest magnitude of an integer weight.
    magnitude : float or ndarray of shape (n_outputs,), default=0.0
        Size of each result with its offset. What is invisible beside it in double
        precision is not resolved.
    step : Step, its scale of shape (n_outputs,), optional
        That of a tensor that the result is added to: each scale has to divide it or to be
        a multiple of it, and is not below it if it is one `of_weights`.
    least : float or ndarray of shape (n_outputs,), default=0.0
        The unit of the weights of each output, at least.
    noise : float or ndarray of shape (n_features,), default=1/12
        Variance of the errors of each integer: of rounding alone, or of all that was
        rounded before.

    Returns
    -------
    integers : ndarray of int64 of shape (n_features, n_outputs), in ``[-limit, limit]``
    scale, shift : ndarray of float64 of shape (n_outputs,)

    References
    ----------
    .. [1] I. Hubara et al., "Accurate Post Training Quantization With Small Calibration
       Sets", ICML 2021.
    .. [2] E. Frantar, S. P. Singh, D. Alistarh, "Optimal Brain Compression", NeurIPS 2022.
    .. [3] E. Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative
       Pre-trained Transformers", ICLR 2023.
    .. [4] M. Nagel, M. van Baalen, T. Blankevoort, M. Welling, "Data-Free Quantization
       Through Weight Equalization and Bias Correction", ICCV 2019.
    """
    total = row_weights.sum()
    mean_q = row_weights @ q / total
    mean_target = row_weights @ target / total
    n_features = q.shape[1]
    inverse = None
    if n_features <= max(_FEW_FEATURES, len(q) // _ROWS_PER_FEATURE):
        centred = q - mean_q
        gram = (centred.T * row_weights) @ centred
        # Integers of many bits leave nothing of the second term in double precision: then
        # as much as the system needs to have a solution.
        diagonal = np.diag_indices(n_features)
        floor = _CONDITION * gram[diagonal].max(initial=0.0)
        # Rows show what errors of before do; the more of them, the less has to be assumed.
        assumed = min(1.0, _ASSUMED * n_features / total) * (noise - ROUNDING_VARIANCE)
        gram[diagonal] += np.maximum(total * (ROUNDING_VARIANCE + assumed), floor)
        inverse = np.linalg.inv(gram)
        inverse = (inverse + inverse.T) / 2
        residual = (target - mean_target) - centred @ weights
        weights = weights + inverse @ ((centred.T * row_weights) @ residual)
    unit = np.maximum(np.abs(weights).max(axis=0, initial=0.0) / limit, least)
    # What a weight makes of the largest integer has to be visible.
    reach = max(q.max(initial=1.0), -q.min(initial=-1.0))
    unit = np.maximum(unit, np.finfo(float).eps * magnitude / reach)
    # A column of zeros takes the unit 1.
    scale = np.where(unit > 0, unit, 1.0)
    if step is not None:
        other = np.where(step.scale, np.abs(step.scale), scale)
        scale = np.maximum(scale, other) if step.of_weights else scale
        divisor, multiple = np.floor(other / scale), np.ceil(scale / other)
        scale = np.where(divisor > 0, other / np.maximum(divisor, 1), other * multiple)
    exact = weights / scale
    integers = np.rint(exact) if inverse is None else _round_in_turn(exact, inverse, limit)
    shift = mean_target - mean_q @ (scale * integers)
    return integers.astype(np.int64), scale, shift


def _round_in_turn(
    exact: np.ndarray, inverse: np.ndarray, limit: int | np.ndarray
) -> np.ndarray:
    """Round row by row; pass each error on to the rows that follow.

    Row ``k`` of the upper Cholesky factor of the inverse Hessian says how the optimum of
    the rows behind ``k`` moves when row ``k`` is fixed. Features that matter most (small
    diagonal of the inverse) come first.
    """
    order = np.argsort(np.diag(inverse), kind="stable")
    factor = np.linalg.cholesky(inverse[np.ix_(order, order)]).T
    rest, integers = exact[order].copy(), np.empty_like(exact)
    for start in range(0, len(rest), _BLOCK):
        block, within = rest[start : start + _BLOCK], factor[start : start + _BLOCK]
        behind = start + len(block)
        errors = np.empty_like(block)
        for place, row in enumerate(block):
            rounded = np.clip(np.rint(row), -limit, limit)
            errors[place] = (row - rounded) / within[place, start + place]
            integers[order[start + place]] = rounded
            block[place:] -= np.outer(within[place, start + place : behind], errors[place])
        rest[behind:] -= within[:, behind:].T @ errors
    return integers
