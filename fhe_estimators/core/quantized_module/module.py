"""QuantizedModule: the quantized counterpart of a float model, and its circuit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from threading import RLock
from typing import Any

import numpy as np

from fhe_estimators._config import check_fhe_mode
from fhe_estimators._warnings import warn
from fhe_estimators.core.circuit import (
    Circuit,
    LayerReport,
    check_affordable,
    check_integers,
)
from fhe_estimators.core.engine import ConcreteEngine, Integers, run_clear
from fhe_estimators.core.graph import INTEGER, Graph, as_tuple, check, show
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import supported
from fhe_estimators.core.quantized_module.ends import Dequantizer, Ends, Quantizer
from fhe_estimators.core.quantized_module.wrapping import (
    RowsBeyond,
    covered,
    warn_of_wrapping,
)
from fhe_estimators.core.trees.encoders import BinEncoder
from fhe_estimators.core.trees.runs import RunsEvaluator
from fhe_estimators.core.trees.search import TreeGraphs
from fhe_estimators.core.validation import check_p_error
from fhe_estimators.exceptions import ClippingWarning, NotCompiledError

#: What makes a network cheaper.
CHEAPER_NETWORK = (
    "Use fewer neurons or channels, smaller pictures, a smaller n_bits, or a network that "
    "was trained for it (NeuralNetClassifier, Brevitas)."
)
#: Numbers of the inputs that are computed in clear at a time.
_BLOCK = 2**16


class QuantizedModule:
    """An integer graph between quantizers, and what is computed in clear around it.

    Parameters
    ----------
    graph : Graph
        The integer graph.
    input_quantizers : sequence of Quantizer
        One for each input of `graph`: `UniformQuantizer`, or an encoder of bins.
    output_quantizers : sequence of Dequantizer
        One for each output of `graph`: `UniformQuantizer`, or a decoder of sums.
    clear_module : NumpyModule
        What follows in clear on the dequantized outputs; a graph without nodes if nothing
        does.
    prologue : NumpyModule, optional
        What the client computes in clear before it quantizes; nothing by default.
    alternatives : TreeGraphs, optional
        Gives `graph` and others whose recombined results are the same; the cheapest one is
        compiled.

    Attributes
    ----------
    graph
        As given.
    ends : Ends
        What the client does: all that is given beside the graph.
    """

    def __init__(
        self,
        graph: Graph,
        input_quantizers: Sequence[Quantizer],
        output_quantizers: Sequence[Dequantizer],
        clear_module: NumpyModule,
        *,
        prologue: NumpyModule | None = None,
        alternatives: TreeGraphs | None = None,
    ) -> None:
        self.graph = check(graph, INTEGER, supported(integer=True))
        self.ends = Ends(
            graph.inputs, input_quantizers, output_quantizers, clear_module, prologue
        )
        self.alternatives = alternatives
        # Integers of up to 52 bits are exact as floats, and BLAS is fast.
        self._exact_as_floats = max(self.bit_widths().values()) <= 52
        self._covered = covered(graph)
        self._circuit: Circuit | None = None
        self._evaluator: RunsEvaluator | None = None
        self._has_warned = False
        self._lock = RLock()

    @property
    def input_quantizers(self) -> tuple[Quantizer, ...]:
        """One for each input of the graph."""
        return self.ends.input_quantizers

    @property
    def output_quantizers(self) -> tuple[Dequantizer, ...]:
        """One for each output of the graph."""
        return self.ends.output_quantizers

    @property
    def clear_module(self) -> NumpyModule:
        """What follows in clear on the dequantized outputs."""
        return self.ends.clear_module

    @property
    def prologue(self) -> NumpyModule | None:
        """What the client computes in clear before it quantizes."""
        return self.ends.prologue

    # Numbers and integers ------------------------------------------------------------

    def quantize_input(self, *inputs: np.ndarray) -> np.ndarray | Integers:
        """Return the integers that the circuit takes.

        Parameters
        ----------
        *inputs : ndarray of float of shape (n_samples, ...)
            Finite numbers. Those outside of the calibrated range are clipped.

        Returns
        -------
        q_inputs : ndarray of int64 of shape (n_samples, ...), or a tuple of them
            Each in ``[-2**(n_bits-1), 2**(n_bits-1) - 1]``, C-contiguous. Of trees: the
            comparisons of each feature with its edges, 0 or 1, or the numbers of the bins,
            see `ThermometerEncoder` and `BinEncoder`.
        """
        arrays = self.ends.quantize(self.ends.prepare(inputs))
        return arrays[0] if len(arrays) == 1 else arrays

    def _warn_of_clipping(
        self, prepared: Sequence[np.ndarray], names: Sequence[str] | None, cure: str
    ) -> None:
        """Warn, once, if inputs lie beyond the ranges that they were calibrated on.

        They are taken as the ends of the ranges. Bins of trees lose nothing so, and where
        training has chosen the ranges clipping is part of what was trained.
        """
        if self._has_warned:
            return
        message = self.ends.beyond(prepared, names)
        if message is None:
            return
        self._has_warned = True
        warn(f"{message}. {cure}", ClippingWarning)

    def dequantize_output(self, *q_outputs: np.ndarray) -> np.ndarray | Integers:
        """Return the raw scores that results of the circuit stand for.

        Parameters
        ----------
        *q_outputs : ndarray of int of shape (n_samples, ...)

        Returns
        -------
        outputs : ndarray of float64 of shape (n_samples, ...), or a tuple of them
        """
        arrays = self.ends.dequantize(q_outputs)
        return arrays[0] if len(arrays) == 1 else arrays

    # Inference -----------------------------------------------------------------------

    def quantized_forward(
        self, *q_inputs: np.ndarray, fhe: str = "disable"
    ) -> np.ndarray | Integers:
        """Compute on integers.

        Parameters
        ----------
        *q_inputs : ndarray of int of shape (n_samples, ...)
        fhe : {'disable', 'simulate', 'execute'}, default='disable'

        Returns
        -------
        q_outputs : ndarray of int64 of shape (n_samples, ...), or a tuple of them

        Raises
        ------
        ValueError
            If something is no array of integers that `quantize_input` can return.
        """
        if check_fhe_mode(fhe) == "disable":
            outputs = run_clear(self.graph, check_integers(self.graph, q_inputs))
            return outputs[0] if len(outputs) == 1 else outputs
        if self._circuit is None:
            self.compile()
        circuit = self.fhe_circuit
        if fhe == "simulate":
            return circuit.simulate(*q_inputs)
        return circuit.encrypt_run_decrypt(*q_inputs)

    def scores(
        self,
        *inputs: np.ndarray,
        fhe: str = "disable",
        names: Sequence[str] | None = None,
        cure: str | None = None,
    ) -> Any:
        """Return the dequantized outputs of the integer graph: `forward` less its end.

        Parameters
        ----------
        *inputs : ndarray of float of shape (n_samples, ...)
        fhe : {'disable', 'simulate', 'execute'}, default='disable'
            As in `forward`.
        names : sequence of str, optional
            Of the features, in a warning; their numbers by default.
        cure : str, optional
            What to do about inputs beyond the calibrated ranges, in a warning. By default
            there is none.

        Returns
        -------
        scores : ndarray of float64 of shape (n_samples, ...), or a tuple of them

        Warns
        -----
        ClippingWarning
            Once, if a number lies more than a step beyond its range, and further out than
            those of calibration, and there is a `cure`.
        WrapAroundWarning
            In clear, if sums of a row lie beyond what tables cover.
        """
        check_fhe_mode(fhe)
        prepared = self.ends.prepare(inputs)
        if cure is not None:
            self._warn_of_clipping(prepared, names, cure)
        if fhe != "disable":
            q_outputs = self.quantized_forward(*self.ends.quantize(prepared), fhe=fhe)
            return self.dequantize_output(*as_tuple(q_outputs))
        if self.alternatives is not None:
            return self.dequantize_output(self._sum_of_tables()(prepared[0]))
        n_rows = len(prepared[0])
        # Some rows at a time, so that the steps in between stay in the cache.
        step = max(1, _BLOCK * n_rows // max(1, sum(map(np.size, prepared))))
        blocks, count = [], 0
        for start in range(0, max(1, n_rows), step):
            beyond = RowsBeyond(self._covered)
            rows = [array[start : start + step] for array in prepared]
            blocks.append(as_tuple(self._clear_scores(rows, beyond)))
            count += beyond.count
        if count:
            warn_of_wrapping(count, n_rows)
        outputs = tuple(np.concatenate(parts) for parts in zip(*blocks, strict=True))
        return outputs[0] if len(outputs) == 1 else outputs

    def _sum_of_tables(self) -> RunsEvaluator:
        """Return a fast evaluator of the integer graph of trees, in clear."""
        if self._evaluator is None:
            encoder = self.input_quantizers[0]
            assert isinstance(encoder, BinEncoder)
            self._evaluator = RunsEvaluator(self.graph, encoder)
        return self._evaluator

    def _clear_scores(
        self, prepared: Sequence[np.ndarray], beyond: RowsBeyond
    ) -> np.ndarray | Integers:
        dtype = np.float64 if self._exact_as_floats else np.int64
        pairs = zip(self.input_quantizers, prepared, strict=True)
        q_inputs = [quantizer.quant(array, dtype) for quantizer, array in pairs]
        observe = beyond if self._covered else None
        return self.dequantize_output(*run_clear(self.graph, q_inputs, observe))

    def forward(self, *inputs: np.ndarray, fhe: str = "disable") -> Any:
        """Quantize, compute, dequantize, and compute in clear what follows.

        Parameters
        ----------
        *inputs : ndarray of float of shape (n_samples, ...)
        fhe : {'disable', 'simulate', 'execute'}, default='disable'
            ``"execute"`` and ``"simulate"`` compile by themselves the first time.

        Returns
        -------
        outputs : ndarray of shape (n_samples, ...), or a tuple of them

        Warns
        -----
        ClippingWarning
            Once, if inputs lie beyond the calibrated ranges.
        """
        cure = "Calibrate on rows that cover the range."
        return self.clear_module(*as_tuple(self.scores(*inputs, fhe=fhe, cure=cure)))

    __call__ = forward

    # Circuit -------------------------------------------------------------------------

    def compile(
        self, *, p_error: float = 2**-64, configuration: Any = None, engine: Any = None
    ) -> Circuit:
        """Compile the integer graph, or an alternative to it, and return the circuit.

        The module stays what it is, and the circuit gives its results, for any input.

        Parameters
        ----------
        p_error : float, default=2**-64
            Probability that a table, or a decrypted result, is wrong.
        configuration : concrete.fhe.Configuration, optional
        engine : object, optional
            What compiles; see `fhe_estimators.core.engine`.

        Returns
        -------
        circuit : Circuit

        Raises
        ------
        CompilationError
            If there are no cryptographic parameters for integers that wide, or a row would
            take hours.

        Warns
        -----
        CostWarning
            If a row would take minutes.
        """
        with self._lock:
            p_error = check_p_error(p_error, "QuantizedModule.compile")
            engine = engine or ConcreteEngine(configuration)
            build = partial(Circuit, p_error=p_error, engine=engine)
            if self.alternatives is None:
                circuit = build(self.graph)
                cost = circuit.cost
                check_affordable(
                    cost.seconds,
                    f"The network takes {sum(cost.tables.values()):,} table look-ups",
                    CHEAPER_NETWORK,
                )
                self._circuit = circuit
            else:
                self._circuit = self.alternatives.cheapest(
                    lambda graph, recombination: build(graph, recombination=recombination),
                    engine.prices(p_error),
                )
            return self._circuit

    @property
    def is_compiled(self) -> bool:
        """Whether there is a circuit."""
        return self._circuit is not None

    @property
    def fhe_circuit(self) -> Circuit:
        """The circuit.

        Raises
        ------
        NotCompiledError
            Before `compile`.
        """
        if self._circuit is None:
            raise NotCompiledError("There is no circuit yet: call compile() first.")
        return self._circuit

    def bit_widths(self) -> dict[str, int]:
        """Return the bits of every integer tensor.

        Returns
        -------
        bits : dict of str to int
            By name, inputs of the graph included.
        """
        tensors = {**self.graph.values}
        tensors.update({value.name: value for value in self.graph.inputs})
        return {name: value.bits or 0 for name, value in tensors.items()}

    @property
    def layers(self) -> LayerReport:
        """What `graph` computes, node by node, with its bits; prints as a table.

        The circuit has `layers` of its own: of trees, those of the cheapest alternative.
        """
        return LayerReport.of(self.graph)

    def __str__(self) -> str:
        return show(self.graph)

    def __repr__(self) -> str:
        state = "compiled" if self.is_compiled else "not compiled"
        return f"QuantizedModule({len(self.graph.nodes)} integer nodes, {state})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_lock": None, "_evaluator": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = RLock()
