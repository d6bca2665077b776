"""Products with clear weights: sums of encrypted integers, no table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fhe_estimators.operators._base import Operand, QuantizedOp, as_array, register
from fhe_estimators.operators._builder import IntegerBuilder
from fhe_estimators.operators._encrypted import (
    ClearIntegers,
    Encrypted,
    same_but_along,
)

#: Beyond so many features the weights are rounded one by one.
_MOST_FEATURES = 2048
#: Variance of a number that was rounded to an integer.
_ROUNDING_VARIANCE = 1 / 12


class Linear(QuantizedOp):
    """Family base: ``x @ weights + bias``, with `x` encrypted.

    With ``x_k = s_k q_k + o_k`` the real result is ``sum_k q_k v_kj + c_j``. The weights
    that count for the integers are ``v_kj = s_k w_kj``: they hold the unit of each
    feature, so one feature's large unit does not cost another its precision. They are
    rounded in units ``t_j = max_k |v_kj| / (2**(bits - 1) - 1)`` for each output; see
    `fit_weights` for how, and for the offset ``d_j``::

        y_j = t_j sum_k q_k V_kj + d_j

    The integer sum lies between ``sum_k min(V_kj low_k, V_kj high_k)`` and the like
    maximum, whatever the data.

    Integers that quantization-aware training has chosen are used as they are: with one
    scale ``s`` of the operand and a unit ``u_j`` of the weights for each output,
    ``t_j = s u_j``.
    """

    uses_integers = True

    def product(
        self,
        x: Encrypted,
        weights: np.ndarray | ClearIntegers,
        bias: np.ndarray,
        builder: IntegerBuilder,
    ) -> Encrypted:
        """Append ``x @ weights`` and return it with `bias` in its offset.

        Parameters
        ----------
        x : Encrypted of shape (1, ..., n_features)
        weights : ndarray of float64 or ClearIntegers, of shape (n_features, n_outputs)
        bias : ndarray of float64, broadcast against (1, ..., n_outputs)
        """
        result = self.node.outputs[0]
        units = x.scale.reshape(-1, x.shape[-1])
        if not np.array_equal(units, np.broadcast_to(units[:1], units.shape)):
            raise self.unsupported("its operand has different scales along other axes")
        values = np.asarray(as_array(weights))
        exact = x.offset @ values + bias
        if isinstance(weights, ClearIntegers) and _one_scale(x, weights):
            integers, shift = weights.integers, np.zeros(1)
            scale = units[0, 0] * weights.unit[0]
        else:
            q = builder.samples[x.name]
            target = builder.real[result] - exact
            rows = q.reshape(-1, q.shape[-1]).astype(float)
            integers, scale, shift = fit_weights(
                rows,
                target.reshape(len(rows), -1),
                units[0][:, np.newaxis] * values,
                np.repeat(builder.weights, len(rows) // len(builder.weights)),
                max(1, 2 ** (builder.bits.op_weights - 1) - 1),
                np.abs(builder.real[result]).max() + np.abs(exact).max(),
            )
        positive, negative = np.maximum(integers, 0), np.minimum(integers, 0)
        low = x.low @ positive + x.high @ negative
        high = x.high @ positive + x.low @ negative
        name = builder.emit(
            "MatMul",
            (x.name, builder.constant(f"{result}.weights", integers)),
            low,
            high,
            result=result,
        )
        return Encrypted(
            name,
            np.broadcast_to(scale, low.shape),
            np.broadcast_to(exact + shift, low.shape),
            low,
            high,
        )


def _laid_out(
    clear: np.ndarray | ClearIntegers, layout: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray | ClearIntegers:
    """Return a clear tensor after its elements were moved or multiplied by a number."""
    return clear.laid_out(layout) if isinstance(clear, ClearIntegers) else layout(clear)


def _one_scale(x: Encrypted, weights: ClearIntegers) -> bool:
    """Tell whether scales factor out of the sums over features."""
    return x.has_units_along(()) and same_but_along(weights.unit, (1,))


def fit_weights(
    q: np.ndarray,
    target: np.ndarray,
    weights: np.ndarray,
    row_weights: np.ndarray,
    limit: int,
    magnitude: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose integer weights that reproduce a product as well as integers can.

    The integers ``q`` are rounded numbers, and rounding errors of correlated features
    can make up for each other. So the weights are not the original ones, ``v``, rounded;
    they minimize the error of the result on the calibration rows [1]_::

        sum_rows |target - t q V - shift|**2 + n/12 |t V - v|**2

    The second term is what rounding errors of ``q`` cost on average; it keeps the weights
    near the original ones along directions that the rows do not fix. The minimum in real
    numbers is a linear system; it is rounded feature by feature, and each rounding error
    is passed on to the features that are not rounded yet ([2]_, [3]_). `shift` makes the
    mean of the result exact (bias correction, [4]_).

    Parameters
    ----------
    q : ndarray of float64 of shape (n_rows, n_features)
        Integers.
    target : ndarray of float64 of shape (n_rows, n_outputs)
    weights : ndarray of float64 of shape (n_features, n_outputs)
        The original weights ``v``.
    row_weights : ndarray of shape (n_rows,)
    limit : int
        Largest magnitude of an integer weight.
    magnitude : float, default=0.0
        Size of the result with its offset. What is invisible beside it in double
        precision is not resolved.

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
    centred = q - mean_q
    n_features = q.shape[1]
    inverse = None
    if n_features <= _MOST_FEATURES:
        gram = (centred.T * row_weights) @ centred
        gram[np.diag_indices(n_features)] += total * _ROUNDING_VARIANCE
        inverse = np.linalg.inv(gram)
        inverse = (inverse + inverse.T) / 2
        residual = (target - mean_target) - centred @ weights
        weights = weights + inverse @ ((centred.T * row_weights) @ residual)
    unit = np.abs(weights).max(axis=0, initial=0.0) / limit
    unit = np.maximum(unit, np.finfo(float).eps * magnitude)
    # A column of zeros takes the unit 1.
    scale = np.where(unit > 0, unit, 1.0)
    exact = weights / scale
    integers = np.rint(exact) if inverse is None else _round_in_turn(exact, inverse, limit)
    shift = mean_target - mean_q @ (scale * integers)
    return integers.astype(np.int64), scale, shift


def _round_in_turn(exact: np.ndarray, inverse: np.ndarray, limit: int) -> np.ndarray:
    """Round row by row; pass each error on to the rows that follow.

    Row ``k`` of the upper Cholesky factor of the inverse Hessian says how the optimum of
    the rows behind ``k`` moves when row ``k`` is fixed. Features that matter most (small
    diagonal of the inverse) come first.
    """
    order = np.argsort(np.diag(inverse), kind="stable")
    factor = np.linalg.cholesky(inverse[np.ix_(order, order)]).T
    rest, integers = exact[order].copy(), np.empty_like(exact)
    for place, row in enumerate(order):
        rounded = np.clip(np.rint(rest[place]), -limit, limit)
        integers[row] = rounded
        error = (rest[place] - rounded) / factor[place, place]
        rest[place:] -= np.outer(factor[place, place:], error)
    return integers


@register("Gemm", since=13)
class Gemm(Linear):
    """``alpha * A' @ B' + beta * C``; a prime is a transposition that was asked for."""

    def f(a, b, c=None, *, alpha=1.0, beta=1.0, transA=0, transB=0):
        product = alpha * ((a.T if transA else a) @ (b.T if transB else b))
        return product if c is None else product + beta * c

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Multiply the encrypted ``A`` by the clear ``B``."""
        a, b, c = (*operands, None)[:3]
        if not isinstance(a, Encrypted) or isinstance(b, Encrypted):
            raise self.unsupported("A must be encrypted and B clear")
        if isinstance(c, Encrypted):
            raise self.unsupported("C must be clear")
        if self.attributes.get("transA"):
            raise self.unsupported("an encrypted A cannot be transposed")
        assert b is not None
        alpha, beta = self.attributes.get("alpha", 1.0), self.attributes.get("beta", 1.0)
        turned = self.attributes.get("transB")
        weights = _laid_out(b, lambda array: alpha * (array.T if turned else array))
        bias = beta * (np.zeros(1) if c is None else as_array(c))
        a = builder.materialize(a, self.node.inputs[0], units_along=(-1,))
        return self.product(a, weights, bias, builder)


@register("MatMul", since=13)
class MatMul(Linear):
    """``a @ b``."""

    integer = True

    def f(a, b):
        return a @ b

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Multiply the encrypted ``a`` by a clear matrix ``b``."""
        a, b = operands
        if not isinstance(a, Encrypted) or b is None or isinstance(b, Encrypted):
            raise self.unsupported("the left side must be encrypted, the right a matrix")
        if as_array(b).ndim != 2:
            raise self.unsupported("the left side must be encrypted, the right a matrix")
        a = builder.materialize(a, self.node.inputs[0], units_along=(-1,))
        return self.product(a, b, np.zeros(1), builder)
