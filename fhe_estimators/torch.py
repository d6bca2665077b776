"""Networks of torch, Brevitas and ONNX as modules that compute on encrypted data.

Examples
--------
>>> import numpy as np
>>> from torch import nn
>>> from fhe_estimators.torch import compile_torch_model
>>> X = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
>>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
>>> module = compile_torch_model(net, X, n_bits=4)
>>> module.forward(X[:2]).shape
(2, 2)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fhe_estimators._warnings import warn
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantization import resolve_n_bits
from fhe_estimators.core.quantized_module import RoundingOptions
from fhe_estimators.core.validation import as_numbers
from fhe_estimators.exceptions import AccuracyWarning
from fhe_estimators.quantization import QuantizedModule

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import nn

__all__ = [
    "compile_brevitas_qat_model",
    "compile_onnx_model",
    "compile_torch_model",
    "to_numpy_module",
]


def compile_torch_model(
    torch_model: nn.Module,
    torch_inputset: Any,
    *,
    n_bits: int | Mapping[str, int] = 6,
    calibration: str = "least_error",
    rounding: str | None = "exact",
    rounding_bits: int | str | Mapping[str, int] = "auto",
    accumulator_range: str = "calibrated",
    p_error: float = 2**-64,
    configuration: Any = None,
) -> QuantizedModule:
    """Quantize a float network after its training and compile it.

    Parameters
    ----------
    torch_model : torch.nn.Module or torch.export.ExportedProgram
        A float network, in double or single precision. A program needs onnxscript.
    torch_inputset : array-like or tensor of shape (n_samples, ...), or a tuple of them
        Representative rows, of each input if there are several. Ranges of integers come
        from them.
    n_bits : int in [1, 16] or dict, default=6
        Bits of inputs, weights and results of tables, at most; see `rounding_bits`. A dict
        sets ``"op_inputs"`` (results of tables), ``"op_weights"`` and, if they differ from
        ``"op_inputs"``, ``"model_inputs"`` and ``"model_outputs"``.
    calibration : {'least_error', 'minmax'}, default='least_error'
        How the ranges of results of tables are chosen: with the least squared error, or
        from the smallest to the largest number seen.
    rounding : {'exact', 'approximate'} or None, default='exact'
        How accumulators are rounded in front of tables. ``"exact"`` gives the same integers
        in clear and encrypted. ``"approximate"`` is faster; an accumulator near the border
        between two multiples may go to either when encrypted.
    rounding_bits : int in [1, 16], dict or 'auto', default='auto'
        Bits that are kept of the accumulators: of all, or by layer (the names that
        ``layers`` of the result reports). ``"auto"`` takes as few of them, and of weights
        and results of tables, as give nearly what all bits give on the inputset: outputs
        may err by a tenth of their standard deviation more, or half as much more.
    accumulator_range : {'calibrated', 'worst_case'}, default='calibrated'
        Which accumulators tables cover. ``"calibrated"``: those of the inputset with a
        margin of a quarter of their range on either side, which takes fewer bits or keeps
        more of them. Farther out tables wrap around, encrypted exactly as in clear, where a
        `WrapAroundWarning` counts such rows. ``"worst_case"``: all that there can be.
    p_error : float in (0, 1), default=2**-64
        Probability that a table, or a decrypted result, is wrong.
    configuration : concrete.fhe.Configuration, optional
        Passed to the engine.

    Returns
    -------
    module : QuantizedModule
        ``forward(X, fhe="execute")`` predicts encrypted; ``layers`` reports the bits.

    Raises
    ------
    UnsupportedOperatorError
        If the network has an operator without an encrypted form.
    BitWidthError
        If an accumulator in front of a table is too wide.
    CompilationError
        If there are no cryptographic parameters for integers that wide.
    """
    from fhe_estimators.core.frontends.torch import export_torch

    inputs = _arrays(torch_inputset)
    model = _exported(export_torch, torch_model, inputs)
    options = Options(
        resolve_n_bits(n_bits),
        ranges=calibration,
        rounding=RoundingOptions(rounding, rounding_bits),
        accumulator_range=accumulator_range,
        p_error=p_error,
    )
    return _compiled(model, inputs, options, configuration)


def compile_brevitas_qat_model(
    torch_model: nn.Module,
    torch_inputset: Any,
    *,
    n_bits: int | Mapping[str, int] = 8,
    rounding: str | None = None,
    rounding_bits: int | str | Mapping[str, int] = "auto",
    p_error: float = 2**-64,
    configuration: Any = None,
) -> QuantizedModule:
    """Compile a network that Brevitas has trained with its quantizers.

    The integers of its quantizers are used as they are: without rounding, the module gives
    what the network gives.

    Parameters
    ----------
    torch_model : torch.nn.Module
        Of Brevitas layers; each input goes through a ``QuantIdentity`` first. Functions of
        one number may stand between quantized layers in floating point.
    torch_inputset : array-like or tensor of shape (n_samples, ...), or a tuple of them
        Representative rows, of each input if there are several.
    n_bits : int in [1, 16] or dict, default=8
        Bits of what no quantizer of the network determines; see `compile_torch_model`.
    rounding : {'exact', 'approximate'} or None, default=None
        As for `compile_torch_model`. Accumulators of more than 5 bits make tables slow:
        either round them, or train with narrow ones.
    rounding_bits : int in [1, 16], dict or 'auto', default='auto'
        As for `compile_torch_model`.
    p_error : float in (0, 1), default=2**-64
        Probability that a table, or a decrypted result, is wrong.
    configuration : concrete.fhe.Configuration, optional
        Passed to the engine.

    Returns
    -------
    module : QuantizedModule

    Raises
    ------
    UnsupportedOperatorError
        If the network has an operator without an encrypted form.
    BitWidthError
        If an accumulator in front of a table is too wide.
    CompilationError
        If there are no cryptographic parameters for integers that wide.
    """
    from fhe_estimators.core.frontends.brevitas import export_brevitas

    inputs = _arrays(torch_inputset)
    model = _exported(export_brevitas, torch_model, inputs)
    options = Options(
        resolve_n_bits(n_bits),
        rounding=RoundingOptions(rounding, rounding_bits),
        p_error=p_error,
    )
    return _compiled(model, inputs, options, configuration)


def compile_onnx_model(
    onnx_model: ModelProto | bytes | str | os.PathLike[str],
    torch_inputset: Any,
    *,
    n_bits: int | Mapping[str, int] = 6,
    calibration: str = "least_error",
    rounding: str | None = "exact",
    rounding_bits: int | str | Mapping[str, int] = "auto",
    accumulator_range: str = "calibrated",
    p_error: float = 2**-64,
    configuration: Any = None,
) -> QuantizedModule:
    """Quantize an ONNX or QONNX model and compile it.

    Parameters
    ----------
    onnx_model : onnx.ModelProto, torch.onnx.ONNXProgram, bytes, str or os.PathLike
        The model, itself or serialized, or the path of its file: of any opset up to 22. It
        may hold quantizers of QONNX, whose integers are used.
    torch_inputset : array-like or tensor of shape (n_samples, ...), or a tuple of them
        Representative rows, of each input if there are several.
    n_bits : int in [1, 16] or dict, default=6
        As for `compile_torch_model`.
    calibration : {'least_error', 'minmax'}, default='least_error'
        As for `compile_torch_model`.
    rounding : {'exact', 'approximate'} or None, default='exact'
        As for `compile_torch_model`.
    rounding_bits : int in [1, 16], dict or 'auto', default='auto'
        As for `compile_torch_model`.
    accumulator_range : {'calibrated', 'worst_case'}, default='calibrated'
        As for `compile_torch_model`.
    p_error : float in (0, 1), default=2**-64
        Probability that a table, or a decrypted result, is wrong.
    configuration : concrete.fhe.Configuration, optional
        Passed to the engine.

    Returns
    -------
    module : QuantizedModule

    Raises
    ------
    UnsupportedOperatorError
        If the model has an operator without an encrypted form.
    BitWidthError
        If an accumulator in front of a table is too wide.
    CompilationError
        If there are no cryptographic parameters for integers that wide.
    """
    inputs = _arrays(torch_inputset)
    options = Options(
        resolve_n_bits(n_bits),
        ranges=calibration,
        rounding=RoundingOptions(rounding, rounding_bits),
        accumulator_range=accumulator_range,
        p_error=p_error,
    )
    return _compiled(onnx_model, inputs, options, configuration)


def to_numpy_module(torch_model: nn.Module, torch_inputset: Any) -> NumpyModule:
    """Return a float network as a module that numpy computes; nothing is quantized.

    Parameters
    ----------
    torch_model : torch.nn.Module
    torch_inputset : array-like or tensor of shape (n_samples, ...), or a tuple of them
        A few rows of each input are enough.

    Returns
    -------
    module : NumpyModule

    Raises
    ------
    UnsupportedOperatorError
        If the network has an operator that is not supported.
    """
    from fhe_estimators.core.frontends.torch import export_torch

    return NumpyModule(_exported(export_torch, torch_model, _arrays(torch_inputset)))


def _exported(
    export: Callable[[nn.Module, tuple[np.ndarray, ...]], ModelProto],
    torch_model: nn.Module,
    inputs: tuple[np.ndarray, ...],
) -> ModelProto:
    """Return a network as ONNX; integers and truth values may stand for real numbers."""
    if hasattr(torch_model, "graph_signature"):
        from fhe_estimators.core.frontends.torch import export_program

        return export_program(torch_model)
    examples = _examples(torch_model, inputs)
    try:
        return export(torch_model, examples)
    except ValueError:
        if all(array.dtype.kind == "f" for array in examples):
            raise
        # They are not those of an embedding.
        dtype = _float_type(torch_model)
        reals = tuple(array.astype(dtype, copy=False) for array in examples)
        return export(torch_model, reals)


def _compiled(
    model: ModelProto | bytes | str | os.PathLike[str],
    inputs: tuple[np.ndarray, ...],
    options: Options,
    configuration: Any,
) -> QuantizedModule:
    from fhe_estimators.core.frontends.onnx import with_sizes

    if all((rows == rows[:1]).all() for rows in inputs):
        warn(
            "The rows of 'torch_inputset' are all the same: they tell nothing about the "
            "ranges of numbers. Pass rows like those to predict, a hundred or more.",
            AccuracyWarning,
        )
    model = with_sizes(model, [array.shape for array in inputs])
    module = to_quantized_module(model, Calibration(inputs), options)
    module.compile(p_error=options.p_error, configuration=configuration)
    return module


def _arrays(inputset: Any) -> tuple[np.ndarray, ...]:
    """Return the rows of each input as an array."""
    parts = inputset if isinstance(inputset, tuple) else (inputset,)
    arrays = tuple(as_numbers(part, "The parameter 'torch_inputset'") for part in parts)
    lengths = {array.shape[:1] for array in arrays}
    if len(lengths) != 1 or lengths & {(), (0,)}:
        raise ValueError(
            "The parameter 'torch_inputset' must hold the same number of rows, at least "
            f"one, for each input; got shapes {[array.shape for array in arrays]}."
        )
    return arrays


def _examples(
    torch_model: nn.Module, inputs: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, ...]:
    """Return the rows of each input in the floating point type of the network.

    Raises
    ------
    TypeError
        If it is no network of torch.
    """
    if not callable(getattr(torch_model, "parameters", None)):
        raise TypeError(
            "The parameter 'torch_model' must be a torch.nn.Module; got "
            f"{type(torch_model).__name__}. Use compile_onnx_model for an ONNX model."
        )
    dtype = _float_type(torch_model)
    # The shapes count: ranges come from the numbers as they are.
    with np.errstate(over="ignore"):
        return tuple(
            array.astype(dtype, copy=False) if array.dtype.kind == "f" else array
            for array in inputs
        )


def _float_type(torch_model: nn.Module) -> type[np.floating[Any]]:
    """Return the floating point type of a network's parameters."""
    types = {str(p.dtype) for p in torch_model.parameters() if p.is_floating_point()}
    return np.float64 if types == {"torch.float64"} else np.float32
