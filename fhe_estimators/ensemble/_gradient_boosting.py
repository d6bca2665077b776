"""Gradient boosting on encrypted data."""

from __future__ import annotations

from sklearn import ensemble

from fhe_estimators._boosting import GradientBoostingMixin
from fhe_estimators.base import FHEClassifierMixin, FHERegressorMixin

__all__ = ["GradientBoostingClassifier", "GradientBoostingRegressor"]


class GradientBoostingClassifier(
    GradientBoostingMixin, FHEClassifierMixin, ensemble.GradientBoostingClassifier
):
    """Boosted trees that classify encrypted data.

    Fitted by scikit-learn, in clear, on binned values. With ``fhe="execute"`` the client
    encrypts which edges of bins a row lies below; the server looks the leaves up in
    encrypted tables and adds their values, rounded, over all trees; the client turns the
    sum into predictions. Trees of depth one, stumps, need no table.

    Parameters
    ----------
    loss : {'log_loss', 'exponential'}, default='log_loss'
        Loss function to minimize; ``'exponential'`` is AdaBoost's, for two classes.
    learning_rate : float, default=0.1
        What the values of leaves are multiplied by.
    n_estimators : int, default=100
        Number of rounds of boosting, each with a tree, or with one for each of several
        classes.
    subsample : float, default=1.0
        Fraction of the rows that is drawn for a round.
    criterion : {'friedman_mse', 'squared_error'}, default='deprecated'
        Has no effect.

        .. deprecated:: 1.9 of scikit-learn
    min_samples_split : int or float, default=2
        Minimum number of rows for a split; as a fraction of all if a float.
    min_samples_leaf : int or float, default=1
        Minimum number of rows in a leaf; as a fraction of all if a float.
    min_weight_fraction_leaf : float, default=0.0
        Minimum fraction of the weight of all rows in a leaf.
    max_depth : int or None, default=3
        Maximum depth of a tree. A tree of depth one costs no table.
    min_impurity_decrease : float, default=0.0
        Minimum reduction of the impurity for a split.
    init : 'zero' or None, default=None
        Initial prediction, which the trees correct: zero, or with None a constant, the best
        one. Another estimator as `init` would have to be encrypted, too: it is refused.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows and features that are drawn, and of the validation rows.
    max_features : {'sqrt', 'log2'}, int, float or None, default=None
        Features that are tried for a split; as a fraction of all if a float.
    verbose : int, default=0
        Verbosity of `fit`; zero is silent.
    max_leaf_nodes : int or None, default=None
        Maximum number of leaves of a tree; the best splits are made first.
    warm_start : bool, default=False
        Whether `fit` adds trees to those that it made before, on the same bins.
    validation_fraction : float, default=0.1
        Fraction of the rows that is held out for early stopping.
    n_iter_no_change : int or None, default=None
        Number of rounds without progress after which `fit` stops; with None it does not.
    tol : float, default=1e-4
        Tolerance of early stopping: less progress is none.
    ccp_alpha : float, default=0.0
        Complexity parameter of minimal cost-complexity pruning; 0 for no pruning.
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
    n_estimators_ : int
        Number of rounds, which early stopping may have ended.
    n_trees_per_iteration_ : int
        Number of trees in a round.
    feature_importances_ : ndarray of shape (n_features,)
        Normalized reduction of the criterion that each feature brings.
    oob_improvement_ : ndarray of shape (n_rounds,)
        Reduction of the loss in each round on the rows that were not drawn, with
        `subsample`.
    oob_scores_ : ndarray of shape (n_rounds,)
        Loss after each round on the rows that were not drawn, with `subsample`.
    oob_score_ : float
        Loss in the last round on the rows that were not drawn, with `subsample`.
    train_score_ : ndarray of shape (n_rounds,)
        Loss after each round.
    init_ : estimator
        What gives the constant that trees correct.
    estimators_ : ndarray of DecisionTreeRegressor of shape (n_rounds, n_trees_a_round)
        The fitted trees; their thresholds are edges of bins.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    n_classes_ : int
        Number of classes.
    max_features_ : int
        Number of features that are tried for a split.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point.
    quantized_module_ : QuantizedModule
        The integer graph with its encoder and decoder.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.ensemble.GradientBoostingClassifier : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import GradientBoostingClassifier
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    >>> model = GradientBoostingClassifier(n_estimators=10).fit(X, y)
    >>> model.predict([[0, 0], [1, 4]])
    array([0, 1])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        loss="log_loss",
        learning_rate=0.1,
        n_estimators=100,
        subsample=1.0,
        criterion="deprecated",
        min_samples_split=2,
        min_samples_leaf=1,
        min_weight_fraction_leaf=0.0,
        max_depth=3,
        min_impurity_decrease=0.0,
        init=None,
        random_state=None,
        max_features=None,
        verbose=0,
        max_leaf_nodes=None,
        warm_start=False,
        validation_fraction=0.1,
        n_iter_no_change=None,
        tol=0.0001,
        ccp_alpha=0.0,
        n_bits=4,
        binning="splits",
        input_encoding="thermometer",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            loss=loss,
            learning_rate=learning_rate,
            n_estimators=n_estimators,
            subsample=subsample,
            criterion=criterion,
            min_samples_split=min_samples_split,
            min_samples_leaf=min_samples_leaf,
            min_weight_fraction_leaf=min_weight_fraction_leaf,
            max_depth=max_depth,
            min_impurity_decrease=min_impurity_decrease,
            init=init,
            random_state=random_state,
            max_features=max_features,
            verbose=verbose,
            max_leaf_nodes=max_leaf_nodes,
            warm_start=warm_start,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            ccp_alpha=ccp_alpha,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error


class GradientBoostingRegressor(
    GradientBoostingMixin, FHERegressorMixin, ensemble.GradientBoostingRegressor
):
    """Boosted trees that predict numbers of encrypted data.

    Fitted by scikit-learn, in clear, on binned values. With ``fhe="execute"`` the client
    encrypts which edges of bins a row lies below; the server looks the leaves up in
    encrypted tables and adds their values, rounded, over all trees; the client turns the
    sum into predictions. Trees of depth one, stumps, need no table.

    Parameters
    ----------
    loss : {'squared_error', 'absolute_error', 'huber', 'quantile'}, \
        default='squared_error'
        Loss function to minimize.
    learning_rate : float, default=0.1
        What the values of leaves are multiplied by.
    n_estimators : int, default=100
        Number of rounds of boosting, each with a tree, or with one for each of several
        classes.
    subsample : float, default=1.0
        Fraction of the rows that is drawn for a round.
    criterion : {'friedman_mse', 'squared_error'}, default='deprecated'
        Has no effect.

        .. deprecated:: 1.9 of scikit-learn
    min_samples_split : int or float, default=2
        Minimum number of rows for a split; as a fraction of all if a float.
    min_samples_leaf : int or float, default=1
        Minimum number of rows in a leaf; as a fraction of all if a float.
    min_weight_fraction_leaf : float, default=0.0
        Minimum fraction of the weight of all rows in a leaf.
    max_depth : int or None, default=3
        Maximum depth of a tree. A tree of depth one costs no table.
    min_impurity_decrease : float, default=0.0
        Minimum reduction of the impurity for a split.
    init : 'zero' or None, default=None
        Initial prediction, which the trees correct: zero, or with None a constant, the best
        one. Another estimator as `init` would have to be encrypted, too: it is refused.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows and features that are drawn, and of the validation rows.
    max_features : {'sqrt', 'log2'}, int, float or None, default=None
        Features that are tried for a split; as a fraction of all if a float.
    alpha : float, default=0.9
        The quantile of the losses ``'huber'`` and ``'quantile'``.
    verbose : int, default=0
        Verbosity of `fit`; zero is silent.
    max_leaf_nodes : int or None, default=None
        Maximum number of leaves of a tree; the best splits are made first.
    warm_start : bool, default=False
        Whether `fit` adds trees to those that it made before, on the same bins.
    validation_fraction : float, default=0.1
        Fraction of the rows that is held out for early stopping.
    n_iter_no_change : int or None, default=None
        Number of rounds without progress after which `fit` stops; with None it does not.
    tol : float, default=1e-4
        Tolerance of early stopping: less progress is none.
    ccp_alpha : float, default=0.0
        Complexity parameter of minimal cost-complexity pruning; 0 for no pruning.
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
    n_estimators_ : int
        Number of rounds, which early stopping may have ended.
    n_trees_per_iteration_ : int
        Number of trees in a round.
    feature_importances_ : ndarray of shape (n_features,)
        Normalized reduction of the criterion that each feature brings.
    oob_improvement_ : ndarray of shape (n_rounds,)
        Reduction of the loss in each round on the rows that were not drawn, with
        `subsample`.
    oob_scores_ : ndarray of shape (n_rounds,)
        Loss after each round on the rows that were not drawn, with `subsample`.
    oob_score_ : float
        Loss in the last round on the rows that were not drawn, with `subsample`.
    train_score_ : ndarray of shape (n_rounds,)
        Loss after each round.
    init_ : estimator
        What gives the constant that trees correct.
    estimators_ : ndarray of DecisionTreeRegressor of shape (n_rounds, n_trees_a_round)
        The fitted trees; their thresholds are edges of bins.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    max_features_ : int
        Number of features that are tried for a split.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point.
    quantized_module_ : QuantizedModule
        The integer graph with its encoder and decoder.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.ensemble.GradientBoostingRegressor : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import GradientBoostingRegressor
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [1.0, 2.0, 5.0, 8.0]
    >>> model = GradientBoostingRegressor(learning_rate=0.5).fit(X, y)
    >>> model.predict([[0, 0], [1, 4]]).round(1)
    array([1., 8.])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        loss="squared_error",
        learning_rate=0.1,
        n_estimators=100,
        subsample=1.0,
        criterion="deprecated",
        min_samples_split=2,
        min_samples_leaf=1,
        min_weight_fraction_leaf=0.0,
        max_depth=3,
        min_impurity_decrease=0.0,
        init=None,
        random_state=None,
        max_features=None,
        alpha=0.9,
        verbose=0,
        max_leaf_nodes=None,
        warm_start=False,
        validation_fraction=0.1,
        n_iter_no_change=None,
        tol=0.0001,
        ccp_alpha=0.0,
        n_bits=4,
        binning="splits",
        input_encoding="thermometer",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            loss=loss,
            learning_rate=learning_rate,
            n_estimators=n_estimators,
            subsample=subsample,
            criterion=criterion,
            min_samples_split=min_samples_split,
            min_samples_leaf=min_samples_leaf,
            min_weight_fraction_leaf=min_weight_fraction_leaf,
            max_depth=max_depth,
            min_impurity_decrease=min_impurity_decrease,
            init=init,
            random_state=random_state,
            max_features=max_features,
            alpha=alpha,
            verbose=verbose,
            max_leaf_nodes=max_leaf_nodes,
            warm_start=warm_start,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            ccp_alpha=ccp_alpha,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error
