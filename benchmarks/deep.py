"""A convolutional network, and a network of many inputs, on encrypted rows."""

from __future__ import annotations

import warnings
from typing import Any

import brevitas.nn as qnn
import numpy as np
import torch
from brevitas.quant import Int8WeightPerChannelFloat, Uint8ActPerTensorFloat
from scipy.ndimage import zoom
from sklearn.model_selection import train_test_split
from torch import nn

from benchmarks import data
from benchmarks.costs import P_ERROR, exactness
from benchmarks.report import Row, at_least, table
from benchmarks.tools import Setup, peak_memory, progress, seconds
from fhe_estimators.core.circuit import Circuit
from fhe_estimators.neural_network import NeuralNetClassifier
from fhe_estimators.quantization import QuantizedModule
from fhe_estimators.torch import compile_brevitas_qat_model

_N_ROWS, _N_PICTURES = 100, 10
_CHANNELS, _N_WEIGHTS = 20, 10
_EPOCHS, _BATCH, _LR = 80, 64, 0.02


class Convolutional(nn.Module):
    """One convolution and one product for pictures of 8 x 8: 180 activations.

    Inputs and weights of the convolution have 2 bits. `prune` leaves each of its filters
    ten weights, so that its sums have 5 bits.
    """

    def __init__(self) -> None:
        super().__init__()
        weights = {"weight_quant": Int8WeightPerChannelFloat}
        self.enter = qnn.QuantIdentity(
            bit_width=2, act_quant=Uint8ActPerTensorFloat, return_quant_tensor=True
        )
        self.convolution = qnn.QuantConv2d(
            1, _CHANNELS, 4, stride=2, bias=False, weight_bit_width=2, **weights
        )
        self.register_buffer("kept", torch.ones_like(self.convolution.weight))
        self.norm = nn.BatchNorm2d(_CHANNELS)
        self.relu = qnn.QuantReLU(bit_width=3, return_quant_tensor=True)
        self.product = qnn.QuantLinear(
            9 * _CHANNELS, 10, bias=True, weight_bit_width=4, **weights
        )

    def forward(self, x: Any) -> Any:
        x = self.relu(self.norm(self.convolution(self.enter(x))))
        return self.product(torch.flatten(x, 1))

    @torch.no_grad()
    def prune(self, n_weights: int) -> None:
        """Keep the largest weights of each filter."""
        magnitudes = self.convolution.weight.flatten(1).abs()
        largest = magnitudes.topk(n_weights, dim=1).indices
        kept = torch.zeros_like(magnitudes).scatter(1, largest, 1.0)
        self.kept = kept.reshape(self.kept.shape)

    @torch.no_grad()
    def mask(self) -> None:
        """Set the weights to zero that are not kept."""
        self.convolution.weight *= self.kept


def convolution(setup: Setup) -> list[Row]:
    """A convolutional network on digits: accuracy, seconds, and whether it is exact."""
    X, y = data.digits()
    X = (X / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)
    with warnings.catch_warnings():
        # Brevitas warns of how it uses torch.
        warnings.simplefilter("ignore")
        net = _trained(X, y)
        accuracy = _accuracy(net(torch.from_numpy(X_test)).detach().numpy(), y_test)
        rows: list[Row] = [{"what": "trained network", "accuracy": accuracy}]
        for rounding in ("exact", "approximate"):
            module = compile_brevitas_qat_model(
                net, X, rounding=rounding, rounding_bits=4, p_error=P_ERROR
            )
            accuracy = _accuracy(module(X_test), y_test)
            row = {
                "what": f"rounding {rounding}",
                "accuracy": accuracy,
                **_costs(setup, module, X_test[:_N_PICTURES]),
                "goal": at_least(0.97, accuracy),
            }
            progress(table([row]))
            rows.append(row)
    return rows


def large_input(setup: Setup) -> list[Row]:
    """Digits enlarged to 28 x 28 through a network of 784, 64 and 10 neurons."""
    X, y = data.digits()
    X = zoom(X.reshape(-1, 8, 8), (1, 3.5, 3.5), order=1).reshape(len(X), -1)
    X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)
    model = NeuralNetClassifier(hidden_layer_sizes=[64], p_error=P_ERROR, random_state=0)
    fit = seconds(lambda: model.fit(X, y))
    compiled = seconds(lambda: model.compile())
    row = {
        "what": "784-64-10",
        "accuracy": model.score(X_test, y_test),
        "fit (s)": fit,
        "compile (s)": compiled,
        **_costs(setup, model.quantized_module_, X_test[:_N_ROWS]),
    }
    return [row]


def _trained(X: np.ndarray, y: np.ndarray) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = Convolutional()
        optimizer = torch.optim.Adam(net.parameters())
        steps = -(-len(X) // _BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, _LR, epochs=_EPOCHS, steps_per_epoch=steps
        )
        rows, labels = torch.from_numpy(X), torch.from_numpy(y)
        for epoch in range(_EPOCHS):
            if epoch == _EPOCHS // 3:
                net.prune(_N_WEIGHTS)
            for batch in torch.randperm(len(X)).split(_BATCH):
                optimizer.zero_grad()
                nn.functional.cross_entropy(net(rows[batch]), labels[batch]).backward()
                optimizer.step()
                schedule.step()
                net.mask()
    return net.eval()


def _accuracy(scores: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean(scores.argmax(axis=1) == y))


def _costs(setup: Setup, module: QuantizedModule, X: np.ndarray) -> Row:
    """Return what one encrypted row costs, and how many rows are as in clear."""
    circuit: Circuit = module.fhe_circuit
    keygen = seconds(circuit.keygen)
    first = module.quantize_input(X[:1])
    # The first call also brings the keys into place.
    circuit.encrypt_run_decrypt(first)
    (one,) = setup.alternate(
        lambda: {"seconds": seconds(lambda: circuit.encrypt_run_decrypt(first))}
    )
    return {
        **exactness(module, X, labels=True),
        "seconds a row": one["seconds"],
        "keys (MB)": circuit.evaluation_key_bytes / 1e6,
        "keygen (s)": keygen,
        "memory (MB)": peak_memory() / 1e6,
    }
