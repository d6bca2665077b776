"""Ready-made networks that predict on encrypted data, and how they are trained."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.special import expit, softmax
from sklearn.base import is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_sample_weight, validate_data
from skorch import NeuralNet
from skorch.helper import predefined_split
from torch import Tensor

from fhe_estimators.base import FHEClassifierMixin, FHERegressorMixin
from fhe_estimators.core.quantization import MAXIMUM_N_BITS, resolve_n_bits
from fhe_estimators.core.validation import P_ERROR
from fhe_estimators.neural_network._base import (
    EncryptedNetMixin,
    NetClassifier,
    NetEstimator,
    NetRegressor,
    to_tensor,
)
from fhe_estimators.neural_network._epochs import epochs_shown
from fhe_estimators.neural_network._module import SparseQuantNeuralNetwork, weighted_moments
from fhe_estimators.neural_network._training import (
    Batches,
    WeightedLoss,
    callbacks_for,
    check_callbacks,
    check_sizes,
    dataset_of,
    explain_callbacks,
    few_threads,
    net_for,
    resolve_optimizer,
    train_once,
)

if TYPE_CHECKING:
    from onnx import ModelProto

    from fhe_estimators.core.integers import BitWidths

__all__ = ["NeuralNetClassifier", "NeuralNetRegressor"]

#: Parameters that `SparseQuantNeuralNetwork` gets as they are.
_MODULE_PARAMETERS = (
    "n_layers",
    "n_hidden_neurons_multiplier",
    "hidden_layer_sizes",
    "n_w_bits",
    "n_a_bits",
    "n_in_bits",
    "n_accum_bits",
    "n_out_accum_bits",
    "activation",
)

_BITS = Interval(Integral, 2, MAXIMUM_N_BITS, closed="both")
_POSITIVE = Interval(Integral, 1, None, closed="left")
_SEEDS = 2**31


class _ClearNeuralNet(NetEstimator):
    """What the ready-made classifier and regressor share: parameters and training."""

    _parameter_constraints: dict[str, list[Any]] = {
        "n_layers": [_POSITIVE],
        "n_hidden_neurons_multiplier": [Interval(Real, 0, None, closed="neither")],
        "hidden_layer_sizes": ["array-like", None],
        "n_w_bits": [_BITS],
        "n_a_bits": [_BITS],
        "n_in_bits": [_BITS, None],
        "n_accum_bits": [Interval(Integral, 2, 32, closed="both")],
        "n_out_accum_bits": [Interval(Integral, 2, 32, closed="both"), None],
        "activation": [str, type],
        "neuron_sparsity": [Interval(Real, 0, 1, closed="left")],
        "max_epochs": [_POSITIVE],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [_POSITIVE],
        "optimizer": [str, type],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "callbacks": [list, None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [_POSITIVE],
        "warm_start": ["boolean"],
        "device": [str],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "rounding": [str, None],
        "rounding_bits": [Integral, dict, str],
        "p_error": [P_ERROR],
    }

    def __init__(
        self,
        *,
        n_layers=2,
        n_hidden_neurons_multiplier=1,
        hidden_layer_sizes=None,
        n_w_bits=3,
        n_a_bits=2,
        n_in_bits=None,
        n_accum_bits=4,
        n_out_accum_bits=None,
        activation="ReLU",
        neuron_sparsity=0.0,
        max_epochs=100,
        lr=0.02,
        batch_size=64,
        optimizer="Adam",
        weight_decay=1e-3,
        callbacks=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        warm_start=False,
        device="cpu",
        verbose=0,
        random_state=None,
        rounding=None,
        rounding_bits="auto",
        p_error=2**-64,
    ) -> None:
        self.n_layers = n_layers
        self.n_hidden_neurons_multiplier = n_hidden_neurons_multiplier
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_w_bits = n_w_bits
        self.n_a_bits = n_a_bits
        self.n_in_bits = n_in_bits
        self.n_accum_bits = n_accum_bits
        self.n_out_accum_bits = n_out_accum_bits
        self.activation = activation
        self.neuron_sparsity = neuron_sparsity
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.callbacks = callbacks
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.device = device
        self.verbose = verbose
        self.random_state = random_state
        self.rounding = rounding
        self.rounding_bits = rounding_bits
        self.p_error = p_error

    # What classifier and regressor differ in ------------------------------------------

    def _loss_and_outputs(self, y: np.ndarray) -> tuple[str, int]:
        """Return the name of the loss and the number of outputs."""
        raise NotImplementedError

    @contextmanager
    def _trainable(self, y: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the targets that the module is trained on."""
        yield y

    # Training ------------------------------------------------------------------------

    def fit(self, X, y, sample_weight=None):
        """Fit the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            A classifier takes one label for each row.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        self : object
        """
        return self._fit(X, y, sample_weight, incremental=False)

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, *, incremental: bool, **of_targets: Any
    ) -> Any:
        """Validate everything, then train: one epoch, or until the net is fitted."""
        self._validate_params()
        check_callbacks(self.callbacks)
        check_sizes(self.hidden_layer_sizes)
        started = hasattr(self, "net_") and (incremental or self.warm_start)
        X, y, weights = self._counted(X, y, sample_weight, reset=not started)
        targets = self._targets(y, reset=not started, **of_targets)
        with few_threads(X.size):
            if not started:
                self._random = check_random_state(self.random_state)
                self.net_ = self._new_net(X, targets, weights)
            self._train(X, targets, weights, incremental=incremental)
        return self

    def _counted(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return validated features, targets and weights of rows of positive weight."""
        X, y = validate_data(
            self, X, y, reset=reset, dtype=np.float64, **self._target_checks
        )
        weights = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        counts = weights > 0
        weights = weights[counts]
        return X[counts], y[counts], weights / weights.mean()

    def _new_net(self, X: np.ndarray, y: np.ndarray, weights: np.ndarray) -> NeuralNet:
        """Return an initialized and calibrated net."""
        loss, n_outputs = self._loss_and_outputs(y)
        module = {f"module__{name}": getattr(self, name) for name in _MODULE_PARAMETERS}
        decayed = [("linears.*.weight", {"weight_decay": self.weight_decay})]
        net_class, own = net_for(loss, n_outputs)
        net = net_class(
            SparseQuantNeuralNetwork,
            criterion=WeightedLoss,
            optimizer=resolve_optimizer(self.optimizer),
            iterator_train=Batches,
            iterator_valid=Batches,
            train_split=None,
            callbacks=[*copy.deepcopy(self.callbacks or []), *self._own_callbacks()],
            verbose=int(self.verbose),
            device=self.device,
            lr=self.lr,
            batch_size=self.batch_size,
            module__n_inputs=X.shape[1],
            module__n_outputs=n_outputs,
            module__seed=int(self._random.randint(_SEEDS)),
            criterion__loss=loss,
            optimizer__param_groups=decayed,
            **module,
            **own,
        )
        net.initialize()
        tensors = (to_tensor(array, device=self.device) for array in (X, weights))
        net.module_.calibrate(*tensors)
        return net

    def _own_callbacks(self) -> list[tuple[str, Any]]:
        """Return the callbacks that `fit` alone uses: pruning and early stopping too."""
        patience = self.n_iter_no_change if self.early_stopping else None
        return callbacks_for(self.neuron_sparsity, patience)

    def _train(
        self, X: np.ndarray, y: np.ndarray, weights: np.ndarray, *, incremental: bool
    ) -> None:
        """Train the net on validated rows."""
        net = self.net_
        seed = int(self._random.randint(_SEEDS))
        train: Any = slice(None)
        with self._trainable(y) as targets:
            tensors = [to_tensor(array) for array in (X, targets, weights)]
            if self.early_stopping and not incremental:
                train, valid = train_test_split(
                    np.arange(len(X)),
                    test_size=self.validation_fraction,
                    random_state=seed,
                    stratify=y if is_classifier(self) else None,
                )
                held_out = dataset_of(*(tensor[valid] for tensor in tensors))
                net.set_params(train_split=predefined_split(held_out))
            net.set_params(max_epochs=self.max_epochs, lr=self.lr)
            net.iterator_train__seed = seed
            dataset = dataset_of(*(tensor[train] for tensor in tensors))
            with explain_callbacks(held_out=net.train_split is not None):
                if incremental:
                    train_once(net, dataset, {name for name, _ in self._own_callbacks()})
                else:
                    with epochs_shown(net):
                        net.partial_fit(dataset)
        # Nothing of the data is kept.
        net.set_params(train_split=None)
        if self.early_stopping and not incremental:
            # Brevitas made new parameters when the best ones were loaded.
            net.initialize_optimizer()
        net.module_.eval()

    def _forward(self, X: np.ndarray) -> Tensor:
        with few_threads(X.size), torch.inference_mode():
            scores: Tensor = self.net_.module_(to_tensor(X, device=self.device))
        return scores


class ClearNeuralNetClassifier(NetClassifier, _ClearNeuralNet):
    """A quantized network that classifies, in clear."""

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one more epoch, at the constant learning rate `lr`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        classes : array-like of shape (n_classes,), optional
            All labels; needed in the first call if `y` does not have all.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        self : object
        """
        return self._fit(X, y, sample_weight, incremental=True, classes=classes)

    def _loss_and_outputs(self, y: np.ndarray) -> tuple[str, int]:
        n_classes = len(self.classes_)
        return ("binary_log_loss", 1) if n_classes == 2 else ("log_loss", n_classes)

    def decision_function(self, X):
        """Return the logit of the second of two classes, or the score of each class."""
        scores = self._outputs(X)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def _probabilities(self, outputs: np.ndarray) -> np.ndarray:
        if len(self.classes_) > 2:
            return softmax(outputs, axis=1)
        return np.hstack([expit(-outputs), expit(outputs)])


class ClearNeuralNetRegressor(NetRegressor, _ClearNeuralNet):
    """A quantized network that predicts numbers, in clear.

    Targets are standardized for training; the last layer takes the scale over.
    """

    def partial_fit(self, X, y, sample_weight=None):
        """Train for one more epoch, at the constant learning rate `lr`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        self : object
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def _loss_and_outputs(self, y: np.ndarray) -> tuple[str, int]:
        return "squared_error", y.shape[1]

    def _new_net(self, X: np.ndarray, y: np.ndarray, weights: np.ndarray) -> NeuralNet:
        net = super()._new_net(X, y, weights)
        parts = to_tensor(weights / weights.sum(), device=self.device)
        moments = weighted_moments(to_tensor(y, device=self.device), parts)
        self._target_mean, self._target_scale = (m.cpu().numpy() for m in moments)
        self._rescale_outputs(net, self._target_scale, self._target_mean)
        return net

    def _rescale_outputs(
        self, net: NeuralNet, factor: np.ndarray, offset: np.ndarray
    ) -> None:
        net.module_.rescale_outputs(
            to_tensor(factor, device=self.device),
            to_tensor(offset, device=self.device),
        )

    @contextmanager
    def _trainable(self, y: np.ndarray) -> Iterator[np.ndarray]:
        mean, scale = self._target_mean, self._target_scale
        self._rescale_outputs(self.net_, 1 / scale, -mean / scale)
        try:
            yield (y - mean) / scale
        finally:
            self._rescale_outputs(self.net_, scale, mean)


class _NeuralNetMixin(EncryptedNetMixin):
    """The integers of training are those of the circuit."""

    n_features_in_: int

    def _to_onnx(self) -> ModelProto:
        from fhe_estimators.core.frontends.brevitas import export_brevitas

        network = self.net_.module_.compressed()
        return export_brevitas(network, [np.zeros((1, self.n_features_in_))])

    def _bit_widths(self) -> BitWidths:
        # All bits are those of the network's quantizers.
        return resolve_n_bits(8)

    def _link_of_outputs(self) -> str:
        return "two_sided" if len(self.classes_) == 2 else "softmax"


class NeuralNetClassifier(_NeuralNetMixin, FHEClassifierMixin, ClearNeuralNetClassifier):
    """A quantized neural network that classifies encrypted data.

    Trained by skorch, in clear, with the integers that encrypted prediction computes on:
    see `SparseQuantNeuralNetwork`. With ``fhe="execute"`` the client scales, quantizes and
    encrypts features; the server adds up products with integer weights and looks
    activations up in encrypted tables; the client turns the decrypted scores into labels.

    Parameters
    ----------
    n_layers : int, default=2
        Layers of weights; there are ``n_layers - 1`` hidden layers of neurons.
    n_hidden_neurons_multiplier : float, default=1
        Neurons of a hidden layer for each feature. There are at least 8.
    hidden_layer_sizes : array-like of int or None, default=None
        Neurons of each hidden layer, instead of the two parameters above.
    n_w_bits : int, default=3
        Bits of a weight, from 2 to 16: with 2 weights are -1, 0 and 1.
    n_a_bits : int, default=2
        Bits of a quantized activation, from 2 to 16.
    n_in_bits : int or None, default=None
        Bits of a quantized feature, from 2 to 16; None is `n_a_bits`.
    n_accum_bits : int, default=4
        Bits of every sum of products, from 2 to 32. Up to 4, tables are cheapest; a further
        bit doubles the time of a neuron and the size of keys.
    n_out_accum_bits : int or None, default=None
        Bits of the sums that are the scores, which no table reads; None is `n_accum_bits`.
        Two bits more are often more accurate; a table takes no longer, but more neurons
        have an effect.
    activation : str or type, default='ReLU'
        A class of ``torch.nn`` that applies a function to each number, or its name.
    neuron_sparsity : float, default=0.0
        Part of the hidden neurons that is removed in training. Neurons without effect are
        never computed, whatever the parameter.
    max_epochs : int, default=100
        Passes over the rows.
    lr : float, default=0.02
        Largest learning rate; it rises to that and falls to zero again.
    batch_size : int, default=64
        Rows of a training step.
    optimizer : str or type, default='Adam'
        A class of ``torch.optim`` or its name.
    weight_decay : float, default=1e-3
        How fast weights shrink, as the optimizer defines it.
    callbacks : list or None, default=None
        Callbacks of skorch that training calls, too.
    early_stopping : bool, default=False
        Whether to stop when the loss on rows that are held out does not improve, and to go
        back to the best parameters.
    validation_fraction : float, default=0.1
        Part of the rows that is held out for `early_stopping`.
    n_iter_no_change : int, default=10
        Epochs without improvement until `early_stopping` stops. It begins when neurons have
        been removed.
    warm_start : bool, default=False
        Whether `fit` goes on from the network that it made before.
    device : str, default='cpu'
        Where torch trains.
    verbose : int, default=0
        Whether skorch prints a line for each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed of the first weights and of the order of rows.
    rounding : {'exact', 'approximate'} or None, default=None
        How sums are rounded in front of tables, which pays where they have more than 5
        bits. None keeps the integers of training. ``"exact"`` gives the same integers in
        clear and encrypted; ``"approximate"`` is faster: a sum near the border between two
        multiples may go to either when encrypted.
    rounding_bits : int, dict or 'auto', default='auto'
        Bits that are kept of the sums: of all, or by layer (the names that
        ``quantized_module_.layers`` reports). ``"auto"`` takes as few of them, and of
        weights and results of tables, as give nearly what all bits give on the training
        rows.
    p_error : float, default=2**-64
        Probability that a table look-up is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    history_ : skorch.history.History
        What skorch recorded in each epoch.
    net_ : skorch.NeuralNet
        The fitted net; its ``module_`` is a `SparseQuantNeuralNetwork`.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_features_in_ : int
        Number of features.
    onnx_model_ : onnx.ModelProto
        The fitted network with its integers (QONNX), without neurons that have no effect.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    SkorchClassifier : Encrypted prediction with any net of skorch.
    sklearn.neural_network.MLPClassifier : Networks in clear.

    Notes
    -----
    The network is small where it is encrypted: neurons that nothing reads, or that read
    nothing, are left out, and each of the others takes one table look-up (one bootstrap).
    ``quantized_module_.layers`` counts them.

    Examples
    --------
    >>> from fhe_estimators import NeuralNetClassifier
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = NeuralNetClassifier(n_in_bits=4, n_accum_bits=6, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    """

    # Of this class; `make mirror` writes Parameters and Attributes.
    _mirrors = ClearNeuralNetClassifier


class NeuralNetRegressor(_NeuralNetMixin, FHERegressorMixin, ClearNeuralNetRegressor):
    """A quantized neural network that predicts numbers from encrypted data.

    Trained by skorch, in clear, with the integers that encrypted prediction computes on:
    see `SparseQuantNeuralNetwork`. With ``fhe="execute"`` the client scales, quantizes and
    encrypts features; the server adds up products with integer weights and looks
    activations up in encrypted tables; the client turns the decrypted scores into
    predictions.

    Parameters
    ----------
    n_layers : int, default=2
        Layers of weights; there are ``n_layers - 1`` hidden layers of neurons.
    n_hidden_neurons_multiplier : float, default=1
        Neurons of a hidden layer for each feature. There are at least 8.
    hidden_layer_sizes : array-like of int or None, default=None
        Neurons of each hidden layer, instead of the two parameters above.
    n_w_bits : int, default=3
        Bits of a weight, from 2 to 16: with 2 weights are -1, 0 and 1.
    n_a_bits : int, default=2
        Bits of a quantized activation, from 2 to 16.
    n_in_bits : int or None, default=None
        Bits of a quantized feature, from 2 to 16; None is `n_a_bits`.
    n_accum_bits : int, default=4
        Bits of every sum of products, from 2 to 32. Up to 4, tables are cheapest; a further
        bit doubles the time of a neuron and the size of keys.
    n_out_accum_bits : int or None, default=None
        Bits of the sums that are the scores, which no table reads; None is `n_accum_bits`.
        Two bits more are often more accurate; a table takes no longer, but more neurons
        have an effect.
    activation : str or type, default='ReLU'
        A class of ``torch.nn`` that applies a function to each number, or its name.
    neuron_sparsity : float, default=0.0
        Part of the hidden neurons that is removed in training. Neurons without effect are
        never computed, whatever the parameter.
    max_epochs : int, default=100
        Passes over the rows.
    lr : float, default=0.02
        Largest learning rate; it rises to that and falls to zero again.
    batch_size : int, default=64
        Rows of a training step.
    optimizer : str or type, default='Adam'
        A class of ``torch.optim`` or its name.
    weight_decay : float, default=1e-3
        How fast weights shrink, as the optimizer defines it.
    callbacks : list or None, default=None
        Callbacks of skorch that training calls, too.
    early_stopping : bool, default=False
        Whether to stop when the loss on rows that are held out does not improve, and to go
        back to the best parameters.
    validation_fraction : float, default=0.1
        Part of the rows that is held out for `early_stopping`.
    n_iter_no_change : int, default=10
        Epochs without improvement until `early_stopping` stops. It begins when neurons have
        been removed.
    warm_start : bool, default=False
        Whether `fit` goes on from the network that it made before.
    device : str, default='cpu'
        Where torch trains.
    verbose : int, default=0
        Whether skorch prints a line for each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed of the first weights and of the order of rows.
    rounding : {'exact', 'approximate'} or None, default=None
        How sums are rounded in front of tables, which pays where they have more than 5
        bits. None keeps the integers of training. ``"exact"`` gives the same integers in
        clear and encrypted; ``"approximate"`` is faster: a sum near the border between two
        multiples may go to either when encrypted.
    rounding_bits : int, dict or 'auto', default='auto'
        Bits that are kept of the sums: of all, or by layer (the names that
        ``quantized_module_.layers`` reports). ``"auto"`` takes as few of them, and of
        weights and results of tables, as give nearly what all bits give on the training
        rows.
    p_error : float, default=2**-64
        Probability that a table look-up is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    history_ : skorch.history.History
        What skorch recorded in each epoch.
    net_ : skorch.NeuralNet
        The fitted net; its ``module_`` is a `SparseQuantNeuralNetwork`.
    n_features_in_ : int
        Number of features.
    onnx_model_ : onnx.ModelProto
        The fitted network with its integers (QONNX), without neurons that have no effect.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    SkorchRegressor : Encrypted prediction with any net of skorch.
    sklearn.neural_network.MLPRegressor : Networks in clear.

    Notes
    -----
    The network is small where it is encrypted: neurons that nothing reads, or that read
    nothing, are left out, and each of the others takes one table look-up (one bootstrap).
    ``quantized_module_.layers`` counts them.

    Examples
    --------
    >>> from fhe_estimators import NeuralNetRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = NeuralNetRegressor(random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.4
    True
    """

    # Of this class; `make mirror` writes Parameters and Attributes.
    _mirrors = ClearNeuralNetRegressor
