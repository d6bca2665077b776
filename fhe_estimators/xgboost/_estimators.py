"""XGBoost's estimators on encrypted data."""

from __future__ import annotations

import numpy as np
import xgboost

from fhe_estimators.xgboost._booster import (
    BoosterClassifierMixin,
    BoosterRegressorMixin,
    LabelClassifier,
    MarginModel,
)

__all__ = ["XGBClassifier", "XGBRegressor"]


class XGBClassifier(  # type: ignore[misc]
    BoosterClassifierMixin, LabelClassifier, xgboost.XGBClassifier, MarginModel
):
    """XGBoost's trees that classify encrypted data.

    Labels may be of any type.

    Fitted by XGBoost, in clear, on binned values. With ``fhe="execute"`` the client
    encrypts which edges of bins a row lies below; the server looks the leaves up in
    encrypted tables and adds their values, rounded, over all trees; the client turns the
    sum into predictions. Trees of depth one, stumps, need no table.

    Parameters
    ----------
    max_depth : int or None, default=3
        Maximum depth of a tree; None is 6. None in XGBoost: deep trees are slow. A tree of
        depth one costs no table.
    max_leaves : int or None, default=None
        Maximum number of leaves of a tree; zero is no limit.
    max_bin : int or None, default=None
        Bins that splits are searched between; more than ``2**n_bits`` change nothing.
    grow_policy : {'depthwise', 'lossguide'} or None, default=None
        Whether nodes near the root or those of the largest gain are split first.
    learning_rate : float or None, default=None
        What the values of leaves are multiplied by.
    n_estimators : int or None, default=None
        Number of rounds of boosting, each with one tree for each output; with None 100.
    verbosity : int or None, default=None
        Verbosity of the library, from 0 to 3.
    objective : str or None, default='binary:logistic'
        Loss function to minimize: ``'binary:logistic'``, ``'binary:logitraw'``,
        ``'binary:hinge'``, or, for more than two classes, ``'multi:softprob'``, the default
        then, or ``'multi:softmax'``.
    booster : {'gbtree', 'dart'} or None, default=None
        Whether some trees are dropped in each round, ``'dart'``.
    tree_method : {'exact', 'approx', 'hist', 'auto'} or None, default=None
        How splits are searched.
    n_jobs : int or None, default=None
        Number of threads to fit with; one is the fastest if there are few rows.
    gamma : float or None, default=None
        Minimum reduction of the loss for a split.
    min_child_weight : float or None, default=None
        Minimum sum of second derivatives in a leaf.
    max_delta_step : float or None, default=None
        Maximum value of a leaf; zero is no limit.
    subsample : float or None, default=None
        Fraction of the rows that is drawn for a round.
    sampling_method : {'uniform', 'gradient_based'} or None, default=None
        How these rows are drawn.
    colsample_bytree : float or None, default=None
        Fraction of the features that is drawn for a tree.
    colsample_bylevel : float or None, default=None
        Fraction of the features that is drawn for a level of a tree.
    colsample_bynode : float or None, default=None
        Fraction of the features that is drawn for a node.
    reg_alpha : float or None, default=None
        L1 penalty of the values of leaves.
    reg_lambda : float or None, default=None
        L2 penalty of the values of leaves.
    scale_pos_weight : float or None, default=None
        Weight of the rows of the second of two classes.
    base_score : float, list of float or None, default=None
        Initial prediction, which the first trees correct; None estimates it.
    random_state : int, RandomState instance, Generator or None, default=None
        Seed of all that is drawn.
    missing : float, default=np.nan
        A finite number that stands for a missing value, as nan always does.
    num_parallel_tree : int or None, default=None
        Number of trees that are fitted in a round for each output.
    monotone_constraints : dict, str or None, default=None
        1, -1 or 0 where predictions must rise, fall or may do either with a feature.
    interaction_constraints : str, list of list or None, default=None
        Groups of features that may share a tree.
    importance_type : str or None, default=None
        What ``feature_importances_`` is: ``'gain'``, ``'weight'``, ``'cover'``,
        ``'total_gain'`` or ``'total_cover'``.
    device : str or None, default=None
        Where the library fits, for example ``'cuda'``.
    validate_parameters : bool or None, default=None
        Whether unknown parameters are warned of.
    enable_categorical : bool, default=False
        Whether columns of a category type are taken, each category in a bin of its own.
        Else they are refused.
    feature_types : list of str or None, default=None
        Types of the features. ``'c'`` is for numbers of categories, with
        `enable_categorical`.
    feature_weights : array-like of shape (n_features,) or None, default=None
        How likely each feature is drawn.
    max_cat_to_onehot : int or None, default=None
        Features of fewer categories are split into one and all others.
    max_cat_threshold : int or None, default=None
        Maximum number of categories on one side of a split.
    multi_strategy : {'one_output_per_tree'} or None, default=None
        How several outputs are fitted.
    eval_metric : str, callable, list of them or None, default=None
        What is measured on `eval_set`, the argument of `fit`.
    early_stopping_rounds : int or None, default=None
        Rounds without progress on `eval_set` after which `fit` stops.
    callbacks : list of TrainingCallback or None, default=None
        What is called in each round.
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
        Other parameters of the booster, for example `quantile_alpha`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    evals_result_ : dict
        The measures on `eval_set`, if `fit` was given one.
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
    xgboost.XGBClassifier : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import XGBClassifier
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]] * 9, ["a", "a", "b", "b"] * 9
    >>> model = XGBClassifier(n_estimators=10).fit(X, y)
    >>> model.predict([[0, 0], [1, 4]])
    array(['a', 'b'], dtype='<U1')
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        max_depth=3,
        max_leaves=None,
        max_bin=None,
        grow_policy=None,
        learning_rate=None,
        n_estimators=None,
        verbosity=None,
        objective="binary:logistic",
        booster=None,
        tree_method=None,
        n_jobs=None,
        gamma=None,
        min_child_weight=None,
        max_delta_step=None,
        subsample=None,
        sampling_method=None,
        colsample_bytree=None,
        colsample_bylevel=None,
        colsample_bynode=None,
        reg_alpha=None,
        reg_lambda=None,
        scale_pos_weight=None,
        base_score=None,
        random_state=None,
        missing=np.nan,
        num_parallel_tree=None,
        monotone_constraints=None,
        interaction_constraints=None,
        importance_type=None,
        device=None,
        validate_parameters=None,
        enable_categorical=False,
        feature_types=None,
        feature_weights=None,
        max_cat_to_onehot=None,
        max_cat_threshold=None,
        multi_strategy=None,
        eval_metric=None,
        early_stopping_rounds=None,
        callbacks=None,
        n_bits=4,
        binning="splits",
        input_encoding="thermometer",
        p_error=2**-64,
        **kwargs,
    ) -> None:
        super().__init__(
            max_depth=max_depth,
            max_leaves=max_leaves,
            max_bin=max_bin,
            grow_policy=grow_policy,
            learning_rate=learning_rate,
            n_estimators=n_estimators,
            verbosity=verbosity,
            objective=objective,
            booster=booster,
            tree_method=tree_method,
            n_jobs=n_jobs,
            gamma=gamma,
            min_child_weight=min_child_weight,
            max_delta_step=max_delta_step,
            subsample=subsample,
            sampling_method=sampling_method,
            colsample_bytree=colsample_bytree,
            colsample_bylevel=colsample_bylevel,
            colsample_bynode=colsample_bynode,
            reg_alpha=reg_alpha,
            reg_lambda=reg_lambda,
            scale_pos_weight=scale_pos_weight,
            base_score=base_score,
            random_state=random_state,
            missing=missing,
            num_parallel_tree=num_parallel_tree,
            monotone_constraints=monotone_constraints,
            interaction_constraints=interaction_constraints,
            importance_type=importance_type,
            device=device,
            validate_parameters=validate_parameters,
            enable_categorical=enable_categorical,
            feature_types=feature_types,
            feature_weights=feature_weights,
            max_cat_to_onehot=max_cat_to_onehot,
            max_cat_threshold=max_cat_threshold,
            multi_strategy=multi_strategy,
            eval_metric=eval_metric,
            early_stopping_rounds=early_stopping_rounds,
            callbacks=callbacks,
            **kwargs,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error


class XGBRegressor(BoosterRegressorMixin, xgboost.XGBRegressor, MarginModel):
    """XGBoost's trees that predict numbers of encrypted data.

    Fitted by XGBoost, in clear, on binned values. With ``fhe="execute"`` the client
    encrypts which edges of bins a row lies below; the server looks the leaves up in
    encrypted tables and adds their values, rounded, over all trees; the client turns the
    sum into predictions. Trees of depth one, stumps, need no table.

    Parameters
    ----------
    max_depth : int or None, default=3
        Maximum depth of a tree; None is 6. None in XGBoost: deep trees are slow. A tree of
        depth one costs no table.
    max_leaves : int or None, default=None
        Maximum number of leaves of a tree; zero is no limit.
    max_bin : int or None, default=None
        Bins that splits are searched between; more than ``2**n_bits`` change nothing.
    grow_policy : {'depthwise', 'lossguide'} or None, default=None
        Whether nodes near the root or those of the largest gain are split first.
    learning_rate : float or None, default=None
        What the values of leaves are multiplied by.
    n_estimators : int or None, default=None
        Number of rounds of boosting, each with one tree for each output; with None 100.
    verbosity : int or None, default=None
        Verbosity of the library, from 0 to 3.
    objective : str, callable or None, default='reg:squarederror'
        Loss function to minimize: ``'reg:'`` with ``'squarederror'``, ``'absoluteerror'``,
        ``'gamma'``, ``'logistic'``, ``'pseudohubererror'``, ``'quantileerror'``,
        ``'squaredlogerror'`` or ``'tweedie'``; ``'count:poisson'``. What a function leads
        to is predicted as it is.
    booster : {'gbtree', 'dart'} or None, default=None
        Whether some trees are dropped in each round, ``'dart'``.
    tree_method : {'exact', 'approx', 'hist', 'auto'} or None, default=None
        How splits are searched.
    n_jobs : int or None, default=None
        Number of threads to fit with; one is the fastest if there are few rows.
    gamma : float or None, default=None
        Minimum reduction of the loss for a split.
    min_child_weight : float or None, default=None
        Minimum sum of second derivatives in a leaf.
    max_delta_step : float or None, default=None
        Maximum value of a leaf; zero is no limit.
    subsample : float or None, default=None
        Fraction of the rows that is drawn for a round.
    sampling_method : {'uniform', 'gradient_based'} or None, default=None
        How these rows are drawn.
    colsample_bytree : float or None, default=None
        Fraction of the features that is drawn for a tree.
    colsample_bylevel : float or None, default=None
        Fraction of the features that is drawn for a level of a tree.
    colsample_bynode : float or None, default=None
        Fraction of the features that is drawn for a node.
    reg_alpha : float or None, default=None
        L1 penalty of the values of leaves.
    reg_lambda : float or None, default=None
        L2 penalty of the values of leaves.
    scale_pos_weight : float or None, default=None
        Weight of the rows of the second of two classes.
    base_score : float, list of float or None, default=None
        Initial prediction, which the first trees correct; None estimates it.
    random_state : int, RandomState instance, Generator or None, default=None
        Seed of all that is drawn.
    missing : float, default=np.nan
        A finite number that stands for a missing value, as nan always does.
    num_parallel_tree : int or None, default=None
        Number of trees that are fitted in a round for each output.
    monotone_constraints : dict, str or None, default=None
        1, -1 or 0 where predictions must rise, fall or may do either with a feature.
    interaction_constraints : str, list of list or None, default=None
        Groups of features that may share a tree.
    importance_type : str or None, default=None
        What ``feature_importances_`` is: ``'gain'``, ``'weight'``, ``'cover'``,
        ``'total_gain'`` or ``'total_cover'``.
    device : str or None, default=None
        Where the library fits, for example ``'cuda'``.
    validate_parameters : bool or None, default=None
        Whether unknown parameters are warned of.
    enable_categorical : bool, default=False
        Whether columns of a category type are taken, each category in a bin of its own.
        Else they are refused.
    feature_types : list of str or None, default=None
        Types of the features. ``'c'`` is for numbers of categories, with
        `enable_categorical`.
    feature_weights : array-like of shape (n_features,) or None, default=None
        How likely each feature is drawn.
    max_cat_to_onehot : int or None, default=None
        Features of fewer categories are split into one and all others.
    max_cat_threshold : int or None, default=None
        Maximum number of categories on one side of a split.
    multi_strategy : {'one_output_per_tree'} or None, default=None
        How several outputs are fitted.
    eval_metric : str, callable, list of them or None, default=None
        What is measured on `eval_set`, the argument of `fit`.
    early_stopping_rounds : int or None, default=None
        Rounds without progress on `eval_set` after which `fit` stops.
    callbacks : list of TrainingCallback or None, default=None
        What is called in each round.
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
        Other parameters of the booster, for example `quantile_alpha`.

    Attributes
    ----------
    evals_result_ : dict
        The measures on `eval_set`, if `fit` was given one.
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
    xgboost.XGBRegressor : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import XGBRegressor
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]] * 9, [1.0, 1.0, 2.0, 2.0] * 9
    >>> model = XGBRegressor(n_estimators=30).fit(X, y)
    >>> model.predict([[0, 0], [1, 4]]).round(1)
    array([1., 2.])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        max_depth=3,
        max_leaves=None,
        max_bin=None,
        grow_policy=None,
        learning_rate=None,
        n_estimators=None,
        verbosity=None,
        objective="reg:squarederror",
        booster=None,
        tree_method=None,
        n_jobs=None,
        gamma=None,
        min_child_weight=None,
        max_delta_step=None,
        subsample=None,
        sampling_method=None,
        colsample_bytree=None,
        colsample_bylevel=None,
        colsample_bynode=None,
        reg_alpha=None,
        reg_lambda=None,
        scale_pos_weight=None,
        base_score=None,
        random_state=None,
        missing=np.nan,
        num_parallel_tree=None,
        monotone_constraints=None,
        interaction_constraints=None,
        importance_type=None,
        device=None,
        validate_parameters=None,
        enable_categorical=False,
        feature_types=None,
        feature_weights=None,
        max_cat_to_onehot=None,
        max_cat_threshold=None,
        multi_strategy=None,
        eval_metric=None,
        early_stopping_rounds=None,
        callbacks=None,
        n_bits=4,
        binning="splits",
        input_encoding="thermometer",
        p_error=2**-64,
        **kwargs,
    ) -> None:
        super().__init__(
            max_depth=max_depth,
            max_leaves=max_leaves,
            max_bin=max_bin,
            grow_policy=grow_policy,
            learning_rate=learning_rate,
            n_estimators=n_estimators,
            verbosity=verbosity,
            objective=objective,
            booster=booster,
            tree_method=tree_method,
            n_jobs=n_jobs,
            gamma=gamma,
            min_child_weight=min_child_weight,
            max_delta_step=max_delta_step,
            subsample=subsample,
            sampling_method=sampling_method,
            colsample_bytree=colsample_bytree,
            colsample_bylevel=colsample_bylevel,
            colsample_bynode=colsample_bynode,
            reg_alpha=reg_alpha,
            reg_lambda=reg_lambda,
            scale_pos_weight=scale_pos_weight,
            base_score=base_score,
            random_state=random_state,
            missing=missing,
            num_parallel_tree=num_parallel_tree,
            monotone_constraints=monotone_constraints,
            interaction_constraints=interaction_constraints,
            importance_type=importance_type,
            device=device,
            validate_parameters=validate_parameters,
            enable_categorical=enable_categorical,
            feature_types=feature_types,
            feature_weights=feature_weights,
            max_cat_to_onehot=max_cat_to_onehot,
            max_cat_threshold=max_cat_threshold,
            multi_strategy=multi_strategy,
            eval_metric=eval_metric,
            early_stopping_rounds=early_stopping_rounds,
            callbacks=callbacks,
            **kwargs,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error
