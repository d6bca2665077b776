"""The network: layers of Brevitas with accumulators that are bounded by construction."""

from __future__ import annotations

import copy
import inspect
import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from brevitas.nn import QuantIdentity, QuantLinear
from torch import Tensor, nn

from fhe_estimators.core.quantization import MAXIMUM_N_BITS
from fhe_estimators.neural_network._quantizers import (
    BoundedWeightQuant,
    BoundedWeights,
    LearnedStep,
    LearnedStepQuant,
    weight_budget,
)

__all__ = ["SparseQuantNeuralNetwork", "resolve_activation", "weighted_moments"]

#: Fewest neurons of a hidden layer whose size follows from the number of inputs.
_FEWEST_NEURONS = 8


def resolve_activation(activation: str | type[nn.Module]) -> type[nn.Module]:
    """Return the class of an activation function.

    Parameters
    ----------
    activation : str or type
        A class of ``torch.nn`` that applies a function to each number, or its name.

    Returns
    -------
    activation : type

    Raises
    ------
    ValueError
        If it is neither.
    """
    found = getattr(nn, activation, None) if isinstance(activation, str) else activation
    if not (inspect.isclass(found) and issubclass(found, nn.Module)):
        raise ValueError(
            f"The parameter 'activation' must be a class of torch.nn or the name of one, "
            f"such as 'ReLU', 'Tanh' or 'SiLU'; got {activation!r}."
        )
    return found


def _check_bits(bits: dict[str, int]) -> None:
    """Raise `ValueError` for bits out of range, or sums without room for a weight."""
    for name, n_bits in bits.items():
        most = 32 if name.endswith("accum_bits") else MAXIMUM_N_BITS
        if not 2 <= n_bits <= most:
            raise ValueError(
                f"The parameter {name!r} must be from 2 to {most}; got {n_bits}."
            )
    for part, total in (
        ("n_in_bits", "n_accum_bits"),
        ("n_a_bits", "n_accum_bits"),
        ("n_a_bits", "n_out_accum_bits"),
    ):
        if bits[part] > bits[total]:
            raise ValueError(
                f"Sums of {total}={bits[total]} bits have no room for a number of "
                f"{part}={bits[part]} bits: raise {total!r} or lower {part!r}."
            )


def weighted_moments(x: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of columns, one for columns that do not vary."""
    size = x.abs().amax(dim=0)
    # Squares of large and of small numbers are none; a power of two changes no digit.
    unit = torch.where(size > 0, torch.exp2(torch.floor(torch.log2(size))), 1.0)
    scaled = x / unit
    mean = weights @ scaled
    deviation = torch.sqrt(weights @ (scaled - mean) ** 2)
    # Rounding errors of the mean are no variation.
    varies = deviation > 1e-12 * size / unit
    return mean * unit, torch.where(varies, deviation * unit, 1.0)


class _Linear(QuantLinear):
    """A layer whose weights are drawn by the network, from a generator of its own."""

    def __init__(self, n_inputs: int, n_neurons: int, n_bits: int, budget: int) -> None:
        super().__init__(
            n_inputs,
            n_neurons,
            weight_quant=BoundedWeightQuant,
            weight_bit_width=n_bits,
            weight_budget=budget,
            weight_n_neurons=n_neurons,
            weight_n_inputs=n_inputs,
        )

    def reset_parameters(self) -> None:
        """Leave the weights as they are."""

    def quant_weight(self, *args: Any, **kwargs: Any) -> Any:
        """Return quantized weights; a constant while the module is exported."""
        if not self.weight_quant.export_mode:
            return super().quant_weight(*args, **kwargs)
        # What is exported only rounds: it gets what is projected already.
        values = self.quantizer(self.weight)[0].detach().cpu().numpy()
        return self.weight_quant(torch.from_numpy(values))

    @property
    def quantizer(self) -> BoundedWeights:
        """The quantizer of the weights."""
        found: BoundedWeights = self.weight_quant.tensor_quant
        return found

    def integers(self) -> Tensor:
        """Return the integers that stand for the weights."""
        return self.quantizer.integers(self.weight)


class _QuantActivation(nn.Module):
    """An activation function behind which integers start from its lowest value.

    Parameters
    ----------
    function : type
        Class of the function.
    n_bits : int
        Bits of the integers.
    """

    lowest: Tensor

    def __init__(self, function: type[nn.Module], n_bits: int) -> None:
        super().__init__()
        self.function = function()
        self.register_buffer("lowest", torch.tensor(0.0))
        self.quant = QuantIdentity(LearnedStepQuant, bit_width=n_bits, signed=False)

    def calibrate(self, x: Tensor, weights: Tensor) -> None:
        """Set the lowest value and the step on weighted rows, of shape (n, n_neurons)."""
        y = self.function(x)
        self.lowest.copy_(y.min())
        step: LearnedStep = self.quant.act_quant.fused_activation_quant_proxy.tensor_quant
        step.fit_step(weights @ (y - self.lowest).mean(dim=1))

    def forward(self, x: Tensor) -> Tensor:
        """Return quantized values, less the lowest."""
        y: Tensor = self.quant(self.function(x) - self.lowest)
        return y


class SparseQuantNeuralNetwork(nn.Module):
    """Fully connected network for encrypted data, with few bits everywhere.

    Features are shifted, scaled and quantized in clear. Each layer adds up products of
    integers, and a table look-up (one bootstrap a neuron) takes the sum to the next
    integers: factor, bias, activation function and quantization at once. The larger the
    sum, the slower the table. In training, quantized weights are therefore projected so
    that no input whatsoever makes any sum exceed `n_accum_bits` bits, see Notes.

    Parameters
    ----------
    n_inputs : int
        Number of features.
    n_outputs : int
        Number of scores.
    n_layers : int, default=2
        Layers of weights; there are ``n_layers - 1`` hidden layers of neurons.
    n_hidden_neurons_multiplier : float, default=1
        Neurons of a hidden layer for each feature. There are at least 8.
    hidden_layer_sizes : sequence of int, optional
        Neurons of each hidden layer, instead of the two parameters above.
    n_w_bits : int, default=3
        Bits of a weight, from 2 to 16: with 2 weights are -1, 0 and 1.
    n_a_bits : int, default=2
        Bits of a quantized activation, from 2 to 16.
    n_in_bits : int, optional
        Bits of a quantized feature, from 2 to 16; `n_a_bits` by default.
    n_accum_bits : int, default=4
        Bits of every sum of products, from 2 to 32.
    n_out_accum_bits : int, optional
        Bits of the sums that are the scores, which no table reads; `n_accum_bits` by
        default. Two bits more are often more accurate; a table takes no longer, but more
        neurons have an effect.
    activation : str or type, default='ReLU'
        A class of ``torch.nn`` that applies a function to each number, or its name.
    seed : int, optional
        Seed of the first weights, which are drawn from a generator of the network's own.
        None draws the seed from torch's generator, as other modules draw their weights.

    Attributes
    ----------
    linears : ModuleList of brevitas.nn.QuantLinear
        The layers of weights.
    activations : ModuleList
        What follows each of them but the last one.
    center, width : Tensor of shape (n_inputs,)
        Mean and standard deviation of the features, from `calibrate`.
    shift, log_step : Parameter of shape (n_inputs,)
        A feature is quantized as ``round((z - shift) / exp(log_step))`` with
        ``z = (x - center) / width``.
    calibrated : Tensor of bool of shape ()
        Whether `calibrate` was called, as the first forward pass of a training does.

    Notes
    -----
    With inputs of ``b`` bits, ``sum_k w_k q_k`` takes at most
    ``1 + sum_k |w_k| (2**b - 1)`` values. Every neuron's integers ``w_k`` are the nearest
    ones to its real weights, in units of a step, that keep this within
    ``2**n_accum_bits`` (``2**n_out_accum_bits`` in the last layer). The idea of bounding
    accumulators by the norm of weights is that of A2Q [1]_; there, weights are scaled down
    and rounded towards zero, here they are projected. Steps of activations are learned as
    in [2]_.

    Parameters are in double precision, in which clear integers give the same scores.

    References
    ----------
    .. [1] I. Colbert, A. Pappalardo, J. Petri-Koenig, "A2Q: Accumulator-aware quantization
       with guaranteed overflow avoidance", International Conference on Computer Vision,
       2023.
    .. [2] S. K. Esser, J. L. McKinstry, D. Bablani, R. Appuswamy, D. S. Modha, "Learned
       step size quantization", International Conference on Learning Representations, 2020.

    Examples
    --------
    >>> import torch
    >>> from fhe_estimators.neural_network import SparseQuantNeuralNetwork
    >>> network = SparseQuantNeuralNetwork(30, 1, n_accum_bits=4, seed=0)
    >>> network(torch.zeros(5, 30)).shape
    torch.Size([5, 1])
    >>> weights = network.integer_weights()[0]
    >>> int(abs(weights).sum(axis=1).max() * (2**2 - 1)) < 2**4
    True
    """

    calibrated: Tensor
    center: Tensor
    width: Tensor
    # Lists of modules: `_Linear` and `_QuantActivation`.
    linears: Any
    activations: Any

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        *,
        n_layers: int = 2,
        n_hidden_neurons_multiplier: float = 1,
        hidden_layer_sizes: tuple[int, ...] | None = None,
        n_w_bits: int = 3,
        n_a_bits: int = 2,
        n_in_bits: int | None = None,
        n_accum_bits: int = 4,
        n_out_accum_bits: int | None = None,
        activation: str | type[nn.Module] = "ReLU",
        seed: int | None = None,
    ) -> None:
        super().__init__()
        if hidden_layer_sizes is None:
            n_neurons = max(_FEWEST_NEURONS, round(n_hidden_neurons_multiplier * n_inputs))
            hidden_layer_sizes = (n_neurons,) * (n_layers - 1)
        n_in_bits = n_a_bits if n_in_bits is None else n_in_bits
        if n_out_accum_bits is None:
            n_out_accum_bits = n_accum_bits
        bits_of = {
            "n_w_bits": n_w_bits,
            "n_a_bits": n_a_bits,
            "n_in_bits": n_in_bits,
            "n_accum_bits": n_accum_bits,
            "n_out_accum_bits": n_out_accum_bits,
        }
        _check_bits(bits_of)
        self._options: dict[str, Any] = {**bits_of, "activation": activation}
        function = resolve_activation(activation)
        self.register_buffer("calibrated", torch.tensor(False))
        self.register_buffer("center", torch.zeros(n_inputs))
        self.register_buffer("width", torch.ones(n_inputs))
        # `n` bits of a normal variable are best spent on some (4 + n) / 3 standard
        # deviations on both sides (J. Max, "Quantizing for minimum distortion", 1960).
        step = 2 * (4 + n_in_bits) / 3 / 2**n_in_bits
        self.log_step = nn.Parameter(torch.full((n_inputs,), math.log(step)))
        # There is one more integer below zero than above.
        self.shift = nn.Parameter(torch.full((n_inputs,), step / 2))
        self.quant_input = QuantIdentity(
            LearnedStepQuant, bit_width=n_in_bits, signed=True, learned=False
        )
        sizes = (n_inputs, *hidden_layer_sizes, n_outputs)
        bits = (n_in_bits, *(n_a_bits for _ in hidden_layer_sizes))
        sums = (*(n_accum_bits for _ in hidden_layer_sizes), n_out_accum_bits)
        self.linears = nn.ModuleList(
            _Linear(n_before, n_neurons, n_w_bits, weight_budget(n_sum_bits, n_bits))
            for (n_before, n_neurons), n_bits, n_sum_bits in zip(
                pairwise(sizes), bits, sums, strict=True
            )
        )
        self.activations = nn.ModuleList(
            _QuantActivation(function, n_a_bits) for _ in hidden_layer_sizes
        )
        self.double()
        self._draw(seed)

    @torch.no_grad()
    def _draw(self, seed: int | None) -> None:
        """Draw initial weights from a seed."""
        if seed is None:
            seed = int(torch.randint(2**31, ()))
        generator = torch.Generator().manual_seed(seed)
        for layer in self.linears:
            nn.init.kaiming_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)
            layer.quantizer.fit_step(layer.weight)

    # Forward -------------------------------------------------------------------------

    def _integer_features(self, x: Tensor) -> Tensor:
        z = (x.to(self.shift.dtype) - self.center) / self.width
        q: Tensor = self.quant_input((z - self.shift) / torch.exp(self.log_step))
        return q

    def forward(self, x: Tensor) -> Tensor:
        """Return scores.

        Parameters
        ----------
        x : Tensor of shape (n_samples, n_inputs)

        Returns
        -------
        scores : Tensor of shape (n_samples, n_outputs)
            In the dtype of `x`.
        """
        if self.training and not self.calibrated:
            self.calibrate(x)
        h = self._integer_features(x)
        for layer, activation in zip(self.linears[:-1], self.activations, strict=True):
            h = activation(layer(h))
        scores: Tensor = self.linears[-1](h)
        return scores.to(x.dtype)

    @torch.no_grad()
    def calibrate(self, x: Tensor, sample_weight: Tensor | None = None) -> None:
        """Set scales so that all sums start with mean zero and variance one.

        Parameters
        ----------
        x : Tensor of shape (n_samples, n_inputs)
            Rows, the training rows at best.
        sample_weight : Tensor of shape (n_samples,), optional
            How much each row counts.
        """
        x = x.to(self.shift.dtype)
        weights = torch.ones_like(x[:, 0]) if sample_weight is None else sample_weight.to(x)
        weights = weights / weights.sum()
        mean, scale = weighted_moments(x, weights)
        self.center.copy_(mean)
        self.width.copy_(scale)
        h = self._integer_features(x)
        for place, layer in enumerate(self.linears):
            quantizer = layer.quantizer
            quantizer.fit_step(layer.weight)
            layer.bias.zero_()
            mean, scale = weighted_moments(layer(h), weights)
            quantizer.log_gain.sub_(torch.log(scale)[:, None])
            layer.bias.copy_(-mean / scale)
            if place < len(self.activations):
                z = layer(h)
                self.activations[place].calibrate(z, weights)
                h = self.activations[place](z)
        self.calibrated.fill_(True)

    @torch.no_grad()
    def rescale_outputs(self, factor: Tensor, offset: Tensor) -> None:
        """Turn scores into ``factor * scores + offset``, by the last layer's parameters.

        Parameters
        ----------
        factor, offset : Tensor of shape (n_outputs,)
            Factors are positive.
        """
        layer = self.linears[-1]
        layer.quantizer.log_gain.add_(torch.log(factor)[:, None])
        layer.bias.mul_(factor).add_(offset)

    # Integers and pruning ------------------------------------------------------------

    @torch.no_grad()
    def integer_weights(self) -> list[np.ndarray]:
        """Return the integers that stand for the weights.

        Returns
        -------
        weights : list of ndarray of int64 of shape (n_neurons, n_inputs)
            One for each layer, each integer in ``[-(2**(n_w_bits-1) - 1),
            2**(n_w_bits-1) - 1]``.
        """
        return [layer.integers().cpu().numpy().astype(np.int64) for layer in self.linears]

    @torch.no_grad()
    def prune_neurons(self, n_kept: tuple[int, ...], x: Tensor) -> None:
        """Disconnect the hidden neurons that contribute least to what follows.

        A neuron contributes as much as its activation varies, times the magnitude of the
        weights that it is multiplied by. Neurons that are disconnected stay so.

        Parameters
        ----------
        n_kept : tuple of int
            How many neurons each hidden layer keeps.
        x : Tensor of shape (n_samples, n_inputs)
            Rows on which activations are compared.
        """
        h = self._integer_features(x)
        for place, activation in enumerate(self.activations):
            h = activation(self.linears[place](h))
            layer = self.linears[place + 1]
            quantizer = layer.quantizer
            magnitude = (
                layer.weight * torch.exp(quantizer.log_gain) / quantizer.step
            ).abs()
            contribution = h.std(dim=0, unbiased=False) * magnitude.sum(dim=0)
            # A silent neuron comes before one that is disconnected already.
            contribution = torch.where(quantizer.kept[0] > 0, contribution, -1.0)
            best = torch.argsort(contribution, descending=True, stable=True)
            kept = torch.zeros_like(quantizer.kept)
            kept[0, best[: n_kept[place]]] = 1
            quantizer.kept.mul_(kept)

    @torch.no_grad()
    def compressed(self) -> SparseQuantNeuralNetwork:
        """Return a network of the same scores without neurons that make no difference.

        Those are the disconnected ones, those that nothing reads, and those that read
        nothing: they are constant, and become part of biases.

        Returns
        -------
        network : SparseQuantNeuralNetwork
            On the CPU, for evaluation.
        """
        source = copy.deepcopy(self).cpu().eval()
        integers = [e.integers() for e in source.linears]
        gains = [torch.exp(layer.quantizer.log_gain) for layer in source.linears]
        biases = [layer.bias.clone() for layer in source.linears]
        for place, activation in enumerate(source.activations):
            constant = (integers[place] == 0).all(dim=1)
            value = torch.where(constant, activation(biases[place]), 0.0)
            following = integers[place + 1]
            biases[place + 1] += (gains[place + 1] * following) @ value
            following[:, constant] = 0
        # The inputs, and what is kept of each layer, from the last one on.
        kept = [torch.ones_like(biases[-1], dtype=torch.bool)]
        for following in reversed(integers[1:]):
            read = (following[kept[0]] != 0).any(dim=0)
            # A layer of nothing is no layer.
            read[0] |= not read.any()
            kept.insert(0, read)
        kept.insert(0, torch.ones_like(source.shift, dtype=torch.bool))
        sizes = tuple(int(k.sum()) for k in kept)
        small = SparseQuantNeuralNetwork(
            sizes[0],
            sizes[-1],
            hidden_layer_sizes=sizes[1:-1],
            seed=0,
            **source._options,
        )
        for name in ("calibrated", "center", "width", "shift", "log_step"):
            getattr(small, name).copy_(getattr(source, name))
        for mine, theirs in zip(small.activations, source.activations, strict=True):
            mine.load_state_dict(theirs.state_dict())
        for place, layer in enumerate(small.linears):
            columns, rows = kept[place], kept[place + 1]
            quantizer = layer.quantizer
            # Weights that are quantized already stay as they are.
            layer.weight.copy_((gains[place] * integers[place])[rows][:, columns])
            layer.bias.copy_(biases[place][rows])
            quantizer.step.copy_(gains[place][rows])
            quantizer.log_gain.copy_(torch.log(gains[place][rows]))
        return small.eval()
