"""Quantizers of weights and activations, as Brevitas injects them into its layers.

They are small torch modules: a layer of Brevitas's own quantizers takes five times longer
on networks of this size.
"""

from __future__ import annotations

import torch
from brevitas.inject import ExtendedInjector
from brevitas.inject.enum import FloatToIntImplType
from brevitas.proxy import ActQuantProxyFromInjector, WeightQuantProxyFromInjector
from torch import Tensor, nn

__all__ = [
    "BoundedWeightQuant",
    "BoundedWeights",
    "LearnedStep",
    "LearnedStepQuant",
    "project",
    "weight_budget",
]

#: What a tensor quantizer of Brevitas returns: values, scale, zero point, bit width.
Quantized = tuple[Tensor, Tensor, Tensor, Tensor]

#: Clear integers give the same results as a network in double precision.
_DTYPE = torch.float64

#: Part of the way to the step that fits the weights best, made in each training step.
_STEP_MOMENTUM = 0.1


def weight_budget(n_accum_bits: int, n_input_bits: int) -> int:
    """Return how large the integer weights of a neuron may be together.

    Inputs ``q_k`` of ``n_input_bits`` bits lie in ``[low, high]`` with
    ``high - low = 2**n_input_bits - 1``, hence ``sum_k w_k q_k`` takes at most
    ``1 + sum_k |w_k| (high - low)`` values: no more than ``2**n_accum_bits`` if
    ``sum_k |w_k|`` is within the budget.

    Parameters
    ----------
    n_accum_bits : int
        Bits of the sum.
    n_input_bits : int
        Bits of what is weighted.

    Returns
    -------
    budget : int
    """
    return (2**n_accum_bits - 1) // (2**n_input_bits - 1)


def project(x: Tensor, largest: int, budget: int) -> Tensor:
    """Return the integers nearest to each row of `x` among those that are small together.

    Of all integer rows ``q`` with ``max |q| <= largest`` and ``sum |q| <= budget`` it is
    the one with the least ``sum (x - q)**2``. To raise ``|q_k|`` from ``m`` to ``m + 1``
    lowers that sum by ``2 (|x_k| - m - 1/2)``: less with each step, so the best row takes
    the `budget` largest of these gains that are positive. Those are the gains above some
    threshold ``t``, and ``|q_k|`` counts them: ``ceil(|x_k| - t - 1/2)``.

    Parameters
    ----------
    x : Tensor of shape (n_rows, n_columns)
    largest : int
        Bound on each integer.
    budget : int
        Bound on the sum of magnitudes in a row.

    Returns
    -------
    q : Tensor of shape (n_rows, n_columns)
        Integers in the dtype of `x`.
    """
    magnitude = x.abs()
    gains = magnitude[..., None] - torch.arange(largest, dtype=x.dtype, device=x.device)
    gains = gains.flatten(1) - 0.5
    if budget < gains.shape[1]:
        # The best gain that does not fit any more, and all that are as good.
        threshold = gains.topk(budget + 1, dim=1).values[:, -1:].clamp(min=0)
    else:
        threshold = torch.zeros_like(x[:, :1])
    taken = torch.ceil(magnitude - threshold - 0.5).clamp(0, largest)
    return torch.copysign(taken, x)


def straight_through(x: Tensor, rounded: Tensor) -> Tensor:
    """Return `rounded`, with the gradient of `x`."""
    return x + (rounded - x).detach()


class BoundedWeights(nn.Module):
    """Weights of a layer as ``gain * q``, integers `q` within a budget for each neuron.

    The direction of a neuron's weights decides on ``q = project(w / step)``, its `gain` is
    learned for itself; `step` follows the value that fits ``w`` best given `q`.

    Parameters
    ----------
    n_neurons, n_inputs : int
        Shape of the weights.
    bit_width : int
        Bits of an integer: from ``-(2**(bit_width - 1) - 1)`` to the same above zero.
    budget : int
        Bound on the sum of a neuron's magnitudes, see `weight_budget`.

    Attributes
    ----------
    log_gain : Parameter of shape (n_neurons, 1)
        Logarithm of the gains.
    step : Tensor of shape (n_neurons, 1)
    kept : Tensor of shape (1, n_inputs)
        Zero for inputs that are pruned, one for others.
    """

    step: Tensor
    kept: Tensor
    zero_point: Tensor
    n_bits: Tensor

    def __init__(self, n_neurons: int, n_inputs: int, bit_width: int, budget: int) -> None:
        super().__init__()
        self.largest = 2 ** (bit_width - 1) - 1
        self.budget = budget
        self.log_gain = nn.Parameter(torch.zeros(n_neurons, 1, dtype=_DTYPE))
        self.register_buffer("step", torch.ones(n_neurons, 1, dtype=_DTYPE))
        self.register_buffer("kept", torch.ones(1, n_inputs, dtype=_DTYPE))
        self.register_buffer("zero_point", torch.tensor(0.0, dtype=_DTYPE))
        self.register_buffer("n_bits", torch.tensor(bit_width, dtype=_DTYPE))

    def integers(self, weight: Tensor) -> Tensor:
        """Return the integers of weights, of shape (n_neurons, n_inputs)."""
        return project(weight.detach() * self.kept / self.step, self.largest, self.budget)

    @torch.no_grad()
    def fit_step(self, weight: Tensor) -> None:
        """Set `step` and the gain so that ``gain * q`` is near to the weights."""
        magnitude = (weight * self.kept).abs()
        top = magnitude.amax(dim=1, keepdim=True)
        best = torch.full_like(self.step, -1.0)
        # The largest weight comes out as anything up to the largest integer. Steps are
        # compared by the angle between `q` and the weights.
        for part in torch.linspace(0.5, self.largest + 0.5, 4 * self.largest + 1):
            step = torch.where(top > 0, top / part, 1.0)
            q = project(magnitude / step, self.largest, self.budget)
            norm = torch.linalg.vector_norm(q, dim=1, keepdim=True).clamp(min=1)
            cosine = (q * magnitude).sum(dim=1, keepdim=True) / norm
            self.step = torch.where(cosine > best, step, self.step)
            best = torch.maximum(best, cosine)
        self.log_gain.copy_(torch.log(self.step))

    @torch.no_grad()
    def _follow(self, weight: Tensor, q: Tensor) -> None:
        """Move `step` towards the factor with which `q` fits the weights best."""
        norm = (q * q).sum(dim=1, keepdim=True)
        fitted = (q * weight).sum(dim=1, keepdim=True) / norm.clamp(min=1)
        target = torch.where(norm > 0, fitted, self.step)
        self.step = self.step.lerp(target, _STEP_MOMENTUM)

    def forward(self, weight: Tensor) -> Quantized:
        """Return quantized weights; in training, adapt `step`."""
        q = self.integers(weight)
        gain = torch.exp(self.log_gain)
        value = gain * straight_through(weight * self.kept / self.step, q)
        if self.training:
            self._follow(weight, q)
        return value, gain, self.zero_point, self.n_bits


class LearnedStep(nn.Module):
    """Integers ``round(x / step)``, clipped to what `bit_width` bits hold.

    The step is learned by its own gradient (LSQ [1]_), through its logarithm.

    Parameters
    ----------
    bit_width : int
    signed : bool
        Whether the integers are around zero or start there.
    learned : bool
        False for a step of one.

    References
    ----------
    .. [1] S. K. Esser, J. L. McKinstry, D. Bablani, R. Appuswamy, D. S. Modha, "Learned
       step size quantization", International Conference on Learning Representations, 2020.
    """

    zero_point: Tensor
    n_bits: Tensor

    def __init__(self, bit_width: int, signed: bool, learned: bool = True) -> None:
        super().__init__()
        self.low = -(2 ** (bit_width - 1)) if signed else 0
        self.high = self.low + 2**bit_width - 1
        self.log_step = nn.Parameter(torch.tensor(0.0, dtype=_DTYPE), learned)
        self.register_buffer("zero_point", torch.tensor(0.0, dtype=_DTYPE))
        self.register_buffer("n_bits", torch.tensor(bit_width, dtype=_DTYPE))

    def fit_step(self, mean_magnitude: Tensor) -> None:
        """Set the step by the mean magnitude of what is quantized, as the paper does."""
        step = 2 * mean_magnitude / self.high**0.5
        with torch.no_grad():
            self.log_step.copy_(torch.log(torch.where(step > 0, step, 1.0)))

    def forward(self, x: Tensor) -> Quantized:
        """Return quantized values."""
        step = torch.exp(self.log_step)
        clipped = torch.clamp(x / step, self.low, self.high)
        value = step * straight_through(clipped, torch.round(clipped))
        return value, step, self.zero_point, self.n_bits


class BoundedWeightQuant(ExtendedInjector):
    """`BoundedWeights` for a layer of Brevitas.

    The layer takes ``weight_bit_width``, ``weight_budget``, ``weight_n_neurons`` and
    ``weight_n_inputs``.
    """

    proxy_class = WeightQuantProxyFromInjector
    tensor_quant = BoundedWeights
    signed = True
    narrow_range = True


class LearnedStepQuant(ExtendedInjector):
    """`LearnedStep` for a layer of Brevitas, which takes ``bit_width`` and ``signed``."""

    proxy_class = ActQuantProxyFromInjector
    tensor_quant = LearnedStep
    narrow_range = False
    float_to_int_impl_type = FloatToIntImplType.ROUND
