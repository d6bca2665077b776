"""Any net of skorch as an estimator that predicts on encrypted data."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from brevitas.proxy.quant_proxy import QuantProxyFromInjector
from sklearn.base import clone
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)
from skorch import NeuralNet, NeuralNetBinaryClassifier
from torch import Tensor

from fhe_estimators.base import FHE_CONSTRAINTS, FHEClassifierMixin, FHERegressorMixin
from fhe_estimators.core.lowering import MARGINS
from fhe_estimators.neural_network._base import (
    EncryptedNetMixin,
    NetClassifier,
    NetEstimator,
    NetRegressor,
    to_tensor,
)
from fhe_estimators.neural_network._epochs import epochs_shown
from fhe_estimators.neural_network._weights import weighing

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["SkorchClassifier", "SkorchRegressor"]

#: Rows that a module is traced with, at most.
_N_EXAMPLES = 16


def separated(X: Any) -> tuple[Any, dict[str, Any]]:
    """Return the rows, and what else is given for each row.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or mapping
        A mapping has the rows under ``"X"``. skorch passes the rest to the forward method
        of the module, by name, and all to ``get_loss``: that is how it weighs rows.

    Raises
    ------
    ValueError
        If a mapping has no rows.
    """
    if not isinstance(X, Mapping):
        return X, {}
    if "X" not in X:
        raise ValueError(
            "A dict that is given as X must hold the rows under the key 'X'; got the keys "
            f"{', '.join(map(repr, X)) or 'none'}."
        )
    return X["X"], {name: values for name, values in X.items() if name != "X"}


class _ClearSkorch(NetEstimator):
    """What the wrappers of a classifier and of a regressor share."""

    _parameter_constraints: dict[str, list[Any]] = {
        "net": [NeuralNet],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        net,
        *,
        n_bits=6,
        rounding="exact",
        rounding_bits="auto",
        accumulator_range="calibrated",
        random_state=None,
        p_error=2**-64,
    ) -> None:
        self.net = net
        self.n_bits = n_bits
        self.rounding = rounding
        self.rounding_bits = rounding_bits
        self.accumulator_range = accumulator_range
        self.random_state = random_state
        self.p_error = p_error

    def fit(self, X, y, sample_weight=None, **fit_params):
        """Fit a clone of `net`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or dict
            A dict holds the rows under ``"X"`` and, under other names, what the forward
            method of the module is given beside them while it is trained: for example
            ``"sample_weight"``. Without them, the method must predict.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            A classifier takes one label for each row, of any kind.
        sample_weight : array-like of shape (n_samples,), optional
            What the loss of each row is multiplied by; the criterion has to be one of
            torch.
        **fit_params : dict
            Passed to the net: to the forward method of its module.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the module has not as many outputs as there are classes or targets.
        """
        self._validate_params()
        X, others = separated(X)
        X, y = validate_data(self, X, y, dtype=np.float64, **self._target_checks)
        check_consistent_length(X, *others.values())
        (X, y, others), weights = _counting(X, y, others, sample_weight)
        targets = self._targets(y, reset=True)
        with self._seeded():
            self.net_ = clone(self.net).initialize()
            self._train(X, targets, others, weights, fit_params)
        self._check_outputs()
        return self

    def _train(
        self,
        X: np.ndarray,
        targets: np.ndarray,
        others: dict[str, Any],
        weights: np.ndarray | None,
        fit_params: dict[str, Any],
    ) -> None:
        """Let skorch train the net on rows, for its number of epochs."""
        net = self.net_
        dtype = precision(net.module_)
        x, y = to_tensor(X, dtype=dtype), to_tensor(targets)
        if y.is_floating_point() or isinstance(net, NeuralNetBinaryClassifier):
            y = y.to(dtype)
        rows: Any = x if not others else {"X": x, **_tensors(others, dtype)}
        shaped = self._shaped(y, x)
        how: AbstractContextManager[None] = nullcontext()
        if weights is not None:
            how = weighing(net, rows, to_tensor(weights))
        with how, epochs_shown(net, fit_params.get("epochs")):
            net.partial_fit(rows, shaped, **fit_params)
        net.module_.eval()

    def _goes_on(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Any:
        """Train the net on, or for the first time, and return the estimator."""
        first = not hasattr(self, "net_")
        self._validate_params()
        X, y = validate_data(
            self, X, y, reset=first, dtype=np.float64, **self._target_checks
        )
        (X, y, _), weights = _counting(X, y, {}, sample_weight)
        named = {} if classes is None else {"classes": classes}
        targets = self._targets(y, reset=first, **named)
        with self._seeded():
            if first:
                self.net_ = clone(self.net).initialize()
            self._train(X, targets, {}, weights, {})
        self._check_outputs()
        return self

    def _check_outputs(self) -> None:
        """Raise if the outputs of the module do not suit the targets."""

    @classmethod
    def _holding(cls, net: NeuralNet, X: Any) -> Any:
        """Return an estimator that holds a net that skorch has fitted, on rows like `X`.

        Raises
        ------
        NotFittedError
            If it is not fitted.
        """
        check_is_fitted(net, "module_")
        model: Any = cls(net)
        model._validate_params()
        validate_data(model, X, dtype=np.float64)
        model.net_ = net
        return model

    def _shaped(self, y: Tensor, x: Tensor) -> Tensor:
        """Return targets in the shape of the module's output, (n_samples,) or with columns.

        A loss would broadcast one shape against the other, row against row.
        """
        try:
            # Two rows: a single one may be squeezed away.
            output = self._output(x[[0, -1]])
        except Exception:
            # A callback may still set the shapes of the module, as training begins. If
            # not, training raises the same.
            return y
        if output.ndim > 1:
            return y
        n_targets = y.shape[1:].numel()
        if n_targets > 1:
            raise ValueError(
                f"The module of 'net' gives one number for each row, but y has "
                f"{n_targets} columns. Build it with that many outputs."
            )
        return y.reshape(-1)

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """Let torch draw from `random_state`, if one is given, and forget about it."""
        if self.random_state is None:
            yield
            return
        seed = int(check_random_state(self.random_state).randint(2**31))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield

    def _forward(self, X: np.ndarray) -> Tensor:
        # One row is computed as two: it may be squeezed away otherwise.
        rows = np.concatenate([X, X]) if len(X) == 1 else X
        output = self._output(to_tensor(rows, dtype=precision(self.net_.module_)))
        return output.reshape(len(rows), -1)[: len(X)]

    def _output(self, x: Tensor) -> Tensor:
        # torch's data loader draws a number that nobody uses.
        with torch.random.fork_rng(devices=[]):
            outputs = self.net_.forward(x)
        # Only the first of several outputs is predicted from, as in skorch.
        first: Tensor = outputs[0] if isinstance(outputs, tuple) else outputs
        return first


def _counting(X: Any, y: Any, others: dict[str, Any], sample_weight: Any) -> Any:
    """Return rows, targets and what else there is of rows that count, and their weights."""
    if sample_weight is None:
        return (X, y, others), None
    weights = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    counts = weights > 0
    others = {name: np.asarray(values)[counts] for name, values in others.items()}
    return (X[counts], y[counts], others), weights[counts]


def _tensors(arrays: dict[str, Any], dtype: torch.dtype) -> dict[str, Tensor]:
    """Return arrays as tensors, floating point numbers in a type."""
    tensors = {name: to_tensor(np.asarray(array)) for name, array in arrays.items()}
    return {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }


def precision(module: torch.nn.Module) -> torch.dtype:
    """Return the type of floating point numbers that a module computes with."""
    floats = (p.dtype for p in module.parameters() if p.is_floating_point())
    return next(floats, torch.float32)


class ClearSkorchClassifier(NetClassifier, _ClearSkorch):
    """A classifier of skorch, in clear."""

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train the net on, for its number of epochs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Ranges of integers come from these rows, not from those of earlier calls.
        y : array-like of shape (n_samples,)
        classes : array-like of shape (n_classes,), optional
            All labels; needed in the first call if `y` does not have all.
        sample_weight : array-like of shape (n_samples,), optional
            As in `fit`.

        Returns
        -------
        self : object
        """
        return self._goes_on(X, y, sample_weight, classes)

    def _n_classes(self) -> int:
        """Return the number of classes that the module has outputs for."""
        n_outputs = self._forward(np.zeros((1, self.n_features_in_))).shape[1]
        return self._probabilities(np.zeros((1, n_outputs))).shape[1]

    def _check_outputs(self) -> None:
        n_found = self._n_classes()
        if n_found != len(self.classes_):
            raise ValueError(
                f"The module of 'net' tells {n_found} classes apart, but y has "
                f"{len(self.classes_)}: {self.classes_}. Build it with that many outputs."
            )

    def _probabilities(self, outputs: np.ndarray) -> np.ndarray:
        # It follows from the criterion; there is no public way to it.
        nonlinearity = self.net_._get_predict_nonlinearity()
        scores = outputs[:, 0] if outputs.shape[1] == 1 else outputs
        probabilities: np.ndarray = nonlinearity(to_tensor(scores)).numpy()
        return probabilities

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each row, or what the net's threshold says."""
        probabilities = self._probabilities(self._outputs(X))
        threshold = getattr(self.net_, "threshold", None)
        if threshold is None:
            return self.classes_[np.argmax(probabilities, axis=1)]
        probability = probabilities[:, 1]
        return self.classes_[(probability > threshold).astype(int)]

    @classmethod
    def _holding(cls, net: NeuralNet, X: Any) -> ClearSkorchClassifier:
        """Return a classifier that holds a net that skorch has fitted."""
        model = super()._holding(net, X)
        # skorch predicts places: those that the module tells apart.
        model.classes_ = np.arange(model._n_classes())
        return model


class ClearSkorchRegressor(NetRegressor, _ClearSkorch):
    """A regressor of skorch, in clear."""

    def partial_fit(self, X, y, sample_weight=None):
        """Train the net on, for its number of epochs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Ranges of integers come from these rows, not from those of earlier calls.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional
            As in `fit`.

        Returns
        -------
        self : object
        """
        return self._goes_on(X, y, sample_weight)

    @classmethod
    def _holding(cls, net: NeuralNet, X: Any) -> ClearSkorchRegressor:
        """Return a regressor that holds a net that skorch has fitted."""
        model = super()._holding(net, X)
        rows = to_tensor(np.zeros((2, model.n_features_in_)), dtype=precision(net.module_))
        model._flat = model._output(rows).ndim == 1
        return model


class _SkorchMixin(EncryptedNetMixin):
    """A float module is quantized after training, one of Brevitas has its integers."""

    _fhe_constraints: ClassVar[dict[str, list[Any]]] = {
        **EncryptedNetMixin._fhe_constraints,
        "n_bits": FHE_CONSTRAINTS["n_bits"],
        "accumulator_range": [StrOptions(set(MARGINS))],
    }
    _calibration: ClassVar[str] = "least_error"
    _mirrors: ClassVar[Any]
    _taken: ClassVar[str] = "net of skorch, or a fitted one of this class"

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

    def _link_of_outputs(self) -> str:
        """Return what skorch makes probabilities with, which follows from the criterion.

        Raises
        ------
        ValueError
            If it is a function of the user's own.
        """
        given = self.net_.predict_nonlinearity
        if given not in ("auto", None):
            raise ValueError(
                f"The parameter predict_nonlinearity of 'net' must be 'auto' or None to be "
                f"deployed; got {given!r}. Put the function into the module."
            )
        if given is None or len(self.net_._criteria) != 1:
            return "none"
        criterion = getattr(self.net_, f"{self.net_._criteria[0]}_")
        links = {
            torch.nn.CrossEntropyLoss: "softmax",
            torch.nn.BCEWithLogitsLoss: "two_sided",
            torch.nn.BCELoss: "complement",
        }
        found = (link for kind, link in links.items() if isinstance(criterion, kind))
        return next(found, "none")

    @classmethod
    def _holder(cls, model: Any, X: Any = None) -> Any:
        if isinstance(model, NeuralNet):
            if X is None:
                raise cls._no_rows()
            model = cls._mirrors._holding(model, X)
        return super()._holder(model, X)

    @classmethod
    def from_skorch(
        cls,
        net: Any,
        X: Any = None,
        *,
        n_bits: Any = None,
        p_error: float | None = None,
        **parameters: Any,
    ) -> Any:
        """Return the encrypted twin of a net that skorch has fitted.

        Parameters
        ----------
        net : skorch.NeuralNet
            It is neither changed nor fitted again.
        X : array-like of shape (n_samples, n_features)
            Rows like those that it was fitted on; they have to be given.
        n_bits : int or dict, optional
            As in the constructor, with its default.
        p_error : float in (0, 1), optional
            As in the constructor, with its default.
        **parameters : dict
            Others of the constructor that say how a net is encrypted.

        Returns
        -------
        estimator : instance of this class
            Fitted. Its classes are the numbers that the net predicts.

        Raises
        ------
        TypeError
            If `net` is something else, or `X` is missing.
        NotFittedError
            If `net` is not fitted.
        """
        if not isinstance(net, NeuralNet):
            raise TypeError(
                f"{cls.__name__}.from_skorch takes a fitted net of skorch; got a "
                f"{type(net).__name__}."
            )
        return cls.from_sklearn_model(net, X, n_bits=n_bits, p_error=p_error, **parameters)


class SkorchClassifier(_SkorchMixin, FHEClassifierMixin, ClearSkorchClassifier):
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
        ``quantized_module_.layers`` reports). ``"auto"`` takes as few of them, and of
        weights and results of tables, as give nearly what all bits give on the training
        rows.
    accumulator_range : {'calibrated', 'worst_case'}, default='calibrated'
        Which sums tables cover. ``"calibrated"``: those of the training rows with a margin
        of a quarter of their range on either side, which takes fewer bits or keeps more of
        them. Farther out tables wrap around, encrypted exactly as in clear, where a
        `WrapAroundWarning` counts such rows. ``"worst_case"``: all that there can be.
    random_state : int, RandomState instance or None, default=None
        Seed of all that torch draws while `fit` trains; None leaves torch's own generator
        as it is.
    p_error : float, default=2**-64
        Probability that a table look-up is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    history_ : skorch.history.History
        What skorch recorded in each epoch.
    net_ : skorch.NeuralNetClassifier
        The fitted clone of `net`.
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

    # Of this class; `make mirror` writes Parameters and Attributes.
    _mirrors = ClearSkorchClassifier


class SkorchRegressor(_SkorchMixin, FHERegressorMixin, ClearSkorchRegressor):
    """A regressor of skorch that predicts on encrypted data.

    `fit` clones the net and lets skorch train it, in clear. A module of layers of Brevitas
    is computed on the integers that it was trained with; a float module is quantized
    afterwards, with `n_bits`.

    Parameters
    ----------
    net : skorch.NeuralNetRegressor
        Its parameters are nested: ``net__lr``, ``net__module__n_neurons``. The module is
        given as a class.
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
        ``quantized_module_.layers`` reports). ``"auto"`` takes as few of them, and of
        weights and results of tables, as give nearly what all bits give on the training
        rows.
    accumulator_range : {'calibrated', 'worst_case'}, default='calibrated'
        Which sums tables cover. ``"calibrated"``: those of the training rows with a margin
        of a quarter of their range on either side, which takes fewer bits or keeps more of
        them. Farther out tables wrap around, encrypted exactly as in clear, where a
        `WrapAroundWarning` counts such rows. ``"worst_case"``: all that there can be.
    random_state : int, RandomState instance or None, default=None
        Seed of all that torch draws while `fit` trains; None leaves torch's own generator
        as it is.
    p_error : float, default=2**-64
        Probability that a table look-up is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    history_ : skorch.history.History
        What skorch recorded in each epoch.
    net_ : skorch.NeuralNetRegressor
        The fitted clone of `net`.
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

    # Of this class; `make mirror` writes Parameters and Attributes.
    _mirrors = ClearSkorchRegressor
