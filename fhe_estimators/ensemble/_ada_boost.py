"""AdaBoost on encrypted data."""

from sklearn import ensemble

from fhe_estimators._boosting import VotingMixin

__all__ = ["AdaBoostClassifier"]


class AdaBoostClassifier(VotingMixin, ensemble.AdaBoostClassifier):
    """Weighted votes of small trees that classify encrypted data.

    Fitted by scikit-learn, in clear, on binned values. With ``fhe="execute"`` the client
    encrypts which edges of bins a row lies below; the server looks the leaves up in
    encrypted tables and adds the votes of their trees, rounded; the client turns the sum
    into labels and probabilities. Trees of depth one, stumps, need no table.

    Parameters
    ----------
    estimator : DecisionTreeClassifier or None, default=None
        The tree that is boosted; None is one of depth one, a stump. Another estimator
        cannot be encrypted and is refused.
    n_estimators : int, default=50
        Maximum number of trees; a perfect fit ends the boosting earlier.
    learning_rate : float, default=1.0
        What the weights of trees are multiplied by.
    random_state : int, RandomState instance or None, default=None
        Seed of the trees.
    n_bits : int or dict, default=4
        The values of each feature fall into ``2**n_bits`` bins, `n_bits` from 1 to 16, on
        average where `binning` says so. A dict ``{"op_inputs": ..., "op_weights": ...}``
        also sets the bits of the values of leaves, which are chosen by their effect
        otherwise.
    binning : {'splits', 'adaptive', 'quantile', 'uniform'}, default='splits'
        Where the edges of bins are: where the parent, fitted on fine bins before, divides
        the values most, with more of them for features that matter more; or so that bins
        adapt to the density of values, which long tails need, hold as many rows each, or
        have the same width. Only ``'splits'`` fits twice.
    input_encoding : {'thermometer', 'integer'}, default='thermometer'
        What is encrypted: a bit for each edge between bins, or one integer a feature, which
        is smaller to send and slower to compute with.
    p_error : float, default=2**-64
        Probability that a table look-up is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    estimator_ : estimator
        The tree that was cloned for each of `estimators_`.
    estimators_ : list of DecisionTreeClassifier
        The fitted trees; their thresholds are edges of bins.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_classes_ : int
        Number of classes.
    estimator_weights_ : ndarray of float
        Weight of each tree.
    estimator_errors_ : ndarray of float
        Weighted error of each tree.
    feature_importances_ : ndarray of shape (n_features,)
        Normalized reduction of the criterion that each feature brings.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point.
    quantized_module_ : QuantizedModule
        The integer graph with its encoder and decoder.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.ensemble.AdaBoostClassifier : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import AdaBoostClassifier
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    >>> AdaBoostClassifier(n_estimators=10).fit(X, y).predict([[0, 0], [1, 4]])
    array([0, 1])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        estimator=None,
        *,
        n_estimators=50,
        learning_rate=1.0,
        random_state=None,
        n_bits=4,
        binning="splits",
        input_encoding="thermometer",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            estimator=estimator,
            n_estimators=n_estimators,
            learning_rate=learning_rate,
            random_state=random_state,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error
