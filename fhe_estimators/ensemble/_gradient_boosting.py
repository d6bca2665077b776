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

    Fitted by scikit-learn, in clear, on a grid of values. With ``fhe="execute"`` the client
    encrypts which edges of the grid a row lies below; the server looks the leaves up in
    encrypted tables and adds their values, rounded, over all trees; the client turns the
    sum into probabilities. Trees of depth one, stumps, need no table.

    Parameters
    ----------
    loss : {'log_loss', 'exponential'}, default='log_loss'
        What is minimized; 'exponential' is AdaBoost's, for two classes.
    learning_rate : float, default=0.1
        What the values of leaves are multiplied by.
    n_estimators : int, default=100
        Rounds of boosting, each with a tree, or with one for each of several classes.
    subsample : float, default=1.0
        Part of the rows that is drawn for a round.
    criterion : {'friedman_mse', 'squared_error'}, default='deprecated'
        Has no effect.

        .. deprecated:: 1.9 of scikit-learn
    min_samples_split : int or float, default=2
        Rows that a node needs to be split; as a fraction of all if a float.
    min_samples_leaf : int or float, default=1
        Rows that a leaf needs; as a fraction of all if a float.
    min_weight_fraction_leaf : float, default=0.0
        Part of the weight of all rows that a leaf needs.
    max_depth : int or None, default=3
        Comparisons between the root and any leaf at most. A tree of depth one costs no
        table.
    min_impurity_decrease : float, default=0.0
        What a split has to reduce the criterion by.
    init : 'zero' or None, default=None
        What the trees correct: zero, or with None a constant, the best one. Another
        estimator as `init` would have to be encrypted, too: it is refused.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows and features that are drawn, and of the validation rows.
    max_features : {'sqrt', 'log2'}, int, float or None, default=None
        Features that are tried for a split.
    verbose : int, default=0
        How much `fit` prints; zero is nothing.
    max_leaf_nodes : int or None, default=None
        Leaves of a tree at most; the best splits are made first.
    warm_start : bool, default=False
        Whether `fit` adds trees to those that it made before, on the same grid.
    validation_fraction : float, default=0.1
        Part of the rows that early stopping is decided on.
    n_iter_no_change : int or None, default=None
        Rounds without progress after which `fit` stops; with None it does not.
    tol : float, default=1e-4
        Progress less than this is none.
    ccp_alpha : float, default=0.0
        Price of a leaf in minimal cost-complexity pruning.
    n_bits : int or dict, default=4
        The values of each feature fall into ``2**n_bits`` bins, `n_bits` from 1 to 16. A
        dict ``{"op_inputs": ..., "op_weights": ...}`` also sets the bits of the values of
        leaves, which are chosen by their effect otherwise.
    binning : {'quantile', 'uniform'}, default='quantile'
        Whether bins hold as many rows each or have the same width.
    input_encoding : {'thermometer', 'integer'}, default='thermometer'
        What is encrypted: a bit for each edge of the grid, or one integer a feature, which
        is smaller to send and slower to compute with.
    p_error : float, default=2**-64
        Probability that a table look-up is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_features_in_ : int
        Number of features.
    feature_importances_ : ndarray of shape (n_features,)
        The normalized reduction of the criterion that each feature brings.
    estimators_ : ndarray of DecisionTreeRegressor of shape (n_rounds, n_trees_a_round)
        The fitted trees; their thresholds are edges of the grid.
    init_ : estimator
        What gives the constant that trees correct.
    train_score_ : ndarray of shape (n_rounds,)
        The loss after each round.
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
        binning="quantile",
        input_encoding="thermometer",
        p_error=2**-64,
    ):
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

    Fitted by scikit-learn, in clear, on a grid of values. With ``fhe="execute"`` the client
    encrypts which edges of the grid a row lies below; the server looks the leaves up in
    encrypted tables and adds their values, rounded, over all trees; the client reads the
    sum. Trees of depth one, stumps, need no table.

    Parameters
    ----------
    loss : {'squared_error', 'absolute_error', 'huber', 'quantile'}, default='squared_error'
        What is minimized.
    learning_rate : float, default=0.1
        What the values of leaves are multiplied by.
    n_estimators : int, default=100
        Rounds of boosting, each with a tree, or with one for each of several classes.
    subsample : float, default=1.0
        Part of the rows that is drawn for a round.
    criterion : {'friedman_mse', 'squared_error'}, default='deprecated'
        Has no effect.

        .. deprecated:: 1.9 of scikit-learn
    min_samples_split : int or float, default=2
        Rows that a node needs to be split; as a fraction of all if a float.
    min_samples_leaf : int or float, default=1
        Rows that a leaf needs; as a fraction of all if a float.
    min_weight_fraction_leaf : float, default=0.0
        Part of the weight of all rows that a leaf needs.
    max_depth : int or None, default=3
        Comparisons between the root and any leaf at most. A tree of depth one costs no
        table.
    min_impurity_decrease : float, default=0.0
        What a split has to reduce the criterion by.
    init : 'zero' or None, default=None
        What the trees correct: zero, or with None a constant, the best one. Another
        estimator as `init` would have to be encrypted, too: it is refused.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows and features that are drawn, and of the validation rows.
    max_features : {'sqrt', 'log2'}, int, float or None, default=None
        Features that are tried for a split.
    alpha : float, default=0.9
        The quantile of the losses 'huber' and 'quantile'.
    verbose : int, default=0
        How much `fit` prints; zero is nothing.
    max_leaf_nodes : int or None, default=None
        Leaves of a tree at most; the best splits are made first.
    warm_start : bool, default=False
        Whether `fit` adds trees to those that it made before, on the same grid.
    validation_fraction : float, default=0.1
        Part of the rows that early stopping is decided on.
    n_iter_no_change : int or None, default=None
        Rounds without progress after which `fit` stops; with None it does not.
    tol : float, default=1e-4
        Progress less than this is none.
    ccp_alpha : float, default=0.0
        Price of a leaf in minimal cost-complexity pruning.
    n_bits : int or dict, default=4
        The values of each feature fall into ``2**n_bits`` bins, `n_bits` from 1 to 16. A
        dict ``{"op_inputs": ..., "op_weights": ...}`` also sets the bits of the values of
        leaves, which are chosen by their effect otherwise.
    binning : {'quantile', 'uniform'}, default='quantile'
        Whether bins hold as many rows each or have the same width.
    input_encoding : {'thermometer', 'integer'}, default='thermometer'
        What is encrypted: a bit for each edge of the grid, or one integer a feature, which
        is smaller to send and slower to compute with.
    p_error : float, default=2**-64
        Probability that a table look-up is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    n_features_in_ : int
        Number of features.
    feature_importances_ : ndarray of shape (n_features,)
        The normalized reduction of the criterion that each feature brings.
    estimators_ : ndarray of DecisionTreeRegressor of shape (n_rounds, n_trees_a_round)
        The fitted trees; their thresholds are edges of the grid.
    init_ : estimator
        What gives the constant that trees correct.
    train_score_ : ndarray of shape (n_rounds,)
        The loss after each round.
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
        binning="quantile",
        input_encoding="thermometer",
        p_error=2**-64,
    ):
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
