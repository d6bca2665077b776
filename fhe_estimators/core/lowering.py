"""The page: from a trained model to a circuit, in five stages.

========== ================================================================ ===============
stage      what it gives                                                    where
========== ================================================================ ===============
read       the float graph of an ONNX model                                 `numpy_module`
divide     what the client computes before, what is encrypted, what follows `rewrite`,
                                                                            `trees`
calibrate  rows and ranges of what is encrypted                             `quantization`
quantize   an integer graph between quantizers: a `QuantizedModule`         `quantization`,
                                                                            `trees`
compile    a circuit                                                        `circuit`
========== ================================================================ ===============

`to_quantized_module` runs the first four, `stages` all of them one by one. What each gives
is logged, at level DEBUG.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fhe_estimators.core.circuit import HOPELESS, Circuit, check_affordable
from fhe_estimators.core.engine import ConcreteEngine, Prices
from fhe_estimators.core.graph import ENCRYPTED, Graph, check, known_without, show
from fhe_estimators.core.integers import BitWidths, KeptBits
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import kinds_of, supported
from fhe_estimators.core.quantization import (
    CALIBRATIONS,
    InputRange,
    PostTraining,
    check_finite_rows,
    image,
    one_row,
    ranges_by_outputs,
)
from fhe_estimators.core.quantized_module import (
    CHEAPER_NETWORK,
    BitSearch,
    QuantizedModule,
    RoundingOptions,
    deviation,
    fewest_bits,
    labels_changed,
)
from fhe_estimators.core.rewrite import clean, cut, split_prologue, tidy, write_out
from fhe_estimators.core.trees import Ensemble, TreeGraphs, TreeOptions, recognize
from fhe_estimators.core.validation import check_p_error

if TYPE_CHECKING:
    from onnx import ModelProto

logger = logging.getLogger(__name__)

#: How far tables reach beyond the accumulators of the calibration rows, on either side, as
#: a part of their range. (Of trained networks, calibrated on 10 rows, no other row went
#: beyond with 0.25, one of twenty with 0.1; more margin takes bits.)
MARGINS: dict[str, float | None] = {"worst_case": None, "calibrated": 0.25}
#: Bits that tables of networks read at least, if not fewer than results of tables have.
_FEW_BITS = 5
#: Calibration rows that bits are judged by.
_JUDGED_ROWS = 1_000


class Calibration(NamedTuple):
    """Rows that ranges of integers come from.

    Parameters
    ----------
    inputs : sequence of ndarray of shape (n_samples, ...)
        Representative rows of each input. Of trees there may be none.
    sample_weight : ndarray of shape (n_samples,), optional
        How much each row counts; one of weight zero is as good as absent.
    ranges : sequence of InputRange, optional
        Ranges of the inputs, if known otherwise than from the rows.
    from_rows : bool
        Whether ranges, if there are any, were chosen from rows.
    """

    inputs: Sequence[np.ndarray]
    sample_weight: np.ndarray | None = None
    ranges: Sequence[InputRange] | None = None
    from_rows: bool = False

    def __str__(self) -> str:
        """Return the shapes: rows are not for logs."""
        shapes = ", ".join(str(np.shape(rows)) for rows in self.inputs)
        return f"rows of {shapes}, {'no ' if self.ranges is None else ''}ranges given"

    def counting(self) -> Calibration:
        """Return the calibration without rows of weight zero."""
        if self.sample_weight is None or (self.sample_weight > 0).all():
            return self
        counts = self.sample_weight > 0
        inputs = [rows[counts] for rows in self.inputs]
        return self._replace(inputs=inputs, sample_weight=self.sample_weight[counts])


@dataclass(frozen=True)
class Options:
    """How a model is lowered.

    Parameters
    ----------
    bits : BitWidths, optional
        See `fhe_estimators.core.quantization.resolve_n_bits`.
    ranges : {'minmax', 'least_error'}, default='minmax'
        How the ranges of results of tables are chosen.
    rounding : RoundingOptions, optional
        How accumulators are rounded in front of tables.
    accumulator_range : {'worst_case', 'calibrated'}, default='worst_case'
        Which accumulators tables cover: all that there can be, or those of the calibration
        rows with a margin. Beyond, tables wrap around, encrypted as in clear.
    trees : TreeOptions, optional
        How a tree ensemble, if the model is one, is quantized.
    p_error : float, default=2**-64
        Probability that a table, or a decrypted result, is wrong: costs are compared, and
        circuits compiled, at it.

    Raises
    ------
    ValueError
        If `p_error` is no probability, or another parameter is something else.
    """

    bits: BitWidths = BitWidths()
    ranges: str = "minmax"
    rounding: RoundingOptions = RoundingOptions()
    accumulator_range: str = "worst_case"
    trees: TreeOptions = TreeOptions()
    p_error: float = 2**-64

    def __post_init__(self) -> None:
        check_p_error(self.p_error, type(self).__name__)
        for name, value, known in (
            ("calibration", self.ranges, CALIBRATIONS),
            ("accumulator_range", self.accumulator_range, MARGINS),
        ):
            if not isinstance(value, str) or value not in known:
                raise ValueError(
                    f"The parameter {name!r} must be one of {sorted(known)}; got {value!r}."
                )


class Parts(NamedTuple):
    """A model, divided by where it is computed.

    Parameters
    ----------
    before : Graph or None
        What the client computes in clear before it quantizes.
    encrypted : Graph or Ensemble
        What is computed on encrypted integers: a float graph, or a sum of trees.
    after : Graph
        What follows in clear on the decrypted scores; without nodes if nothing does.
    """

    before: Graph | None
    encrypted: Graph | Ensemble
    after: Graph

    def __str__(self) -> str:
        shown = [
            part if part is None or isinstance(part, Ensemble) else show(part)
            for part in self
        ]
        return "before:\n{}\nencrypted:\n{}\nafter:\n{}".format(*shown)


def read(model: ModelProto) -> Graph:
    """Return the float graph of a model, without what needs no computation at all."""
    return clean(NumpyModule(model).graph)


def divide(graph: Graph) -> Parts:
    """Return the parts of a float graph: before encryption, encrypted, after decryption.

    Raises
    ------
    UnsupportedOperatorError
        If an operator that would be encrypted has no encrypted form.
    """
    # A tree ensemble is a sum of table look-ups.
    found = recognize(graph)
    if found is not None:
        return Parts(None, *found)
    before, rest = split_prologue(graph)
    found = recognize(rest) if before.nodes else None
    if found is not None:
        return Parts(before, *found)
    # What follows the last product runs in clear, after decryption.
    encrypted, after = cut(graph)
    # What precedes the first product does, too, before encryption.
    before, encrypted = split_prologue(encrypted)
    # Between products, what has no encrypted form of its own is written out in others.
    encrypted = tidy(write_out(encrypted))
    return Parts(before if before.nodes else None, encrypted, after)


def calibrate(parts: Parts, calibration: Calibration, options: Options) -> Calibration:
    """Return rows and ranges of what is encrypted, from those of the inputs.

    Raises
    ------
    GraphError
        If what is encrypted is not finite on a row.
    """
    calibration = calibration.counting()
    if parts.before is None:
        return calibration
    before = NumpyModule(parts.before)
    inputs, sample_weight, ranges, _ = calibration
    # What is infinite on the way may be finite again; what stays so is an error.
    with np.errstate(all="ignore"):
        tensors = before.intermediates(*inputs)
    encoded = [value.name for value in parts.before.outputs]
    check_finite_rows(parts.before, tensors, encoded)
    from_rows = ranges is None
    if ranges is None:
        bits = options.bits.of_inputs
        ranges = [InputRange.of(rows, bits, sample_weight) for rows in inputs]
    ranges = image(before.outputs, inputs, ranges, sample_weight)
    rows = [tensors[name] for name in encoded]
    return Calibration(rows, sample_weight, ranges, from_rows)


def quantize(parts: Parts, calibration: Calibration, options: Options) -> QuantizedModule:
    """Return the integer graph of what is encrypted, between quantizers.

    Parameters
    ----------
    parts : Parts
    calibration : Calibration
        Of what is encrypted.
    options : Options

    Raises
    ------
    UnsupportedOperatorError
        If an operator that is to be encrypted has no encrypted form.
    BitWidthError
        If a table would read too wide an integer.
    """
    after = NumpyModule(parts.after)
    prices = ConcreteEngine().prices(options.p_error)
    if isinstance(parts.encrypted, Ensemble):
        (rows,), sample_weight, *_ = calibration
        # Values that rows lack have bins of their own; estimators say where they may.
        absent = np.flatnonzero(np.isnan(rows).any(axis=0)).tolist() if len(rows) else []
        missing = frozenset({*options.trees.missing, *absent})
        trees = replace(options.trees, missing=missing)
        graphs = TreeGraphs(parts.encrypted, rows, trees, sample_weight, prices)
        graph, decoder = graphs.default()
        encoders = [graphs.encoder]
        prologue = None if parts.before is None else NumpyModule(parts.before)
        return QuantizedModule(
            graph, encoders, [decoder], after, alternatives=graphs, prologue=prologue
        )
    encrypted = check(parts.encrypted, ENCRYPTED, supported(encrypted=True))
    row = one_row(encrypted, calibration.inputs)
    _check_size(encrypted, row, prices, options)
    step = -(-len(calibration.inputs[0]) // _JUDGED_ROWS)
    judged = [array[::step] for array in calibration.inputs]
    ranges = calibration.ranges
    if ranges is None or calibration.from_rows:
        ranges = ranges_by_outputs(encrypted, judged, options.bits, ranges, deviation)
    calibrated = PostTraining(
        encrypted,
        calibration.inputs,
        options.bits,
        ranges,
        calibration.sample_weight,
        CALIBRATIONS[options.ranges],
        MARGINS[options.accumulator_range],
        row,
        clips=ranges is not calibration.ranges,
    )

    def quantized(kept_bits: KeptBits) -> QuantizedModule:
        return QuantizedModule(*calibrated.quantized(kept_bits), after)

    rounding = options.rounding
    if rounding.given is not None:
        module = rounding.checked(quantized(rounding.given))
    else:
        # As few bits as accuracy allows: what outputs err by is measured.
        exact = functools.cache(lambda: NumpyModule(encrypted)(*judged))
        scores = functools.lru_cache(1)(lambda module: module.scores(*judged))

        def error(module: QuantizedModule) -> float:
            return deviation(scores(module), exact())

        def changed(module: QuantizedModule) -> float:
            return labels_changed(scores(module), exact())

        search = BitSearch(
            quantized,
            error,
            rounding,
            prices,
            options.bits,
            changed if rounding.labels else None,
        )
        module = fewest_bits(
            search,
            lambda module: Circuit(module.graph, p_error=options.p_error).complexity,
        )
    if parts.before is None:
        return module
    ends = module.input_quantizers, module.output_quantizers, after
    return QuantizedModule(module.graph, *ends, prologue=NumpyModule(parts.before))


def _check_size(
    graph: Graph, row: Mapping[str, np.ndarray], prices: Prices, options: Options
) -> None:
    """Refuse a network whose rows would take hours, before anything large is built.

    Parameters
    ----------
    graph : Graph
    row : mapping of str to ndarray
        Its tensors on one row.
    prices : Prices
    options : Options

    Raises
    ------
    CompilationError
        If they would.
    """
    kind_of, clear = kinds_of(graph), known_without(graph)
    made = [(node, kind_of(node)) for node in graph if not clear.issuperset(node.outputs)]
    # Of element-wise operators in a chain, one table is left.
    chained = {
        node.inputs[0] for node, kind in made if kind.pointwise and len(node.inputs) == 1
    }
    n_tables = sum(
        row[name].size
        for node, kind in made
        if not (kind.is_product or kind.is_free(node, clear))
        for name in node.outputs
        if name in row and name not in chained
    )
    # Tables of trained integers, and those that a user asks for, may read fewer bits.
    given = options.rounding.bits if isinstance(options.rounding.bits, int) else _FEW_BITS
    few = min(_FEW_BITS, options.bits.op_inputs, given)
    if any(kind.trained for _, kind in made):
        few = 1
    seconds = prices.seconds(n_tables * prices.operations(few))
    if seconds > HOPELESS:
        check_affordable(
            seconds, f"The network takes {n_tables:,} table look-ups", CHEAPER_NETWORK
        )


def stages(
    model: ModelProto, calibration: Calibration, options: Options = Options()
) -> Iterator[tuple[str, Any]]:
    """Lower an ONNX model to a circuit, one stage at a time.

    Parameters
    ----------
    model : onnx.ModelProto
    calibration : Calibration
    options : Options, optional

    Yields
    ------
    name : {'read', 'divide', 'calibrate', 'quantize', 'compile'}
    result : Graph, Parts, Calibration, QuantizedModule or Circuit
        What the stage gives; computed when it is asked for.
    """
    graph = read(model)
    yield _logged("read", graph)
    parts = divide(graph)
    yield _logged("divide", parts)
    calibration = calibrate(parts, calibration, options)
    yield _logged("calibrate", calibration)
    module = quantize(parts, calibration, options)
    yield _logged("quantize", module)
    yield _logged("compile", module.compile(p_error=options.p_error))


def to_quantized_module(
    model: ModelProto, calibration: Calibration, options: Options = Options()
) -> QuantizedModule:
    """Lower an ONNX model to integers: all stages but the last.

    Parameters
    ----------
    model : onnx.ModelProto
    calibration : Calibration
    options : Options, optional

    Returns
    -------
    module : QuantizedModule

    Raises
    ------
    GraphError
        If what is encrypted is not finite on a row.
    UnsupportedOperatorError
        If an operator that is to be encrypted has no encrypted form.
    BitWidthError
        If a table would read too wide an integer.
    """
    *_, (_, module) = islice(stages(model, calibration, options), 4)
    assert isinstance(module, QuantizedModule)
    return module


def _logged(stage: str, result: Any) -> tuple[str, Any]:
    logger.debug("%s:\n%s", stage, result)
    return stage, result
