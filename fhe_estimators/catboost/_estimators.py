"""CatBoost's estimators on encrypted data."""

from __future__ import annotations

import catboost
from sklearn.base import BaseEstimator

from fhe_estimators.catboost._booster import BoosterClassifierMixin, BoosterRegressorMixin
from fhe_estimators.catboost._library import LibraryModel

__all__ = ["CatBoostClassifier", "CatBoostRegressor"]


class CatBoostClassifier(
    BoosterClassifierMixin, LibraryModel, catboost.CatBoostClassifier, BaseEstimator
):
    """CatBoost's trees that classify encrypted data.

    Trees are symmetric: all nodes of a level make the same comparison, so that a tree of up
    to four levels is one table of four bits, the cheapest that tells 16 leaves apart.
    Other boosted trees of the accuracy take two to four times as many tables.

    The constructor names the parameters that decide what a model costs and how good it is,
    and passes on all others that CatBoost has, some hundred, its other names for these
    included: ``CatBoostClassifier(n_estimators=20, max_depth=3, one_hot_max_size=2)``.

    Fitted by CatBoost, in clear, on binned values. With ``fhe="execute"`` the client
    encrypts which edges of bins a row lies below; the server looks the leaves up in
    encrypted tables and adds their values, rounded, over all trees; the client turns the
    sum into predictions. Trees of depth one, stumps, need no table.

    Parameters
    ----------
    iterations : int, default=100
        Number of trees. None in CatBoost: that is 1000, and each tree costs a table.
    learning_rate : float or None, default=None
        What the values of leaves are multiplied by; None chooses one for the rows and
        `iterations`.
    depth : int, default=4
        Depth of the trees. None in CatBoost: that is 6. A tree of depth 4 is a table of
        four bits, one of depth 6 a table of six bits, which takes several times as long.
    l2_leaf_reg : float or None, default=None
        L2 penalty of the values of leaves; None is 3.
    loss_function : str or None, default=None
        Loss function to minimize: ``'Logloss'`` or ``'MultiClass'``, of which None chooses
        one, ``'MultiClassOneVsAll'``, ``'CrossEntropy'``, ``'Focal'`` with its parameters,
        and for several labels at once ``'MultiLogloss'`` or ``'MultiCrossEntropy'``.
    border_count : int or None, default=None
        Number of edges that divide the values of a feature into bins; None is ``2**n_bits -
        1``. Those that trees compare with are encrypted. 254 in CatBoost.
    thread_count : int or None, default=None
        Number of threads to fit with; None takes all.
    verbose : bool, int or None, default=None
        What `fit` prints: nothing if None, a line for each round or so many of them.
        CatBoost prints all unless told.
    class_weights : dict or list of float or None, default=None
        Weights of the classes.
    auto_class_weights : {'Balanced', 'SqrtBalanced'} or None, default=None
        Weights of the classes: all count the same, or as the square roots of how frequent
        they are. None makes all rows count the same.
    allow_writing_files : bool, default=False
        Whether `fit` writes files into ``catboost_info``. None in CatBoost: that is True.
    bootstrap_type : str or None, default=None
        How rows are drawn, or weighted, for a round, for example ``'Bernoulli'``; None
        chooses.
    subsample : float or None, default=None
        Fraction of the rows that is drawn for a round; None chooses.
    random_state : int or None, default=None
        Seed of all that is drawn; None is 0.
    early_stopping_rounds : int or None, default=None
        Number of rounds without progress on `eval_set` after which `fit` stops; None never
        stops.
    grow_policy : {'SymmetricTree', 'Depthwise', 'Lossguide'} or None, default=None
        None is ``'SymmetricTree'``. The nodes of other trees make comparisons of their own:
        such a tree takes several tables.
    max_leaves : int or None, default=None
        Maximum number of leaves of a tree with ``grow_policy='Lossguide'``; None is 31.
    monotone_constraints : dict, list of int, str or None, default=None
        1, -1 or 0 where predictions must rise, fall or may do either with a feature.
    n_bits : int or dict, default=4
        The values of each feature fall into ``2**n_bits`` bins, `n_bits` from 1 to 16, on
        average where `binning` says so. A dict ``{"op_inputs": ..., "op_weights": ...}``
        also sets the bits of the values of leaves, which are chosen by their effect
        otherwise.
    binning : {'quantile', 'uniform'}, default='quantile'
        Whether bins hold about as many rows each, as CatBoost's own choice does, or have
        the same width, unless `feature_border_type` is given.
    input_encoding : {'thermometer', 'integer'}, default='thermometer'
        What is encrypted: a bit for each edge between bins, or one integer a feature, which
        is smaller to send and slower to compute with.
    p_error : float, default=2**-64
        Probability that a table look-up is wrong. Smaller is slower; see the README.
    **kwargs : dict
        Other parameters of the library, and its other names for these, for example
        `n_estimators`, `max_depth` or `rsm`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
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
    catboost.CatBoostClassifier : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import CatBoostClassifier
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]] * 9, ["a", "a", "b", "b"] * 9
    >>> model = CatBoostClassifier(iterations=10).fit(X, y)
    >>> model.predict([[0, 0], [1, 4]])
    array(['a', 'b'], dtype=object)
    """

    _named = (
        "iterations",
        "learning_rate",
        "depth",
        "l2_leaf_reg",
        "loss_function",
        "border_count",
        "thread_count",
        "verbose",
        "class_weights",
        "auto_class_weights",
        "allow_writing_files",
        "bootstrap_type",
        "subsample",
        "random_state",
        "early_stopping_rounds",
        "grow_policy",
        "max_leaves",
        "monotone_constraints",
    )

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        iterations=100,
        learning_rate=None,
        depth=4,
        l2_leaf_reg=None,
        *,
        loss_function=None,
        border_count=None,
        thread_count=None,
        verbose=None,
        class_weights=None,
        auto_class_weights=None,
        allow_writing_files=False,
        bootstrap_type=None,
        subsample=None,
        random_state=None,
        early_stopping_rounds=None,
        grow_policy=None,
        max_leaves=None,
        monotone_constraints=None,
        n_bits=4,
        binning="quantile",
        input_encoding="thermometer",
        p_error=2**-64,
        **kwargs,
    ) -> None:
        super().__init__(
            iterations=iterations,
            learning_rate=learning_rate,
            depth=depth,
            l2_leaf_reg=l2_leaf_reg,
            loss_function=loss_function,
            border_count=border_count,
            thread_count=thread_count,
            verbose=verbose,
            class_weights=class_weights,
            auto_class_weights=auto_class_weights,
            allow_writing_files=allow_writing_files,
            bootstrap_type=bootstrap_type,
            subsample=subsample,
            random_state=random_state,
            early_stopping_rounds=early_stopping_rounds,
            grow_policy=grow_policy,
            max_leaves=max_leaves,
            monotone_constraints=monotone_constraints,
            **kwargs,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error


class CatBoostRegressor(
    BoosterRegressorMixin, LibraryModel, catboost.CatBoostRegressor, BaseEstimator
):
    """CatBoost's trees that predict numbers of encrypted data.

    Trees are symmetric: all nodes of a level make the same comparison, so that a tree of up
    to four levels is one table of four bits, the cheapest that tells 16 leaves apart.
    Other boosted trees of the accuracy take two to four times as many tables.

    The constructor names the parameters that decide what a model costs and how good it is,
    and passes on all others that CatBoost has, some hundred, its other names for these
    included: ``CatBoostRegressor(n_estimators=20, max_depth=3, nan_mode="Forbidden")``.

    Fitted by CatBoost, in clear, on binned values. With ``fhe="execute"`` the client
    encrypts which edges of bins a row lies below; the server looks the leaves up in
    encrypted tables and adds their values, rounded, over all trees; the client turns the
    sum into predictions. Trees of depth one, stumps, need no table.

    Parameters
    ----------
    iterations : int, default=100
        Number of trees. None in CatBoost: that is 1000, and each tree costs a table.
    learning_rate : float or None, default=None
        What the values of leaves are multiplied by; None chooses one for the rows and
        `iterations`.
    depth : int, default=4
        Depth of the trees. None in CatBoost: that is 6. A tree of depth 4 is a table of
        four bits, one of depth 6 a table of six bits, which takes several times as long.
    l2_leaf_reg : float or None, default=None
        L2 penalty of the values of leaves; None is 3.
    loss_function : str or None, default='RMSE'
        Loss function to minimize, with its parameters: ``'RMSE'``, ``'Expectile'``,
        ``'Huber'``, ``'LogCosh'``, ``'LogLinQuantile'``, ``'Lq'``, ``'MAE'``, ``'MAPE'``,
        ``'Poisson'``, ``'Quantile'``, ``'RMSPE'``, ``'Tweedie'``, and for several targets
        ``'MultiQuantile'``, ``'MultiRMSE'`` or ``'MultiRMSEWithMissingValues'``.
    border_count : int or None, default=None
        Number of edges that divide the values of a feature into bins; None is ``2**n_bits -
        1``. Those that trees compare with are encrypted. 254 in CatBoost.
    thread_count : int or None, default=None
        Number of threads to fit with; None takes all.
    verbose : bool, int or None, default=None
        What `fit` prints: nothing if None, a line for each round or so many of them.
        CatBoost prints all unless told.
    allow_writing_files : bool, default=False
        Whether `fit` writes files into ``catboost_info``. None in CatBoost: that is True.
    bootstrap_type : str or None, default=None
        How rows are drawn, or weighted, for a round, for example ``'Bernoulli'``; None
        chooses.
    subsample : float or None, default=None
        Fraction of the rows that is drawn for a round; None chooses.
    random_state : int or None, default=None
        Seed of all that is drawn; None is 0.
    early_stopping_rounds : int or None, default=None
        Number of rounds without progress on `eval_set` after which `fit` stops; None never
        stops.
    grow_policy : {'SymmetricTree', 'Depthwise', 'Lossguide'} or None, default=None
        None is ``'SymmetricTree'``. The nodes of other trees make comparisons of their own:
        such a tree takes several tables.
    max_leaves : int or None, default=None
        Maximum number of leaves of a tree with ``grow_policy='Lossguide'``; None is 31.
    monotone_constraints : dict, list of int, str or None, default=None
        1, -1 or 0 where predictions must rise, fall or may do either with a feature.
    n_bits : int or dict, default=4
        The values of each feature fall into ``2**n_bits`` bins, `n_bits` from 1 to 16, on
        average where `binning` says so. A dict ``{"op_inputs": ..., "op_weights": ...}``
        also sets the bits of the values of leaves, which are chosen by their effect
        otherwise.
    binning : {'quantile', 'uniform'}, default='quantile'
        Whether bins hold about as many rows each, as CatBoost's own choice does, or have
        the same width, unless `feature_border_type` is given.
    input_encoding : {'thermometer', 'integer'}, default='thermometer'
        What is encrypted: a bit for each edge between bins, or one integer a feature, which
        is smaller to send and slower to compute with.
    p_error : float, default=2**-64
        Probability that a table look-up is wrong. Smaller is slower; see the README.
    **kwargs : dict
        Other parameters of the library, and its other names for these, for example
        `n_estimators`, `max_depth` or `rsm`.

    Attributes
    ----------
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
    catboost.CatBoostRegressor : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import CatBoostRegressor
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]] * 9, [1.0, 1.0, 2.0, 2.0] * 9
    >>> model = CatBoostRegressor(iterations=60).fit(X, y)
    >>> model.predict([[0, 0], [1, 4]]).round(1)
    array([1., 2.])
    """

    _named = (
        "iterations",
        "learning_rate",
        "depth",
        "l2_leaf_reg",
        "loss_function",
        "border_count",
        "thread_count",
        "verbose",
        "allow_writing_files",
        "bootstrap_type",
        "subsample",
        "random_state",
        "early_stopping_rounds",
        "grow_policy",
        "max_leaves",
        "monotone_constraints",
    )

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        iterations=100,
        learning_rate=None,
        depth=4,
        l2_leaf_reg=None,
        *,
        loss_function="RMSE",
        border_count=None,
        thread_count=None,
        verbose=None,
        allow_writing_files=False,
        bootstrap_type=None,
        subsample=None,
        random_state=None,
        early_stopping_rounds=None,
        grow_policy=None,
        max_leaves=None,
        monotone_constraints=None,
        n_bits=4,
        binning="quantile",
        input_encoding="thermometer",
        p_error=2**-64,
        **kwargs,
    ) -> None:
        super().__init__(
            iterations=iterations,
            learning_rate=learning_rate,
            depth=depth,
            l2_leaf_reg=l2_leaf_reg,
            loss_function=loss_function,
            border_count=border_count,
            thread_count=thread_count,
            verbose=verbose,
            allow_writing_files=allow_writing_files,
            bootstrap_type=bootstrap_type,
            subsample=subsample,
            random_state=random_state,
            early_stopping_rounds=early_stopping_rounds,
            grow_policy=grow_policy,
            max_leaves=max_leaves,
            monotone_constraints=monotone_constraints,
            **kwargs,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error
