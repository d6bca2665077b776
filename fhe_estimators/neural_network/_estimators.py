"""Ready-made networks that predict on encrypted data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from fhe_estimators.base import FHE_CONSTRAINTS, FHEMixin
from fhe_estimators.core.quantization import resolve_n_bits
from fhe_estimators.core.quantized_module import ROUNDINGS
from fhe_estimators.neural_network._encrypted import (
    EncryptedClassifierMixin,
    EncryptedRegressorMixin,
)
from fhe_estimators.neural_network._ready_made import (
    ReadyMadeClassifier,
    ReadyMadeRegressor,
)

if TYPE_CHECKING:
    from onnx import ModelProto

    from fhe_estimators.core.integers import BitWidths

__all__ = ["NeuralNetClassifier", "NeuralNetRegressor"]


class _ReadyMadeMixin(FHEMixin):
    """The integers of training are those of the circuit."""

    _fhe_constraints: ClassVar[dict[str, list[Any]]] = {
        "p_error": FHE_CONSTRAINTS["p_error"],
        "rounding": [StrOptions(set(ROUNDINGS)), None],
    }

    net_: Any
    n_features_in_: int

    def _to_onnx(self) -> ModelProto:
        from fhe_estimators.core.frontends.brevitas import export_brevitas

        network = self.net_.module_.compressed()
        return export_brevitas(network, [np.zeros((1, self.n_features_in_))])

    def _bit_widths(self) -> BitWidths:
        # All bits are those of the network's quantizers.
        return resolve_n_bits(8)


class NeuralNetClassifier(_ReadyMadeMixin, EncryptedClassifierMixin, ReadyMadeClassifier):
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
        Part of the hidden neurons that is removed in training. Neurons without effect
        are never computed, whatever the parameter.
    max_epochs : int, default=100
        Passes over the rows.
    lr : float, default=0.02
        Largest learning rate; it rises to that and falls to zero again.
    batch_size : int, default=64
        Rows of a training step.
    optimizer : str or type, default='Adam'
        A class of ``torch.optim`` or its name.
    weight_decay : float, default=0.001
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
        ``quantized_module_.layers`` reports). ``"auto"`` takes the cheapest that is nearly
        as accurate as all bits on the training rows.
    p_error : float, default=2**-64
        Probability that a table look-up is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The fitted net; its ``module_`` is a `SparseQuantNeuralNetwork`.
    history_ : skorch.history.History
        What skorch recorded in each epoch.
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

    _mirrors = ReadyMadeClassifier


class NeuralNetRegressor(_ReadyMadeMixin, EncryptedRegressorMixin, ReadyMadeRegressor):
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
        Part of the hidden neurons that is removed in training. Neurons without effect
        are never computed, whatever the parameter.
    max_epochs : int, default=100
        Passes over the rows.
    lr : float, default=0.02
        Largest learning rate; it rises to that and falls to zero again.
    batch_size : int, default=64
        Rows of a training step.
    optimizer : str or type, default='Adam'
        A class of ``torch.optim`` or its name.
    weight_decay : float, default=0.001
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
        ``quantized_module_.layers`` reports). ``"auto"`` takes the cheapest that is nearly
        as accurate as all bits on the training rows.
    p_error : float, default=2**-64
        Probability that a table look-up is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The fitted net; its ``module_`` is a `SparseQuantNeuralNetwork`.
    history_ : skorch.history.History
        What skorch recorded in each epoch.
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

    _mirrors = ReadyMadeRegressor
