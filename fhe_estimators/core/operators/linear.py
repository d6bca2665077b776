"""Products with clear weights: sums of encrypted integers, no table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fhe_estimators.core.graph import Graph, Node
from fhe_estimators.core.integers import arithmetic
from fhe_estimators.core.integers.builder import IntegerBuilder, Step
from fhe_estimators.core.integers.layout import expand, rearrange, sum_over
from fhe_estimators.core.integers.tensors import ClearIntegers, Encrypted, same_but_along
from fhe_estimators.core.integers.weights import ROUNDING_VARIANCE, integer_weights
from fhe_estimators.core.operators._base import Operand, QuantizedOp, as_array, register
from fhe_estimators.core.operators._body import Writer

#: Errors of integers, at most: what errs so much tells nothing about any weight.
_MOST_ERROR = 2.0**200


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

    additive = True
    is_product = True
    units = (-1,)
    uses_integers = True

    @classmethod
    def noise_factor(cls, node: Node, graph: Graph) -> float:
        """Return the largest norm of the weights of an output."""
        squares = graph.constants[node.inputs[1]].astype(float) ** 2
        sums = squares.sum(axis=cls.summed_axes(squares.ndim))
        return float(np.sqrt(sums).max(initial=1.0))

    @classmethod
    def summed_axes(cls, rank: int) -> tuple[int, ...]:
        """Return the axes of the weights, of so many axes, that are summed over."""
        return (-2,)

    def product(
        self,
        x: Encrypted,
        weights: np.ndarray | ClearIntegers,
        bias: np.ndarray,
        builder: IntegerBuilder,
        real: np.ndarray | None = None,
    ) -> Encrypted:
        """Append ``x @ weights`` and return it with `bias` in its offset.

        Parameters
        ----------
        x : Encrypted of shape (1, ..., n_features)
            Its scale may differ along the last axis, and along the axes in front of the
            last but one where `weights` has these.
        weights : ndarray of float64 or ClearIntegers, of shape (..., n_features, n_outputs)
        bias : ndarray of float64, broadcast against (1, ..., n_outputs)
        builder : IntegerBuilder
        real : ndarray of shape (n_rows, ..., n_outputs), optional
            The result in real numbers; that of the node by default.
        """
        result = self.node.outputs[0]
        real = builder.real[result] if real is None else real
        values = np.asarray(as_array(weights), float)
        exact = x.offset @ values + bias
        # A group for each matrix of weights; what it is multiplied by are places.
        stack = x.shape[1:-2] if values.ndim > 2 else ()
        n_groups, (n_features, n_outputs) = int(np.prod(stack)), values.shape[-2:]

        def grouped(array: np.ndarray) -> np.ndarray:
            return array.reshape(len(array), n_groups, -1, array.shape[-1])

        def of_groups(array: np.ndarray) -> np.ndarray:
            shape = (*stack, n_features, n_outputs)
            if array.ndim > 2:
                array = np.broadcast_to(array.reshape(array.shape[-len(shape) :]), shape)
            return array.reshape(n_groups, n_features, n_outputs)

        integers, scale, shift = integer_weights(
            grouped(builder.samples[x.name]),
            grouped(real - exact),
            grouped(x.scale)[0, :, 0],
            grouped(x.is_constant)[0].all(axis=1),
            laid_out(weights, of_groups),
            builder.weights,
            builder.weight_bits(result),
            grouped(np.abs(real) + np.abs(exact)).max(axis=(0, 2)),
            self._step(builder, stack, n_outputs),
            self._noise(x, builder, grouped),
        )
        integers = integers.reshape(*stack, n_features, n_outputs)
        shape = (*stack, 1, n_outputs) if stack else (n_outputs,)
        scale, shift = scale.reshape(shape), shift.reshape(shape)
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
        used = scale * integers.any(axis=-2, keepdims=True)
        builder.steps[result] = Step(np.broadcast_to(used, low.shape), of_weights=True)
        return Encrypted(
            name,
            np.broadcast_to(scale, low.shape),
            np.broadcast_to(exact + shift, low.shape),
            low,
            high,
        )

    def _noise(
        self,
        x: Encrypted,
        builder: IntegerBuilder,
        grouped: Callable[[np.ndarray], np.ndarray],
    ) -> np.ndarray | float:
        """Return the variance of the errors of integers, of shape (n_groups, n_features).

        Where it is known what they stand for, and not less than that of rounding alone.
        """
        real = builder.real.get(self.node.inputs[0])
        q = builder.samples[x.name]
        if real is None or real.shape != q.shape:
            return ROUNDING_VARIANCE
        errors = (real - x.offset) / np.where(x.scale == 0, 1, x.scale) - q
        # Of numbers that are far beyond the range squares would overflow.
        errors = np.clip(errors, -_MOST_ERROR, _MOST_ERROR)
        of_rows, weights = grouped(errors), builder.weights
        mean = np.average(of_rows.mean(axis=2), axis=0, weights=weights)
        squares = (of_rows - mean[:, np.newaxis]) ** 2
        found: np.ndarray = np.average(squares.mean(axis=2), axis=0, weights=weights)
        return np.maximum(found, ROUNDING_VARIANCE)

    def _step(
        self, builder: IntegerBuilder, stack: tuple[int, ...], n_outputs: int
    ) -> Step | None:
        """Return the step, for each output, of what outputs are added to; None if unknown.

        With scales that divide each other, two tensors are added without a table.
        """
        step = builder.step_of(self.node.outputs[0])
        if step is None or step.scale.shape[-1] != n_outputs:
            return None
        if not same_but_along(step.scale, (-1,)):
            return None
        row = step.scale.reshape(-1, n_outputs)[:1]
        each = np.broadcast_to(row, (int(np.prod(stack)), n_outputs))
        return step._replace(scale=each)


def laid_out(
    clear: np.ndarray | ClearIntegers, layout: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray | ClearIntegers:
    """Return a clear tensor after its elements were moved or multiplied by a number."""
    return clear.laid_out(layout) if isinstance(clear, ClearIntegers) else layout(clear)


def _turned(array: np.ndarray) -> np.ndarray:
    return np.swapaxes(array, -1, -2)


@register("Gemm", since=7)
class Gemm(Linear):
    """``alpha * A' @ B' + beta * C``; a prime is a transposition that was asked for."""

    holds_products = True

    @staticmethod
    def f(a, b, c=None, *, alpha=1.0, beta=1.0, transA=0, transB=0):
        product = alpha * ((a.T if transA else a) @ (b.T if transB else b))
        return product if c is None else product + beta * c

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Multiply the encrypted ``A`` by the clear ``B``, and add ``C``."""
        a, b, c = (*operands, None)[:3]
        if not isinstance(a, Encrypted) or isinstance(b, Encrypted):
            raise self.unsupported("A must be encrypted and B clear")
        if self.attributes.get("transA"):
            raise self.unsupported("an encrypted A cannot be transposed: its rows are rows")
        assert b is not None
        alpha, beta = self.attributes.get("alpha", 1.0), self.attributes.get("beta", 1.0)
        turned = self.attributes.get("transB")
        weights = laid_out(b, lambda array: alpha * (array.T if turned else array))
        assert not isinstance(c, Encrypted)  # written out
        bias = beta * (np.zeros(1) if c is None else as_array(c))
        a = builder.materialize(a, self.node.inputs[0], units_along=(-1,))
        return self.product(a, weights, bias, builder)

    @staticmethod
    def body(write: Writer) -> str | None:
        """Add an encrypted ``C`` to the product."""
        c = write.input(2)
        if not c or write.is_clear(2):
            return None
        options = {**write.node.attributes}
        beta = options.pop("beta", 1.0)
        product = write("Gemm", write.input(0), write.input(1), **options)
        if beta != 1.0:
            c = write("Mul", c, write.constant(beta, np.float32))
        return write("Add", product, c)


@register("MatMul", since=1)
class MatMul(Linear):
    """``a @ b``."""

    integer = True

    @staticmethod
    def f(a, b):
        return a @ b

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Multiply an encrypted tensor by clear weights, on either side, or by another."""
        a, b = operands
        assert a is not None
        assert b is not None
        if isinstance(a, Encrypted) and isinstance(b, Encrypted):
            return self._both(a, b, builder)
        x, weights = (a, b) if isinstance(a, Encrypted) else (b, a)
        assert isinstance(x, Encrypted)
        assert not isinstance(weights, Encrypted)
        on_left, shape = x is a, np.shape(as_array(weights))
        if len(shape) == 1 and on_left:
            return self._by_vector(x, weights, builder)
        if len(x.shape) < (2 if on_left else 3) or len(shape) < 2:
            raise self.unsupported(
                f"an encrypted tensor of shape {x.shape} "
                f"{'times' if on_left else 'behind'} a clear one of shape {shape}: served "
                "are matrices and stacks of them, whose first axis holds rows"
            )
        # Rows, stacks, what is multiplied with what: scales may differ along the stacks
        # that have weights of their own, and along what is summed.
        rank, summed = len(x.shape), -1 if on_left else -2
        stacks = tuple(range(1, rank - 2)) if len(shape) > 2 else ()
        if len(shape) > 2 and (len(shape) > rank or (len(shape) == rank and shape[0] > 1)):
            raise self.unsupported("its weights differ along the axis of the rows")
        x = builder.materialize(
            x, self.node.inputs[not on_left], units_along=(*stacks, summed)
        )
        result = self.node.outputs[0]
        if len(shape) > 2:
            stack = np.broadcast_shapes(x.shape[:-2], shape[:-2])
            x = expand(builder, x, (*stack, *x.shape[-2:]), f"{result}.expanded")
        if on_left:
            return self.product(x, weights, np.zeros(1), builder)
        # (weights @ x)' == x' @ weights'
        order = [*range(rank - 2), rank - 1, rank - 2]
        turned = rearrange(builder, x, "Transpose", [], f"{result}.turned", perm=order)
        product = self.product(
            turned,
            laid_out(weights, _turned),
            np.zeros(1),
            builder,
            _turned(np.asarray(builder.real[result])),
        )
        return rearrange(builder, product, "Transpose", [], result, perm=order)

    def _by_vector(
        self, x: Encrypted, weights: np.ndarray | ClearIntegers, builder: IntegerBuilder
    ) -> Encrypted:
        """Multiply by one column, and drop its axis."""
        x = builder.materialize(x, self.node.inputs[0], units_along=(-1,))
        result = self.node.outputs[0]
        column = laid_out(weights, lambda array: array[:, np.newaxis])
        real = np.asarray(builder.real[result])[..., np.newaxis]
        product = self.product(x, column, np.zeros(1), builder, real)
        axes = np.array([len(product.shape) - 1])
        return rearrange(builder, product, "Squeeze", [axes], f"{result}.squeezed")

    def _both(self, a: Encrypted, b: Encrypted, builder: IntegerBuilder) -> Encrypted:
        """Multiply two encrypted tensors: two tables for each pair of numbers."""
        if len(a.shape) != len(b.shape) or len(a.shape) < 3:
            raise self.unsupported(
                f"two encrypted tensors of shapes {a.shape} and {b.shape}: served are "
                "matrices for each row"
            )
        result, rank = self.node.outputs[0], len(a.shape)
        n_bits = builder.bits.op_inputs + 1
        a, b = arithmetic.on_one_scale(builder, [a, b], self.node.inputs, n_bits)
        left = rearrange(builder, a, "Unsqueeze", [np.array([rank])], f"{result}.left")
        right = rearrange(
            builder, b, "Unsqueeze", [np.array([rank - 2])], f"{result}.right"
        )
        products = arithmetic.multiply(builder, left, right, f"{result}.products")
        return sum_over(builder, products, (rank - 1,), result)
