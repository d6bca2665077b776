"""Plots, in the manner of scikit-learn's displays: made from a model, then drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fhe_estimators._display import Display
from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.engine import ConcreteEngine
from fhe_estimators.inspection._agreement import Agreement, agreement
from fhe_estimators.inspection._models import compiled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["AgreementDisplay", "BitWidthDisplay", "CostDisplay"]


class CostDisplay(Display):
    """Where the seconds of an encrypted row go.

    Parameters
    ----------
    names : list of str
        Of the parts: layers with tables, of how many bits, getting the keys ready, and with
        measured prices inputs and results.
    seconds : ndarray of shape (n_parts,)
        Estimated for all cores of this machine. The optimizer tells the work of the whole
        circuit; it is divided by what tables of so many bits cost.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Drawn in.
    figure_ : matplotlib.figure.Figure
        Of the axes.
    """

    def __init__(self, names: list[str], seconds: np.ndarray) -> None:
        self.names, self.seconds = names, seconds

    @classmethod
    def from_estimator(cls, model: Any, *, ax: Axes | None = None) -> Self:
        """Plot where the seconds of an encrypted row go.

        Parameters
        ----------
        model : estimator of fhe_estimators, Pipeline, search or QuantizedModule
            Fitted. It is compiled if that was not done yet; no keys are made.
        ax : matplotlib.axes.Axes, optional
            To draw in; new ones by default.

        Returns
        -------
        display : CostDisplay
        """
        return cls(*_seconds_by_part(compiled(model).fhe_circuit)).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw bars.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        display : CostDisplay
        """
        ax = self._axes(ax)
        ax.barh(self.names, self.seconds)
        ax.invert_yaxis()
        ax.set(xlabel="seconds a row (estimated)", xlim=(0, None))
        return self


def _seconds_by_part(circuit: Circuit) -> tuple[list[str], np.ndarray]:
    """Return the parts of a circuit, and the seconds of each."""
    cost, work = circuit.cost, circuit.work
    prices = ConcreteEngine().prices(circuit.p_error)
    names, operations = [], []
    for layer in circuit.layers:
        if layer.tables:
            removed = layer.input_bits - layer.kept_bits if layer.rounding == "exact" else 0
            price = prices.operations(layer.kept_bits) + removed * prices.operations(1)
            names.append(f"{layer.name}: {layer.tables:,} of {layer.kept_bits} bits")
            operations.append(layer.tables * price)
    if not names:
        return ["no tables"], np.array([cost.seconds])
    others = {"keys made ready": prices.seconds(0, cost.key_bytes)}
    if prices.calibration is not None:
        keys = prices.calibration.per_key_byte * work.key_bytes
        size = prices.calibration.per_input_byte_of_tables * work.input_bytes
        ends = prices.calibration.per_call + size
        others = {"keys made ready": keys, "inputs and results": ends}
    of_tables = max(cost.seconds - sum(others.values()), 0)
    parts = np.array(operations) / sum(operations) * of_tables
    return [*names, *others], np.append(parts, list(others.values()))


class BitWidthDisplay(Display):
    """Bits of the integers in each layer.

    Parameters
    ----------
    names : list of str
        Of the layers.
    input_bits, kept_bits, output_bits : ndarray of int of shape (n_layers,)
        Of the widest operand, what tables read of it, and of the result.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Drawn in.
    figure_ : matplotlib.figure.Figure
        Of the axes.
    """

    def __init__(
        self,
        names: list[str],
        input_bits: np.ndarray,
        kept_bits: np.ndarray,
        output_bits: np.ndarray,
    ) -> None:
        self.names, self.input_bits = names, input_bits
        self.kept_bits, self.output_bits = kept_bits, output_bits

    @classmethod
    def from_estimator(cls, model: Any, *, ax: Axes | None = None) -> Self:
        """Plot the bits of the integers in each layer.

        Parameters
        ----------
        model : estimator of fhe_estimators, Pipeline, search or QuantizedModule
            Fitted. It is compiled if that was not done yet; no keys are made.
        ax : matplotlib.axes.Axes, optional
            To draw in; new ones by default.

        Returns
        -------
        display : BitWidthDisplay
        """
        layers = compiled(model).fhe_circuit.layers
        bits = np.array([(of.input_bits, of.kept_bits, of.output_bits) for of in layers])
        names = [f"{layer.name} ({layer.operator})" for layer in layers]
        return cls(names, *bits.reshape(-1, 3).T).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw three points for each layer.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        display : BitWidthDisplay
        """
        ax = self._axes(ax)
        for bits, marker, label in (
            (self.input_bits, "o", "operand"),
            (self.kept_bits, "v", "kept for the table"),
            (self.output_bits, "s", "result"),
        ):
            ax.plot(bits, self.names, marker, fillstyle="none", label=label)
        ax.invert_yaxis()
        ax.set(xlabel="bits", xlim=(0, None))
        ax.legend()
        return self


class AgreementDisplay(Display):
    """How many rows are predicted as by the quantized model.

    Parameters
    ----------
    comparisons : Agreement
        Of `agreement`.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Drawn in.
    figure_ : matplotlib.figure.Figure
        Of the axes.
    """

    def __init__(self, comparisons: Agreement) -> None:
        self.comparisons = comparisons

    @classmethod
    def from_estimator(
        cls, model: Any, X: Any, y: Any = None, *, ax: Axes | None = None, **options: Any
    ) -> Self:
        """Plot how many rows are predicted alike.

        Parameters
        ----------
        model : classifier or regressor of fhe_estimators, Pipeline or search
            Fitted.
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), optional
        ax : matplotlib.axes.Axes, optional
            To draw in; new ones by default.
        **options : dict
            Of `agreement`.

        Returns
        -------
        display : AgreementDisplay
        """
        return cls(agreement(model, X, y, **options)).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw shares of equal rows with their confidence intervals.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        display : AgreementDisplay
        """
        ax = self._axes(ax)
        shares = np.array([1 - of.n_different / of.n_rows for of in self.comparisons])
        bounds = np.array([(of.equal_from, of.equal_to) for of in self.comparisons])
        errors = np.abs(bounds.T - shares)
        names = [f"{of.mode} ({of.n_rows} rows)" for of in self.comparisons]
        ax.errorbar(shares, names, xerr=errors, fmt="o", capsize=4)
        ax.invert_yaxis()
        ax.set(xlabel='rows predicted as with fhe="disable"')
        return self
