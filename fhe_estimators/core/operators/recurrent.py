"""Recurrent layers, written out step by step."""

from __future__ import annotations

from fhe_estimators.core.operators._base import register
from fhe_estimators.core.operators._recurrence import Recurrent, attributes_of


@register("RNN", since=7)
class RNN(Recurrent):
    """``h = f(x @ W' + h @ R' + b)``."""

    @staticmethod
    def f(
        x,
        w,
        r,
        b=None,
        sequence_lens=None,
        initial_h=None,
        *,
        activation_alpha=None,
        activation_beta=None,
        activations=("Tanh", "Tanh"),
        clip=None,
        direction="forward",
        hidden_size=None,
        layout=0,
    ):
        options = attributes_of(locals())
        return RNN.computed([x, w, r, b, sequence_lens, initial_h], options)

    @classmethod
    def cell(cls, run, x, states, weights, act):
        """Return the next state."""
        return [act[0](run.gate(weights, 0, x, states[0]))]


@register("GRU", since=7)
class GRU(Recurrent):
    """Gated recurrent units: ``h = (1 - z) * n + z * h``."""

    n_gates = 3
    functions = ("Sigmoid", "Tanh")

    @staticmethod
    def f(
        x,
        w,
        r,
        b=None,
        sequence_lens=None,
        initial_h=None,
        *,
        activation_alpha=None,
        activation_beta=None,
        activations=None,
        clip=None,
        direction="forward",
        hidden_size=None,
        layout=0,
        linear_before_reset=0,
    ):
        options = attributes_of(locals())
        return GRU.computed([x, w, r, b, sequence_lens, initial_h], options)

    @classmethod
    def cell(cls, run, x, states, weights, act):
        """Return the next state: ``n + z * (h - n)``."""
        (h,) = states
        z = act[0](run.gate(weights, 0, x, h))
        r = act[0](run.gate(weights, 1, x, h))
        ahead = run.gemm(x, weights["W2"], weights["Wb2"])
        if h is None:
            shift = weights["Rb2"]
            if shift is not None and weights["options"].get("linear_before_reset"):
                shift = run.mul(r, shift)
            new = act[1](run.add(ahead, shift))
            return [run.apply("Sub", new, run.mul(z, new))]
        if weights["options"].get("linear_before_reset"):
            back = run.mul(r, run.gemm(h, weights["R2"], weights["Rb2"]))
        else:
            back = run.gemm(run.mul(r, h), weights["R2"], weights["Rb2"])
        new = act[1](run.add(ahead, back))
        return [run.add(new, run.mul(z, run.apply("Sub", h, new)))]


@register("LSTM", since=7)
class LSTM(Recurrent):
    """Long short-term memory: ``c = f * c + i * g``, ``h = o * tanh(c)``."""

    n_gates = 4
    functions = ("Sigmoid", "Tanh", "Tanh")
    n_states = 2

    @staticmethod
    def f(
        x,
        w,
        r,
        b=None,
        sequence_lens=None,
        initial_h=None,
        initial_c=None,
        p=None,
        *,
        activation_alpha=None,
        activation_beta=None,
        activations=None,
        clip=None,
        direction="forward",
        hidden_size=None,
        input_forget=0,
        layout=0,
    ):
        options = attributes_of(locals())
        inputs = [x, w, r, b, sequence_lens, initial_h, initial_c, p]
        return LSTM.computed(inputs, options)

    @classmethod
    def cell(cls, run, x, states, weights, act):
        """Return the next state and the next memory; gates are i, o, f, c."""
        h, c = states

        def seen(number, place, memory):
            total, peephole = run.gate(weights, number, x, h), weights[f"P{place}"]
            if peephole is None or memory is None:
                return total
            return run.add(total, run.mul(peephole, memory))

        i = act[0](seen(0, 0, c))
        g = act[1](run.gate(weights, 3, x, h))
        memory = run.mul(i, g)
        if c is not None:
            if weights["options"].get("input_forget"):
                # 1 - i in the place of a gate of its own.
                kept = run.apply("Sub", c, run.mul(i, c))
            else:
                kept = run.mul(act[0](seen(2, 2, c)), c)
            memory = run.add(kept, memory)
        o = act[0](seen(1, 1, memory))
        return [run.mul(o, act[2](memory)), memory]
