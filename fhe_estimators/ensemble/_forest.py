"""Random forests on encrypted data."""

from __future__ import annotations

from sklearn import ensemble

from fhe_estimators._tree_based import (
    ForestClassifierMixin,
    ForestRegressorMixin,
)

__all__ = ["RandomForestClassifier", "RandomForestRegressor"]


class RandomForestClassifier(ForestClassifierMixin, ensemble.RandomForestClassifier):
    """A forest of randomized trees that classifies encrypted data.

    Fitted by scikit-learn, in clear, on binned values. With ``fhe="execute"`` the client
    encrypts which edges of bins a row lies below; the server looks the leaves up in
    encrypted tables and adds the probabilities that they stand for, rounded, over all
    trees. Where there are several classes, and tables to look up, it returns the number of
    the leaf of each tree instead, and the client adds the exact probabilities.

    Parameters
    ----------
    n_estimators : int, default=100
        Number of trees. Time, size and accuracy grow with it.
    criterion : {'gini', 'entropy', 'log_loss'}, default='gini'
        Function that measures the quality of a split.
    max_depth : int or None, default=4
        Maximum depth of a tree. None in scikit-learn: there are up to as many leaves as
        rows then, and every second one or so costs a table.
    min_samples_split : int or float, default=2
        Minimum number of rows for a split; as a fraction of all if a float.
    min_samples_leaf : int or float, default=1
        Minimum number of rows in a leaf; as a fraction of all if a float.
    min_weight_fraction_leaf : float, default=0.0
        Minimum fraction of the weight of all rows in a leaf.
    max_features : {'sqrt', 'log2'}, int, float or None, default='sqrt'
        Features that are tried for a split; as a fraction of all if a float.
    max_leaf_nodes : int or None, default=None
        Maximum number of leaves of a tree; the best splits are made first.
    min_impurity_decrease : float, default=0.0
        Minimum reduction of the impurity for a split.
    bootstrap : bool, default=True
        Whether each tree is fitted on rows drawn with replacement, or on all rows.
    oob_score : bool or callable, default=False
        Whether to estimate the score on rows that trees were not fitted on, and by what.
    n_jobs : int or None, default=None
        Number of threads that fit trees at the same time; None is one.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows and features that are drawn.
    verbose : int, default=0
        Verbosity of `fit`; zero is silent.
    warm_start : bool, default=False
        Whether `fit` adds trees to those that it made before, on the same bins.
    class_weight : {'balanced', 'balanced_subsample'}, dict, list of dict or None, \
        default=None
        Weights of the classes. ``'balanced'`` makes all classes count the same however
        rare, None makes all rows count the same.
    ccp_alpha : float, default=0.0
        Complexity parameter of minimal cost-complexity pruning; 0 for no pruning.
    max_samples : int, float or None, default=None
        Rows drawn for each tree, with `bootstrap`; as a fraction of all if a float.
    monotonic_cst : array-like of int of shape (n_features,) or None, default=None
        1, -1 or 0 where predictions must rise, fall or may do either with a feature.
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
    classes_ : ndarray of shape (n_classes,), or a list of them
        The labels.
    n_classes_ : int, or a list of int
        Number of classes.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    n_outputs_ : int
        Number of outputs.
    feature_importances_ : ndarray of shape (n_features,)
        Normalized reduction of the criterion that each feature brings.
    oob_score_ : float
        Score on rows that trees were not fitted on, with `oob_score`.
    oob_decision_function_ : ndarray of shape (n_samples, n_classes) or (n_samples, \
        n_classes, n_outputs)
        Probabilities of each row from the trees that were not fitted on it, with
        `oob_score`.
    estimators_samples_ : list of ndarray
        Indices of the rows that each tree was fitted on.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point.
    quantized_module_ : QuantizedModule
        The integer graph with its encoder and decoder.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.ensemble.RandomForestClassifier : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import RandomForestClassifier
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    >>> model = RandomForestClassifier(10, random_state=0).fit(X, y)
    >>> model.predict([[0, 0], [1, 4]])
    array([0, 1])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        n_estimators=100,
        *,
        criterion="gini",
        max_depth=4,
        min_samples_split=2,
        min_samples_leaf=1,
        min_weight_fraction_leaf=0.0,
        max_features="sqrt",
        max_leaf_nodes=None,
        min_impurity_decrease=0.0,
        bootstrap=True,
        oob_score=False,
        n_jobs=None,
        random_state=None,
        verbose=0,
        warm_start=False,
        class_weight=None,
        ccp_alpha=0.0,
        max_samples=None,
        monotonic_cst=None,
        n_bits=4,
        binning="splits",
        input_encoding="thermometer",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            n_estimators=n_estimators,
            criterion=criterion,
            max_depth=max_depth,
            min_samples_split=min_samples_split,
            min_samples_leaf=min_samples_leaf,
            min_weight_fraction_leaf=min_weight_fraction_leaf,
            max_features=max_features,
            max_leaf_nodes=max_leaf_nodes,
            min_impurity_decrease=min_impurity_decrease,
            bootstrap=bootstrap,
            oob_score=oob_score,
            n_jobs=n_jobs,
            random_state=random_state,
            verbose=verbose,
            warm_start=warm_start,
            class_weight=class_weight,
            ccp_alpha=ccp_alpha,
            max_samples=max_samples,
            monotonic_cst=monotonic_cst,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error


class RandomForestRegressor(ForestRegressorMixin, ensemble.RandomForestRegressor):
    """A forest of randomized trees that predicts numbers of encrypted data.

    Fitted by scikit-learn, in clear, on binned values. With ``fhe="execute"`` the client
    encrypts which edges of bins a row lies below; the server looks the leaves up in
    encrypted tables and adds their values, rounded, over all trees.

    Parameters
    ----------
    n_estimators : int, default=100
        Number of trees. Time, size and accuracy grow with it.
    criterion : {'squared_error', 'absolute_error', 'poisson'}, default='squared_error'
        Function that measures the quality of a split.
    max_depth : int or None, default=4
        Maximum depth of a tree. None in scikit-learn: there are up to as many leaves as
        rows then, and every second one or so costs a table.
    min_samples_split : int or float, default=2
        Minimum number of rows for a split; as a fraction of all if a float.
    min_samples_leaf : int or float, default=1
        Minimum number of rows in a leaf; as a fraction of all if a float.
    min_weight_fraction_leaf : float, default=0.0
        Minimum fraction of the weight of all rows in a leaf.
    max_features : {'sqrt', 'log2'}, int, float or None, default=1.0
        Features that are tried for a split; as a fraction of all if a float.
    max_leaf_nodes : int or None, default=None
        Maximum number of leaves of a tree; the best splits are made first.
    min_impurity_decrease : float, default=0.0
        Minimum reduction of the impurity for a split.
    bootstrap : bool, default=True
        Whether each tree is fitted on rows drawn with replacement, or on all rows.
    oob_score : bool or callable, default=False
        Whether to estimate the score on rows that trees were not fitted on, and by what.
    n_jobs : int or None, default=None
        Number of threads that fit trees at the same time; None is one.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows and features that are drawn.
    verbose : int, default=0
        Verbosity of `fit`; zero is silent.
    warm_start : bool, default=False
        Whether `fit` adds trees to those that it made before, on the same bins.
    ccp_alpha : float, default=0.0
        Complexity parameter of minimal cost-complexity pruning; 0 for no pruning.
    max_samples : int, float or None, default=None
        Rows drawn for each tree, with `bootstrap`; as a fraction of all if a float.
    monotonic_cst : array-like of int of shape (n_features,) or None, default=None
        1, -1 or 0 where predictions must rise, fall or may do either with a feature.
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
    estimators_ : list of DecisionTreeRegressor
        The fitted trees; their thresholds are edges of bins.
    feature_importances_ : ndarray of shape (n_features,)
        Normalized reduction of the criterion that each feature brings.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    n_outputs_ : int
        Number of outputs.
    oob_score_ : float
        Score on rows that trees were not fitted on, with `oob_score`.
    oob_prediction_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Prediction of each row from the trees that were not fitted on it, with `oob_score`.
    estimators_samples_ : list of ndarray
        Indices of the rows that each tree was fitted on.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point.
    quantized_module_ : QuantizedModule
        The integer graph with its encoder and decoder.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.ensemble.RandomForestRegressor : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import RandomForestRegressor
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [1.0, 2.0, 5.0, 8.0]
    >>> model = RandomForestRegressor(10, random_state=0).fit(X, y)
    >>> model.predict([[0, 0], [1, 4]]).round(1)
    array([1., 8.])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        n_estimators=100,
        *,
        criterion="squared_error",
        max_depth=4,
        min_samples_split=2,
        min_samples_leaf=1,
        min_weight_fraction_leaf=0.0,
        max_features=1.0,
        max_leaf_nodes=None,
        min_impurity_decrease=0.0,
        bootstrap=True,
        oob_score=False,
        n_jobs=None,
        random_state=None,
        verbose=0,
        warm_start=False,
        ccp_alpha=0.0,
        max_samples=None,
        monotonic_cst=None,
        n_bits=4,
        binning="splits",
        input_encoding="thermometer",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            n_estimators=n_estimators,
            criterion=criterion,
            max_depth=max_depth,
            min_samples_split=min_samples_split,
            min_samples_leaf=min_samples_leaf,
            min_weight_fraction_leaf=min_weight_fraction_leaf,
            max_features=max_features,
            max_leaf_nodes=max_leaf_nodes,
            min_impurity_decrease=min_impurity_decrease,
            bootstrap=bootstrap,
            oob_score=oob_score,
            n_jobs=n_jobs,
            random_state=random_state,
            verbose=verbose,
            warm_start=warm_start,
            ccp_alpha=ccp_alpha,
            max_samples=max_samples,
            monotonic_cst=monotonic_cst,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error
