"""What recurrent layers share: a cell that is applied step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fhe_estimators.core.operators._base import QuantizedOp, lookup
from fhe_estimators.core.operators._body import Writer
from fhe_estimators.exceptions import UnsupportedOperatorError

#: Calls an operator: on arrays, or as a node that is written.
Apply = Callable[..., Any]
#: Functions of gates by name, in capital letters, with what they take by default.
_FUNCTIONS = {
    "AFFINE": None,
    "ELU": "Elu",
    "HARDSIGMOID": "HardSigmoid",
    "LEAKYRELU": "LeakyRelu",
    "RELU": "Relu",
    "SIGMOID": "Sigmoid",
    "SOFTPLUS": "Softplus",
    "SOFTSIGN": "Softsign",
    "TANH": "Tanh",
    "THRESHOLDEDRELU": "ThresholdedRelu",
}


class Recurrent(QuantizedOp):
    """Family base: a cell is applied to each step of a sequence, in one or both directions.

    The float meaning and the body are one and the same recipe, `cell`: on arrays it
    computes, in a graph it writes nodes.
    """

    encrypted = False
    holds_products = True
    #: How many matrices weights hold, and the functions of a direction by default.
    n_gates = 1
    functions: tuple[str, ...] = ("Tanh",)
    #: How many tensors a cell hands on to the next step.
    n_states = 1

    @classmethod
    def cell(
        cls,
        run: Run,
        x: Any,
        states: Sequence[Any],
        weights: Mapping[str, Any],
        act: Sequence[Callable[[Any], Any]],
    ) -> Sequence[Any]:
        """Return the states behind a step, of shape (n_rows, hidden size) each."""
        raise NotImplementedError

    def __call__(self, *arrays: Any) -> Any:
        """Return as many results as the node has."""
        return tuple(super().__call__(*arrays)[: len(self.node.outputs)])

    @classmethod
    def computed(
        cls, arrays: Sequence[Any], attributes: Mapping[str, Any]
    ) -> tuple[Any, ...]:
        """Return the results on arrays."""
        arrays = list(arrays)

        def apply(op: str, *inputs: Any, **options: Any) -> Any:
            return lookup(op, 21).f(*inputs, **options)

        run = Run(cls, apply, lambda *numbers: np.array(numbers, np.int64), np.asarray)
        x, weights = arrays[0], arrays[1:4]
        layout = attributes.get("layout", 0)
        steps, rows = (1, 0) if layout else (0, 1)
        lengths = arrays[4]
        if lengths is not None and (np.asarray(lengths) != x.shape[steps]).any():
            raise UnsupportedOperatorError(
                f"{cls.op_type}: sequences of different lengths are not supported."
            )
        n_rows = x.shape[rows]
        each = [np.take(x, step, steps) for step in range(x.shape[steps])]
        initial = [
            None if state is None else (np.moveaxis(state, 1, 0) if layout else state)
            for state in arrays[5 : 5 + cls.n_states]
        ]
        peepholes = arrays[7] if len(arrays) > 7 else None
        zeros = np.zeros((n_rows, weights[1].shape[-1]), x.dtype)
        outputs, last = run.directions(
            each, weights, initial, peepholes, zeros, attributes, weights[1].shape
        )
        y = np.stack([np.stack(step) for step in outputs])
        ends = [np.stack(state) for state in last]
        if layout:
            y = np.transpose(y, (2, 0, 1, 3))
            ends = [np.moveaxis(state, 0, 1) for state in ends]
        return (y, *ends)

    @classmethod
    def body(cls, write: Writer) -> Sequence[str]:
        """Write each step, from rows of one step to rows of the next."""
        if write.input(4):
            lengths = write.known(4)
            steps = write.shape(0)[write.attribute("layout", 0)]
            if lengths is None or (lengths != steps).any():
                raise write.unsupported(
                    "sequences of different lengths have no encrypted form"
                )
        run = Run(cls, write, write.integers, lambda a: write.constant(a, np.float32))
        layout = write.attribute("layout", 0)
        n_steps = write.shape(0)[1 if layout else 0]
        assert n_steps is not None
        x, shape = write.input(0), write.shape(2)
        each = [
            write("Gather", x, write.constant(step, np.int64), axis=1 if layout else 0)
            for step in range(n_steps)
        ]
        weights = [write.input(place) or None for place in (1, 2, 3)]
        initial: list[Any] = []
        for place in range(5, 5 + cls.n_states):
            # Rows of zeros, one for each row, are none.
            zeros = write.known(place)
            given = write.input(place) and (zeros is None or zeros.any())
            initial.append(write.input(place) if given else None)
            if given and layout:
                initial[-1] = write("Transpose", initial[-1], perm=[1, 0, 2])
        outputs, last = run.directions(
            each,
            weights,
            initial,
            write.input(7) or None,
            None,
            write.node.attributes,
            shape,
        )

        def stacked(parts: Sequence[str], perm: list[int]) -> str:
            axes = write.integers(1)
            joined = [write("Unsqueeze", part, axes) for part in parts]
            rows = joined[0] if len(joined) == 1 else write("Concat", *joined, axis=1)
            return write("Transpose", rows, perm=perm) if perm != [0, 1, 2] else rows

        # Rows stay in front for as long as possible.
        steps = [stacked(step, [0, 1, 2]) for step in outputs]
        axes = write.integers(1)
        parts = [write("Unsqueeze", step, axes) for step in steps]
        y = parts[0] if len(parts) == 1 else write("Concat", *parts, axis=1)
        if not layout:
            y = write("Transpose", y, perm=[1, 2, 0, 3])
        ends = [stacked(state, [0, 1, 2] if layout else [1, 0, 2]) for state in last]
        return (y, *ends)


class Run:
    """A recipe for recurrent cells, on arrays or in nodes."""

    def __init__(
        self, cls: type[Recurrent], apply: Apply, integers: Apply, constant: Apply
    ) -> None:
        self.cls, self.apply = cls, apply
        self.integers, self.constant = integers, constant

    def gemm(self, x: Any, weights: Any, bias: Any) -> Any:
        """Return ``x @ weights' + bias``."""
        return self.apply("Gemm", x, weights, *([] if bias is None else [bias]), transB=1)

    def add(self, *tensors: Any) -> Any:
        """Return the sum of tensors, those left out not counting."""
        first, *others = (tensor for tensor in tensors if tensor is not None)
        for other in others:
            first = self.apply("Add", first, other)
        return first

    def mul(self, a: Any, b: Any) -> Any:
        """Return the product of tensors."""
        return self.apply("Mul", a, b)

    def part(self, tensor: Any, direction: int, start: int, stop: int) -> Any:
        """Return rows, or elements, of the weights of a direction."""
        if tensor is None:
            return None
        whole = self.apply("Gather", tensor, self.constant_index(direction), axis=0)
        return self.apply("Slice", whole, self.integers(start), self.integers(stop))

    def constant_index(self, number: int) -> Any:
        """Return a number that is an index without an axis."""
        one = self.integers(number)
        return self.apply("Squeeze", one, self.integers(0))

    def directions(self, each, weights, initial, peepholes, zeros, attributes, shape):
        """Return the output of each step by direction, and the last states."""
        cls, (n_directions, _, size) = self.cls, shape
        if attributes.get("clip") is not None:
            raise UnsupportedOperatorError(
                f"{cls.op_type}: the attribute clip is not supported."
            )
        outputs: list[list[Any]] = [[] for _ in each]
        last: list[list[Any]] = [[] for _ in range(cls.n_states)]
        for direction in range(n_directions):
            backwards = direction or attributes.get("direction") == "reverse"
            order = list(range(len(each)))[:: -1 if backwards else 1]
            parts = self._weights(weights, peepholes, direction, size)
            parts["options"] = attributes
            act = self._functions(attributes, direction)
            states = [
                zeros
                if state is None
                else self.apply("Gather", state, self.constant_index(direction), axis=0)
                for state in initial
            ]
            for step in order:
                x, h = each[step], states[0]
                joined = None if h is None else self.apply("Concat", x, h, axis=1)
                parts["inputs"] = joined
                states = list(cls.cell(self, x, states, parts, act))
                outputs[step].append(states[0])
            for found, state in zip(last, states, strict=True):
                found.append(state)
        return outputs, last

    def _weights(self, weights, peepholes, direction, size):
        w, r, b = weights
        parts: dict[str, Any] = {}
        n = self.cls.n_gates
        for gate in range(n):
            rows = gate * size, (gate + 1) * size
            parts[f"W{gate}"] = self.part(w, direction, *rows)
            parts[f"R{gate}"] = self.part(r, direction, *rows)
            parts[f"Wb{gate}"] = self.part(b, direction, *rows)
            behind = (n + gate) * size, (n + gate + 1) * size
            parts[f"Rb{gate}"] = self.part(b, direction, *behind)
        for gate in range(3):
            rows = gate * size, (gate + 1) * size
            parts[f"P{gate}"] = self.part(peepholes, direction, *rows)
        return parts

    def _functions(self, attributes, direction):
        names = attributes.get("activations") or self.cls.functions * (direction + 1)
        count = len(self.cls.functions)
        names = names[direction * count : (direction + 1) * count]
        scales = [attributes.get(f"activation_{k}") or [] for k in ("alpha", "beta")]
        if any(scales) and len({name.upper() for name in names}) > 1:
            raise UnsupportedOperatorError(
                f"{self.cls.op_type}: activation_alpha and activation_beta are supported "
                "for one kind of activations only."
            )
        options = {
            name: values[0]
            for name, values in zip(("alpha", "beta"), scales, strict=True)
            if values
        }
        found = []
        for name in names:
            op = _FUNCTIONS.get(name.upper())
            if op is None:
                raise UnsupportedOperatorError(
                    f"{self.cls.op_type}: the activation {name!r} is not supported."
                )
            found.append(lambda x, op=op: self.apply(op, x, **options))
        return found

    def gate(self, weights, number, x, h):
        """Return what a gate is a function of: products of inputs and of a state."""
        bias = weights[f"Wb{number}"], weights[f"Rb{number}"]
        total = None if bias[0] is None else self.add(*bias)
        if h is None:
            return self.gemm(x, weights[f"W{number}"], total)
        # One product of both: two would have to be brought to one scale.
        both = weights[f"W{number}"], weights[f"R{number}"]
        matrix = self.apply("Concat", *both, axis=1)
        return self.gemm(weights["inputs"], matrix, total)


def attributes_of(names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes among the parameters of a float meaning."""
    inputs = ("x", "w", "r", "b", "p", "sequence_lens", "initial_h", "initial_c")
    return {k: v for k, v in names.items() if k not in inputs and v is not None}
