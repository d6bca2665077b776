"""LightGBM's estimators on encrypted data."""

from __future__ import annotations

import lightgbm

from fhe_estimators.lightgbm._booster import (
    BoosterClassifierMixin,
    BoosterRegressorMixin,
    RawScoreModel,
)

__all__ = ["LGBMClassifier", "LGBMRegressor"]


class LGBMClassifier(BoosterClassifierMixin, lightgbm.LGBMClassifier, RawScoreModel):
    """LightGBM's trees that classify encrypted data.

    Fitted by LightGBM, in clear, on binned values. With ``fhe="execute"`` the client
    encrypts which edges of bins a row lies below; the server looks the leaves up in
    encrypted tables and adds their values, rounded, over all trees; the client turns the
    sum into predictions. Trees of depth one, stumps, need no table.

    Parameters
    ----------
    boosting_type : {'gbdt', 'dart', 'rf'}, default='gbdt'
        Boosted trees, boosted trees of which each round drops some, or a random forest.
    num_leaves : int, default=8
        Maximum number of leaves of a tree. 31 in LightGBM: large trees are slow.
    max_depth : int, default=-1
        Maximum depth of a tree; no limit if not positive.
    learning_rate : float, default=0.1
        What the values of leaves are multiplied by.
    n_estimators : int, default=100
        Number of rounds of boosting, each with a tree, or with one for each of several
        classes.
    subsample_for_bin : int, default=200000
        Number of rows that the library bins features by, beyond our bins.
    objective : str or None, default=None
        Loss function to minimize: ``'binary'``, or ``'multiclass'`` or ``'multiclassova'``,
        one class against the others. None chooses one of the first two.
    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes. ``'balanced'`` makes all classes count the same however
        rare, None makes all rows count the same.
    min_split_gain : float, default=0.0
        Minimum reduction of the loss for a split.
    min_child_weight : float, default=1e-3
        Minimum sum of second derivatives in a leaf.
    min_child_samples : int, default=20
        Minimum number of rows in a leaf.
    subsample : float, default=1.0
        Fraction of the rows that is drawn for a round.
    subsample_freq : int, default=0
        Number of rounds after which rows are drawn anew; zero is never.
    colsample_bytree : float, default=1.0
        Fraction of the features that is drawn for a tree.
    reg_alpha : float, default=0.0
        L1 penalty of the values of leaves.
    reg_lambda : float, default=0.0
        L2 penalty of the values of leaves.
    random_state : int, RandomState instance, Generator or None, default=None
        Seed of all that is drawn.
    n_jobs : int or None, default=None
        Number of threads to fit with; one is the fastest if there are few rows.
    importance_type : {'split', 'gain'}, default='split'
        Whether ``feature_importances_`` counts splits or what they gain.
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
    **kwargs : dict
        Other parameters of the library, for example `scale_pos_weight` or `alpha`. It
        prints nothing unless `verbose` is given.

    Attributes
    ----------
    booster_ : lightgbm.Booster
        The fitted trees; their thresholds are edges of bins.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    evals_result_ : dict
        The measures on the rows to evaluate, if `fit` was given any.
    feature_importances_ : ndarray of shape (n_features,)
        What each feature brings, see `importance_type`.
    n_features_in_ : int
        Number of features.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point.
    quantized_module_ : QuantizedModule
        The integer graph with its encoder and decoder.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    lightgbm.LGBMClassifier : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import LGBMClassifier
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]] * 9, ["a", "a", "b", "b"] * 9
    >>> model = LGBMClassifier(n_estimators=10, min_child_samples=5).fit(X, y)
    >>> model.predict([[0, 0], [1, 4]])
    array(['a', 'b'], dtype='<U1')
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        boosting_type="gbdt",
        num_leaves=8,
        max_depth=-1,
        learning_rate=0.1,
        n_estimators=100,
        subsample_for_bin=200000,
        objective=None,
        class_weight=None,
        min_split_gain=0.0,
        min_child_weight=0.001,
        min_child_samples=20,
        subsample=1.0,
        subsample_freq=0,
        colsample_bytree=1.0,
        reg_alpha=0.0,
        reg_lambda=0.0,
        random_state=None,
        n_jobs=None,
        importance_type="split",
        n_bits=4,
        binning="splits",
        input_encoding="thermometer",
        p_error=2**-64,
        **kwargs,
    ) -> None:
        super().__init__(
            boosting_type=boosting_type,
            num_leaves=num_leaves,
            max_depth=max_depth,
            learning_rate=learning_rate,
            n_estimators=n_estimators,
            subsample_for_bin=subsample_for_bin,
            objective=objective,
            class_weight=class_weight,
            min_split_gain=min_split_gain,
            min_child_weight=min_child_weight,
            min_child_samples=min_child_samples,
            subsample=subsample,
            subsample_freq=subsample_freq,
            colsample_bytree=colsample_bytree,
            reg_alpha=reg_alpha,
            reg_lambda=reg_lambda,
            random_state=random_state,
            n_jobs=n_jobs,
            importance_type=importance_type,
            **kwargs,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error


class LGBMRegressor(BoosterRegressorMixin, lightgbm.LGBMRegressor, RawScoreModel):
    """LightGBM's trees that predict numbers of encrypted data.

    Fitted by LightGBM, in clear, on binned values. With ``fhe="execute"`` the client
    encrypts which edges of bins a row lies below; the server looks the leaves up in
    encrypted tables and adds their values, rounded, over all trees; the client turns the
    sum into predictions. Trees of depth one, stumps, need no table.

    Parameters
    ----------
    boosting_type : {'gbdt', 'dart', 'rf'}, default='gbdt'
        Boosted trees, boosted trees of which each round drops some, or a random forest.
    num_leaves : int, default=8
        Maximum number of leaves of a tree. 31 in LightGBM: large trees are slow.
    max_depth : int, default=-1
        Maximum depth of a tree; no limit if not positive.
    learning_rate : float, default=0.1
        What the values of leaves are multiplied by.
    n_estimators : int, default=100
        Number of rounds of boosting, each with a tree, or with one for each of several
        classes.
    subsample_for_bin : int, default=200000
        Number of rows that the library bins features by, beyond our bins.
    objective : str, callable or None, default=None
        Loss function to minimize: ``'regression'``, which None is, ``'regression_l1'``,
        ``'huber'``, ``'fair'``, ``'poisson'``, ``'quantile'``, ``'mape'``, ``'gamma'``,
        ``'tweedie'``, ``'cross_entropy'`` or ``'cross_entropy_lambda'``. What a function
        leads to is predicted as it is.
    class_weight : dict, 'balanced' or None, default=None
        Weights of the values of the target.
    min_split_gain : float, default=0.0
        Minimum reduction of the loss for a split.
    min_child_weight : float, default=1e-3
        Minimum sum of second derivatives in a leaf.
    min_child_samples : int, default=20
        Minimum number of rows in a leaf.
    subsample : float, default=1.0
        Fraction of the rows that is drawn for a round.
    subsample_freq : int, default=0
        Number of rounds after which rows are drawn anew; zero is never.
    colsample_bytree : float, default=1.0
        Fraction of the features that is drawn for a tree.
    reg_alpha : float, default=0.0
        L1 penalty of the values of leaves.
    reg_lambda : float, default=0.0
        L2 penalty of the values of leaves.
    random_state : int, RandomState instance, Generator or None, default=None
        Seed of all that is drawn.
    n_jobs : int or None, default=None
        Number of threads to fit with; one is the fastest if there are few rows.
    importance_type : {'split', 'gain'}, default='split'
        Whether ``feature_importances_`` counts splits or what they gain.
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
    **kwargs : dict
        Other parameters of the library, for example `scale_pos_weight` or `alpha`. It
        prints nothing unless `verbose` is given.

    Attributes
    ----------
    booster_ : lightgbm.Booster
        The fitted trees; their thresholds are edges of bins.
    evals_result_ : dict
        The measures on the rows to evaluate, if `fit` was given any.
    feature_importances_ : ndarray of shape (n_features,)
        What each feature brings, see `importance_type`.
    n_features_in_ : int
        Number of features.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point.
    quantized_module_ : QuantizedModule
        The integer graph with its encoder and decoder.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    lightgbm.LGBMRegressor : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import LGBMRegressor
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]] * 9, [1.0, 1.0, 2.0, 2.0] * 9
    >>> model = LGBMRegressor(n_estimators=60, min_child_samples=5).fit(X, y)
    >>> model.predict([[0, 0], [1, 4]]).round(1)
    array([1., 2.])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        boosting_type="gbdt",
        num_leaves=8,
        max_depth=-1,
        learning_rate=0.1,
        n_estimators=100,
        subsample_for_bin=200000,
        objective=None,
        class_weight=None,
        min_split_gain=0.0,
        min_child_weight=0.001,
        min_child_samples=20,
        subsample=1.0,
        subsample_freq=0,
        colsample_bytree=1.0,
        reg_alpha=0.0,
        reg_lambda=0.0,
        random_state=None,
        n_jobs=None,
        importance_type="split",
        n_bits=4,
        binning="splits",
        input_encoding="thermometer",
        p_error=2**-64,
        **kwargs,
    ) -> None:
        super().__init__(
            boosting_type=boosting_type,
            num_leaves=num_leaves,
            max_depth=max_depth,
            learning_rate=learning_rate,
            n_estimators=n_estimators,
            subsample_for_bin=subsample_for_bin,
            objective=objective,
            class_weight=class_weight,
            min_split_gain=min_split_gain,
            min_child_weight=min_child_weight,
            min_child_samples=min_child_samples,
            subsample=subsample,
            subsample_freq=subsample_freq,
            colsample_bytree=colsample_bytree,
            reg_alpha=reg_alpha,
            reg_lambda=reg_lambda,
            random_state=random_state,
            n_jobs=n_jobs,
            importance_type=importance_type,
            **kwargs,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error
