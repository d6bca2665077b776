"""Any net of skorch as an estimator that predicts on encrypted data."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from brevitas.proxy.quant_proxy import QuantProxyFromInjector
from sklearn.utils._param_validation import StrOptions
from skorch import NeuralNet

from fhe_estimators.base import FHE_CONSTRAINTS, FHEMixin
from fhe_estimators.core.quantized_module import ROUNDINGS
from fhe_estimators.neural_network._encrypted import (
    EncryptedClassifierMixin,
    EncryptedRegressorMixin,
)
from fhe_estimators.neural_network._wrapped import (
    WrappedClassifier,
    WrappedRegressor,
    precision,
    separated,
)

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["SkorchClassifier", "SkorchRegressor"]

#: Rows that a module is traced with, at most.
_N_EXAMPLES = 16


class _SkorchMixin(FHEMixin):
    """A float module is quantized after training, one of Brevitas has its integers."""

    _fhe_constraints: ClassVar[dict[str, list[Any]]] = {
        **FHE_CONSTRAINTS,
        "rounding": [StrOptions(set(ROUNDINGS)), None],
    }

    _mirrors: ClassVar[Any]
    _taken: ClassVar[str] = "net of skorch, or a fitted one of this class"

    net_: Any
    n_features_in_: int

    def _to_onnx(self) -> ModelProto:
        # Exporting to ONNX changes modules for a while.
        module = copy.deepcopy(self.net_.module_).cpu()
        # Rows that differ, so that it shows if one has an effect on others.
        rows = np.random.default_rng(0).normal(size=(_N_EXAMPLES, self.n_features_in_))
        example = torch.as_tensor(rows, dtype=precision(module)).numpy()
        if any(isinstance(part, QuantProxyFromInjector) for part in module.modules()):
            from fhe_estimators.core.frontends.brevitas import export_brevitas

            return export_brevitas(module, [example])
        from fhe_estimators.core.frontends.torch import export_torch

        return export_torch(module, [example])

    def _lower(
        self, X: Any, sample_weight: Any = None, *, incremental: bool = False
    ) -> None:
        rows, others = separated(X)
        weights = others.get("sample_weight") if sample_weight is None else sample_weight
        super()._lower(rows, weights, incremental=incremental)

    def _validated(self, X: Any) -> np.ndarray:
        if isinstance(X, Mapping):
            raise TypeError(
                f"{type(self).__name__} takes a dict in fit only, and encrypted results "
                "are predicted from rows alone: pass X['X']."
            )
        return super()._validated(X)

    @classmethod
    def from_sklearn_model(
        cls, model: Any, X: Any = None, *, n_bits: Any = None, p_error: float | None = None
    ) -> Any:
        """Return the encrypted twin of a net that is already fitted.

        Parameters
        ----------
        model : skorch.NeuralNet or estimator
            A fitted net of skorch, or a fitted estimator of this class. It is neither
            changed nor fitted again.
        X : array-like of shape (n_samples, n_features)
            Rows like those that it was fitted on; they have to be given.
        n_bits : int or dict, optional
            As in the constructor, with its default.
        p_error : float in (0, 1), optional
            As in the constructor, with its default.

        Returns
        -------
        estimator : instance of this class
            Fitted. Its classes are the numbers that the net predicts.

        Raises
        ------
        TypeError
            If `model` is something else.
        NotFittedError
            If `model` is not fitted.
        """
        if isinstance(model, NeuralNet):
            model = cls._mirrors._holding(model, X)
        return super().from_sklearn_model(model, X, n_bits=n_bits, p_error=p_error)

    def _calibration(self) -> str:
        return "least_error"


class SkorchClassifier(_SkorchMixin, EncryptedClassifierMixin, WrappedClassifier):
    """A classifier of skorch that predicts on encrypted data.

    `fit` clones the net and lets skorch train it, in clear. A module of layers of Brevitas
    is computed on the integers that it was trained with; a float module is quantized
    afterwards, with `n_bits`.

    Parameters
    ----------
    net : skorch.NeuralNetClassifier
        Or a `NeuralNetBinaryClassifier`. Its parameters are nested: ``net__lr``,
        ``net__module__n_neurons``. The module is given as a class.
    n_bits : int or dict, default=6
        Bits of inputs, weights and results of tables, from 1 to 16, for what no quantizer
        of the module determines. A dict ``{"op_inputs": ..., "op_weights": ...}`` sets
        results of tables and weights; it may have ``"model_inputs"`` and
        ``"model_outputs"``.
    rounding : {'exact', 'approximate'} or None, default='exact'
        How sums are rounded in front of tables. ``"exact"`` gives the same integers in
        clear and encrypted. ``"approximate"`` is faster; a sum near the border between two
        multiples may go to either when encrypted.
    rounding_bits : int, dict or 'auto', default='auto'
        Bits that are kept of the sums: of all, or by layer (the names that
        ``quantized_module_.layers`` reports). ``"auto"`` takes the cheapest that is nearly
        as accurate as all bits on the training rows.
    random_state : int, RandomState instance or None, default=None
        Seed of all that torch draws while `fit` trains; None leaves torch's own generator
        as it is.
    p_error : float, default=2**-64
        Probability that a table look-up is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    net_ : skorch.NeuralNetClassifier
        The fitted clone of `net`.
    history_ : skorch.history.History
        What skorch recorded in each epoch.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_features_in_ : int
        Number of features.
    onnx_model_ : onnx.ModelProto
        The fitted module.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    NeuralNetClassifier : A ready-made network.

    Notes
    -----
    A pickle holds the parameters of the net and the tensors of its module, from which it is
    rebuilt: modules of Brevitas cannot be pickled.

    Examples
    --------
    >>> import skorch
    >>> import torch
    >>> from fhe_estimators import SkorchClassifier
    >>> from fhe_estimators.neural_network import SparseQuantNeuralNetwork
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> net = skorch.NeuralNetClassifier(
    ...     SparseQuantNeuralNetwork,
    ...     module__n_inputs=4,
    ...     module__n_outputs=3,
    ...     module__n_accum_bits=6,
    ...     module__seed=0,
    ...     criterion=torch.nn.CrossEntropyLoss,
    ...     optimizer=torch.optim.Adam,
    ...     lr=0.02,
    ...     max_epochs=50,
    ...     train_split=None,
    ...     verbose=0,
    ... )
    >>> model = SkorchClassifier(net, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    """

    _mirrors = WrappedClassifier


class SkorchRegressor(_SkorchMixin, EncryptedRegressorMixin, WrappedRegressor):
    """A regressor of skorch that predicts on encrypted data.

    `fit` clones the net and lets skorch train it, in clear. A module of layers of Brevitas
    is computed on the integers that it was trained with; a float module is quantized
    afterwards, with `n_bits`.

    Parameters
    ----------
    net : skorch.NeuralNetRegressor
        Its parameters are nested: ``net__lr``, ``net__module__n_neurons``.
        The module is given as a class.
    n_bits : int or dict, default=6
        Bits of inputs, weights and results of tables, from 1 to 16, for what no quantizer
        of the module determines. A dict ``{"op_inputs": ..., "op_weights": ...}`` sets
        results of tables and weights; it may have ``"model_inputs"`` and
        ``"model_outputs"``.
    rounding : {'exact', 'approximate'} or None, default='exact'
        How sums are rounded in front of tables. ``"exact"`` gives the same integers in
        clear and encrypted. ``"approximate"`` is faster; a sum near the border between two
        multiples may go to either when encrypted.
    rounding_bits : int, dict or 'auto', default='auto'
        Bits that are kept of the sums: of all, or by layer (the names that
        ``quantized_module_.layers`` reports). ``"auto"`` takes the cheapest that is nearly
        as accurate as all bits on the training rows.
    random_state : int, RandomState instance or None, default=None
        Seed of all that torch draws while `fit` trains; None leaves torch's own generator
        as it is.
    p_error : float, default=2**-64
        Probability that a table look-up is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    net_ : skorch.NeuralNetRegressor
        The fitted clone of `net`.
    history_ : skorch.history.History
        What skorch recorded in each epoch.
    n_features_in_ : int
        Number of features.
    onnx_model_ : onnx.ModelProto
        The fitted module.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    NeuralNetRegressor : A ready-made network.

    Notes
    -----
    A pickle holds the parameters of the net and the tensors of its module, from which it is
    rebuilt: modules of Brevitas cannot be pickled.

    Examples
    --------
    >>> import skorch
    >>> import torch
    >>> from fhe_estimators import SkorchRegressor
    >>> from fhe_estimators.neural_network import SparseQuantNeuralNetwork
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> net = skorch.NeuralNetRegressor(
    ...     SparseQuantNeuralNetwork,
    ...     module__n_inputs=10,
    ...     module__n_outputs=1,
    ...     module__seed=0,
    ...     optimizer=torch.optim.Adam,
    ...     lr=0.02,
    ...     max_epochs=100,
    ...     train_split=None,
    ...     verbose=0,
    ... )
    >>> model = SkorchRegressor(net, random_state=0).fit(X, (y - y.mean()) / y.std())
    >>> model.score(X, (y - y.mean()) / y.std()) > 0.3
    True
    """

    _mirrors = WrappedRegressor
