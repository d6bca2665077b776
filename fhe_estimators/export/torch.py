"""torch modules as ONNX models. The only exporter that imports torch."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from fhe_estimators.export.onnx import load_onnx

if TYPE_CHECKING:
    from onnx import ModelProto

#: torch exports one model at a time in a process.
_EXPORTING = Lock()
#: The operator set that models are exported with.
OPSET = 17


def export_torch(module: nn.Module, inputs: Sequence[np.ndarray]) -> ModelProto:
    """Export a torch module by tracing it.

    Parameters
    ----------
    module : torch.nn.Module
        On the CPU; it is exported in evaluation mode.
    inputs : sequence of ndarray
        One example of each input; the first axis, the rows, is left open.

    Returns
    -------
    model : onnx.ModelProto
    """
    names = [f"input_{place}" if place else "input" for place in range(len(inputs))]
    file = io.BytesIO()
    with _EXPORTING, warnings.catch_warnings():
        # The exporter that needs no onnxscript announces its end at each call.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            module.eval(),
            tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in inputs),
            file,  # type: ignore[arg-type] # this exporter takes open files, too
            opset_version=OPSET,
            dynamo=False,
            input_names=names,
            output_names=["output"],
            dynamic_axes={name: {0: "n_samples"} for name in (*names, "output")},
        )
    return load_onnx(file.getvalue())


def _sigmoid(score: Tensor) -> Tensor:
    probability = torch.sigmoid(score)
    return torch.cat([1 - probability, probability], dim=1)


def _clip(score: Tensor) -> Tensor:
    probability = (torch.clamp(score, -1, 1) + 1) / 2
    return torch.cat([1 - probability, probability], dim=1)


def _normalized(probability: Tensor) -> Tensor:
    total = probability.sum(dim=1, keepdim=True)
    # All zero does not normalize: all the same.
    filled = torch.where(total == 0, 1.0, probability)
    return filled / filled.sum(dim=1, keepdim=True)


#: From raw scores, of shape (n_samples, n_outputs), to what the model predicts.
LINKS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda score: score,
    "exp": torch.exp,
    "sigmoid": _sigmoid,
    "softmax": lambda score: torch.softmax(score, dim=1),
    "ovr_sigmoid": lambda score: _normalized(torch.sigmoid(score)),
    "clip": _clip,
    "ovr_clip": lambda score: _normalized((torch.clamp(score, -1, 1) + 1) / 2),
}


class LinearScores(nn.Module):
    """``link(x @ coef.T + intercept)`` in double precision.

    Parameters
    ----------
    coef : ndarray of shape (n_outputs, n_features)
    intercept : ndarray of shape (n_outputs,)
    link : str
        A key of ``LINKS``.
    """

    def __init__(self, coef: np.ndarray, intercept: np.ndarray, link: str) -> None:
        super().__init__()
        n_outputs, n_features = coef.shape
        self.linear = nn.Linear(n_features, n_outputs, dtype=torch.float64)
        self.linear.weight.data = torch.tensor(coef, dtype=torch.float64)
        self.linear.bias.data = torch.tensor(intercept, dtype=torch.float64)
        self.link = LINKS[link]

    def forward(self, x: Tensor) -> Tensor:
        """Return predictions, of shape (n_samples, n_outputs or n_classes)."""
        return self.link(self.linear(x))


def export_linear(coef: np.ndarray, intercept: np.ndarray, link: str) -> ModelProto:
    """Export a linear map behind a link as an ONNX model; see `LinearScores`."""
    example = np.zeros((1, coef.shape[1]))
    return export_torch(LinearScores(coef, intercept, link), [example])
