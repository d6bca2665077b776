"""Brevitas networks as QONNX models. The only exporter that imports brevitas."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from fhe_estimators.core.frontends.onnx import traced_with
from fhe_estimators.core.frontends.torch import one_at_a_time, signature

with warnings.catch_warnings():
    # It warns of parts of its own that are deprecated, and of one that is not installed.
    warnings.simplefilter("ignore")
    from brevitas.export import export_qonnx

if TYPE_CHECKING:
    from onnx import ModelProto

#: The operator set that networks are exported with.
OPSET = 14


def export_brevitas(module: nn.Module, inputs: Sequence[np.ndarray]) -> ModelProto:
    """Export a network of Brevitas layers with its trained integers.

    Parameters
    ----------
    module : torch.nn.Module
        On the CPU; it is exported in evaluation mode.
    inputs : sequence of ndarray of shape (n_samples, ...)
        Example rows of each input, at least one; the number of rows is left open.

    Returns
    -------
    model : onnx.ModelProto
        With nodes of the domain ``qonnx.custom_op.general`` where numbers are quantized.
    """
    module, examples, names = signature(module, inputs)
    with one_at_a_time(), warnings.catch_warnings(), torch.no_grad():
        # The exporter that needs no onnxscript announces its end at each call; tracing
        # warns of every number that a quantizer reads.
        warnings.simplefilter("ignore")
        model: ModelProto = export_qonnx(
            module, examples, opset_version=OPSET, dynamo=False, **names
        )
    return traced_with(model, len(examples[0]))
