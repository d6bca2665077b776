"""Gradient boosting on histograms, on encrypted data."""

from __future__ import annotations

from sklearn import ensemble

from fhe_estimators._boosting import HistGradientBoostingMixin
from fhe_estimators.base import FHEClassifierMixin, FHERegressorMixin

__all__ = ["HistGradientBoostingClassifier", "HistGradientBoostingRegressor"]


class HistGradientBoostingClassifier(
    HistGradientBoostingMixin, FHEClassifierMixin, ensemble.HistGradientBoostingClassifier
):
    """Boosted trees on histograms that classify encrypted data.

    Fitted by scikit-learn, in clear, on binned values. With ``fhe="execute"`` the client
    encrypts which edges of bins a row lies below; the server looks the leaves up in
    encrypted tables and adds their values, rounded, over all trees; the client turns the
    sum into predictions. Trees of depth one, stumps, need no table.

    Parameters
    ----------
    loss : {'log_loss'}, default='log_loss'
        Loss function to minimize.
    learning_rate : float, default=0.1
        What the values of leaves are multiplied by.
    max_iter : int, default=100
        Maximum number of rounds of boosting, each with a tree, or with one for each of
        several classes.
    max_leaf_nodes : int or None, default=8
        Maximum number of leaves of a tree; the best splits are made first. 31 in
        scikit-learn: every second leaf or so costs a table, some milliseconds.
    max_depth : int or None, default=None
        Maximum depth of a tree. A tree of depth one costs no table.
    min_samples_leaf : int, default=20
        Minimum number of rows in a leaf.
    l2_regularization : float, default=0.0
        L2 penalty of the values of leaves; 0 for no penalty.
    max_features : float, default=1.0
        Fraction of the features that are tried for a split.
    max_bins : int, default=255
        Maximum number of bins of each feature that splits are searched among; `n_bits`
        bounds them too.
    categorical_features : 'from_dtype', array-like of {bool, int, str} or None, \
        default='from_dtype'
        The features that hold categories: the columns of a category type, those named, or
        none. Each category has a bin, and all that are missing or unknown have one
        together.
    monotonic_cst : array-like of int of shape (n_features,), dict or None, default=None
        1, -1 or 0 where predictions must rise, fall or may do either with a feature. The
        keys of a dict are names of features.
    interaction_cst : {'pairwise', 'no_interactions'}, list or tuple of sets, or None, \
        default=None
        Groups of features that may occur on the same path. Trees of one feature cost no
        table: ``'no_interactions'`` is free. Those of the same two features,
        ``'pairwise'``, share tables: about one as long as their bins make at most 16
        states, as with ``n_bits=2``.
    warm_start : bool, default=False
        Whether `fit` adds trees to those that it made before, on the same bins.
    early_stopping : 'auto' or bool, default='auto'
        Whether to stop once the score no longer improves; ``'auto'`` is from 10,000 rows
        on.
    scoring : str, callable or None, default='loss'
        Score that `early_stopping` watches; ``'loss'`` is the loss, None that of `score`.
    validation_fraction : int, float or None, default=0.1
        Rows that are held out for early stopping, as a fraction of all if a float; None
        takes the training rows.
    n_iter_no_change : int, default=10
        Number of rounds without progress after which `fit` stops.
    tol : float, default=1e-7
        Tolerance of early stopping: less progress is none.
    verbose : int, default=0
        Verbosity of `fit`; zero is silent.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows and features that are drawn, and of the validation rows.
    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes. ``'balanced'`` makes all classes count the same however
        rare, None makes all rows count the same.
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
    classes_ : ndarray of shape (n_classes,)
        The labels.
    do_early_stopping_ : bool
        Whether early stopping was used.
    n_iter_ : int
        Number of rounds of boosting.
    n_trees_per_iteration_ : int
        Number of trees in a round.
    train_score_ : ndarray of shape (n_iter_ + 1,)
        Scores on training rows, with early stopping.
    validation_score_ : ndarray of shape (n_iter_ + 1,)
        Scores on validation rows, with early stopping.
    is_categorical_ : ndarray of bool of shape (n_features_in_,) or None
        Which features are categories; None if none is.
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
    sklearn.ensemble.HistGradientBoostingClassifier : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import HistGradientBoostingClassifier
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    >>> model = HistGradientBoostingClassifier(min_samples_leaf=1).fit(X, y)
    >>> model.predict([[0, 0], [1, 4]])
    array([0, 1])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        loss="log_loss",
        *,
        learning_rate=0.1,
        max_iter=100,
        max_leaf_nodes=8,
        max_depth=None,
        min_samples_leaf=20,
        l2_regularization=0.0,
        max_features=1.0,
        max_bins=255,
        categorical_features="from_dtype",
        monotonic_cst=None,
        interaction_cst=None,
        warm_start=False,
        early_stopping="auto",
        scoring="loss",
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-07,
        verbose=0,
        random_state=None,
        class_weight=None,
        n_bits=4,
        binning="splits",
        input_encoding="thermometer",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            loss=loss,
            learning_rate=learning_rate,
            max_iter=max_iter,
            max_leaf_nodes=max_leaf_nodes,
            max_depth=max_depth,
            min_samples_leaf=min_samples_leaf,
            l2_regularization=l2_regularization,
            max_features=max_features,
            max_bins=max_bins,
            categorical_features=categorical_features,
            monotonic_cst=monotonic_cst,
            interaction_cst=interaction_cst,
            warm_start=warm_start,
            early_stopping=early_stopping,
            scoring=scoring,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            verbose=verbose,
            random_state=random_state,
            class_weight=class_weight,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error


class HistGradientBoostingRegressor(
    HistGradientBoostingMixin, FHERegressorMixin, ensemble.HistGradientBoostingRegressor
):
    """Boosted trees on histograms that predict numbers of encrypted data.

    Fitted by scikit-learn, in clear, on binned values. With ``fhe="execute"`` the client
    encrypts which edges of bins a row lies below; the server looks the leaves up in
    encrypted tables and adds their values, rounded, over all trees; the client turns the
    sum into predictions. Trees of depth one, stumps, need no table.

    Parameters
    ----------
    loss : {'squared_error', 'absolute_error', 'gamma', 'poisson', 'quantile'}, \
        default='squared_error'
        Loss function to minimize. ``'gamma'`` and ``'poisson'`` predict through an
        exponential.
    quantile : float or None, default=None
        The quantile that is predicted, with ``loss='quantile'``.
    learning_rate : float, default=0.1
        What the values of leaves are multiplied by.
    max_iter : int, default=100
        Maximum number of rounds of boosting, each with a tree, or with one for each of
        several classes.
    max_leaf_nodes : int or None, default=8
        Maximum number of leaves of a tree; the best splits are made first. 31 in
        scikit-learn: every second leaf or so costs a table, some milliseconds.
    max_depth : int or None, default=None
        Maximum depth of a tree. A tree of depth one costs no table.
    min_samples_leaf : int, default=20
        Minimum number of rows in a leaf.
    l2_regularization : float, default=0.0
        L2 penalty of the values of leaves; 0 for no penalty.
    max_features : float, default=1.0
        Fraction of the features that are tried for a split.
    max_bins : int, default=255
        Maximum number of bins of each feature that splits are searched among; `n_bits`
        bounds them too.
    categorical_features : 'from_dtype', array-like of {bool, int, str} or None, \
        default='from_dtype'
        The features that hold categories: the columns of a category type, those named, or
        none. Each category has a bin, and all that are missing or unknown have one
        together.
    monotonic_cst : array-like of int of shape (n_features,), dict or None, default=None
        1, -1 or 0 where predictions must rise, fall or may do either with a feature. The
        keys of a dict are names of features.
    interaction_cst : {'pairwise', 'no_interactions'}, list or tuple of sets, or None, \
        default=None
        Groups of features that may occur on the same path. Trees of one feature cost no
        table: ``'no_interactions'`` is free. Those of the same two features,
        ``'pairwise'``, share tables: about one as long as their bins make at most 16
        states, as with ``n_bits=2``.
    warm_start : bool, default=False
        Whether `fit` adds trees to those that it made before, on the same bins.
    early_stopping : 'auto' or bool, default='auto'
        Whether to stop once the score no longer improves; ``'auto'`` is from 10,000 rows
        on.
    scoring : str, callable or None, default='loss'
        Score that `early_stopping` watches; ``'loss'`` is the loss, None that of `score`.
    validation_fraction : int, float or None, default=0.1
        Rows that are held out for early stopping, as a fraction of all if a float; None
        takes the training rows.
    n_iter_no_change : int, default=10
        Number of rounds without progress after which `fit` stops.
    tol : float, default=1e-7
        Tolerance of early stopping: less progress is none.
    verbose : int, default=0
        Verbosity of `fit`; zero is silent.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows and features that are drawn, and of the validation rows.
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
    do_early_stopping_ : bool
        Whether early stopping was used.
    n_iter_ : int
        Number of rounds of boosting.
    n_trees_per_iteration_ : int
        Number of trees in a round.
    train_score_ : ndarray of shape (n_iter_ + 1,)
        Scores on training rows, with early stopping.
    validation_score_ : ndarray of shape (n_iter_ + 1,)
        Scores on validation rows, with early stopping.
    is_categorical_ : ndarray of bool of shape (n_features_in_,) or None
        Which features are categories; None if none is.
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
    sklearn.ensemble.HistGradientBoostingRegressor : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import HistGradientBoostingRegressor
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [1.0, 2.0, 5.0, 8.0]
    >>> model = HistGradientBoostingRegressor(min_samples_leaf=1).fit(X, y)
    >>> model.predict([[0, 0], [1, 4]]).round(1)
    array([1., 8.])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        loss="squared_error",
        *,
        quantile=None,
        learning_rate=0.1,
        max_iter=100,
        max_leaf_nodes=8,
        max_depth=None,
        min_samples_leaf=20,
        l2_regularization=0.0,
        max_features=1.0,
        max_bins=255,
        categorical_features="from_dtype",
        monotonic_cst=None,
        interaction_cst=None,
        warm_start=False,
        early_stopping="auto",
        scoring="loss",
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-07,
        verbose=0,
        random_state=None,
        n_bits=4,
        binning="splits",
        input_encoding="thermometer",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            loss=loss,
            quantile=quantile,
            learning_rate=learning_rate,
            max_iter=max_iter,
            max_leaf_nodes=max_leaf_nodes,
            max_depth=max_depth,
            min_samples_leaf=min_samples_leaf,
            l2_regularization=l2_regularization,
            max_features=max_features,
            max_bins=max_bins,
            categorical_features=categorical_features,
            monotonic_cst=monotonic_cst,
            interaction_cst=interaction_cst,
            warm_start=warm_start,
            early_stopping=early_stopping,
            scoring=scoring,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            verbose=verbose,
            random_state=random_state,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error
