"""interpret's explainable boosting machines on encrypted data."""

from __future__ import annotations

from interpret import glassbox

from fhe_estimators.interpret._additive import (
    AdditiveClassifierMixin,
    AdditiveRegressorMixin,
)
from fhe_estimators.interpret._library import AdditiveModel

__all__ = ["ExplainableBoostingClassifier", "ExplainableBoostingRegressor"]


class ExplainableBoostingClassifier(
    AdditiveClassifierMixin, AdditiveModel, glassbox.ExplainableBoostingClassifier
):
    """Explainable boosting machine that classifies encrypted data.

    A sum of functions of one feature each, its main effects, and of some functions of two,
    its interactions. Main effects take no table, however many bins they have: this is the
    cheapest model that is no straight line. An interaction takes one table as long as its
    two features have at most 16 states together.

    Fitted by interpret, in clear. With ``fhe="execute"`` the client encrypts which edges of
    bins a row lies below; the server adds up the terms, those of one feature without a
    table, those of several from encrypted tables; the client adds the intercept and turns
    the sum into predictions.

    Parameters
    ----------
    feature_names : list of str or None, default=None
        What explanations call the features. None takes the names of columns, and may not
        differ from them.
    feature_types : list or None, default=None
        For each feature None or ``'auto'``, what its bins are: ``'quantile'``,
        ``'rounded_quantile'``, ``'uniform'``, ``'winsorized'``, a list of cuts, or for
        categories ``'nominal'``, ``'ordinal'``, or a list of texts in order. By default
        texts that are no numbers, and columns of a category type, are categories.
    max_bins : int or None, default=None
        Bins of each feature, of which two are for missing and unknown values. None is
        ``2**n_bits`` and these two, or what `binning` keeps of 256. 1024 in interpret: an
        edge between bins is encrypted.
    max_interaction_bins : int or None, default=None
        Bins of each feature in interactions, of which two are for missing and unknown
        values. 64 in interpret: a pair would take hundreds of tables. None makes it fit one
        of 16 states: four bins of numbers, or three if values are missing, and no more than
        ``2**n_bits``.
    interactions : int, float, str or list of tuple, default=0
        Pairs of features that have a term: so many are chosen, or so many for each feature,
        as in ``'2x'``, or they are given. '3x' in interpret: each pair takes a table, and
        features alone take none.
    exclude : 'mains', list of tuple, or None, default=None
        Terms that are left out, as numbers or names of their features; all of one feature
        if ``'mains'``.
    validation_size : int or float, default=0.15
        Rows, or part of them if below one, that are kept from training to stop early.
    outer_bags : int, default=14
        Number of models that the terms are averaged over.
    inner_bags : int, default=0
        Number of models that each step is averaged over; zero takes one of all rows.
    learning_rate : float, default=0.015
        What each step is multiplied by.
    greedy_ratio : float, default=10.0
        How many steps take the term of the largest gain, for each step that visits all.
    cyclic_progress : bool or float, default=False
        Which part of the cycles, which visit all terms in turn, changes the model.
    smoothing_rounds : int, default=75
        Number of first rounds, of random cuts.
    interaction_smoothing_rounds : int, default=75
        Number of first rounds of interactions, of random cuts.
    max_rounds : int, default=50000
        Maximum number of rounds, of a step for each term.
    early_stopping_rounds : int, default=100
        Number of rounds without progress after which fitting ends; zero never stops.
    early_stopping_tolerance : float, default=1e-5
        What counts as progress, as a part of the score; it may be negative.
    callback : callable or None, default=None
        What is called after each step with the number of the bag, of the step, whether it
        was a progress, and the best score; fitting ends if it returns True.
    min_samples_leaf : int, default=4
        Minimum number of rows in a leaf of a step.
    min_hessian : float, default=1e-4
        Minimum sum of second derivatives in a leaf of a step.
    reg_alpha : float, default=0.0
        L1 penalty of the steps.
    reg_lambda : float, default=0.0
        L2 penalty of the steps.
    max_delta_step : float, default=0.0
        Largest step of a leaf; zero is no limit.
    gain_scale : float, default=5.0
        What gains of categories are multiplied by: more makes them chosen earlier.
    min_cat_samples : int, default=10
        Categories of fewer rows are treated as one.
    cat_smooth : float, default=10.0
        How much the order of categories is smoothed; more makes rare ones count less.
    missing : {'separate', 'low', 'high', 'gain'}, default='separate'
        Where steps put missing values: apart, below all numbers, above them, or where the
        gain is larger. In the model they have a bin of their own.
    max_leaves : int, default=2
        Maximum number of leaves of each step.
    monotone_constraints : list of int or None, default=None
        1, -1 or 0 where the function of a feature must rise, fall or may do either.
    objective : str, default='log_loss'
        Loss function to minimize.
    n_jobs : int, default=-2
        Number of processes that fit bags; -2 is one less than there are processors.
    random_state : int or None, default=42
        Seed of all that is drawn.
    n_bits : int or dict, default=4
        The values of each feature fall into ``2**n_bits`` bins, `n_bits` from 1 to 16, on
        average where `binning` says so. A dict ``{"op_inputs": ..., "op_weights": ...}``
        also sets the bits of the values of leaves, which are chosen by their effect
        otherwise.
    binning : {'splits', 'quantile', 'uniform'}, default='splits'
        Whether bins are those that scores step most between, of 256, with more of them for
        features that matter more; or hold about as many rows each, or have the same width,
        where `feature_types` says nothing else.
    input_encoding : {'thermometer', 'integer'}, default='thermometer'
        What is encrypted: a bit for each edge between bins, or one integer a feature, which
        is smaller to send and slower to compute with.
    p_error : float, default=2**-64
        Probability that a table look-up is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of features, made up if columns have none.
    feature_types_in_ : list of str
        ``'continuous'``, ``'nominal'`` or ``'ordinal'``.
    bins_ : list of list
        For each feature, its cuts, or a dict of labels, for terms of one feature and for
        those of more.
    feature_bounds_ : ndarray of shape (n_features, 2)
        The smallest and the largest number of each feature, rounded outwards.
    histogram_edges_ : list of ndarray
        For each feature, the edges of its histogram.
    histogram_weights_ : list of ndarray
        For each feature, the sum of the weights of the rows in each part of its histogram;
        first that of missing values.
    unique_val_counts_ : ndarray of shape (n_features,)
        Number of different values of each feature.
    term_features_ : list of tuple of int
        The features of each term.
    term_names_ : list of str
        The name of each term.
    bin_weights_ : list of ndarray of shape (n_bins, ...)
        For each term, the sum of the weights of the rows in each bin.
    bagged_scores_ : list of ndarray of shape (outer_bags, n_bins, ...)
        The scores of each term, of each bag.
    term_scores_ : list of ndarray of shape (n_bins, ...) or (n_bins, ..., n_classes)
        For each term, what it adds in each bin: first that of missing values, at last that
        of unknown ones.
    standard_deviations_ : list of ndarray of shape (n_bins, ...)
        For each term, how its scores differ among bags.
    link_ : str
        What turns the sum into predictions.
    link_param_ : float
        A parameter of the link.
    bag_weights_ : ndarray of shape (outer_bags,)
        Sum of the weights of the rows of each bag.
    best_iteration_ : ndarray of shape (n_stages, outer_bags)
        After how many steps fitting ended.
    intercept_ : float or ndarray of shape (1,) or (n_classes,)
        What is added to the terms.
    bagged_intercept_ : ndarray of shape (outer_bags,) or (outer_bags, n_classes)
        The intercept of each bag.
    max_target_ : float
        The largest target.
    min_target_ : float
        The smallest target.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point.
    quantized_module_ : QuantizedModule
        The integer graph with its encoder and decoder.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    interpret.glassbox.ExplainableBoostingClassifier : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import ExplainableBoostingClassifier
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]] * 20, ["in", "out", "out", "in"] * 20
    >>> model = ExplainableBoostingClassifier(n_jobs=1).fit(X, y)
    >>> model.predict([[0.2], [1.2]]).tolist()
    ['in', 'out']
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        feature_names=None,
        feature_types=None,
        max_bins=None,
        max_interaction_bins=None,
        interactions=0,
        exclude=None,
        validation_size=0.15,
        outer_bags=14,
        inner_bags=0,
        learning_rate=0.015,
        greedy_ratio=10.0,
        cyclic_progress=False,
        smoothing_rounds=75,
        interaction_smoothing_rounds=75,
        max_rounds=50000,
        early_stopping_rounds=100,
        early_stopping_tolerance=1e-05,
        callback=None,
        min_samples_leaf=4,
        min_hessian=0.0001,
        reg_alpha=0.0,
        reg_lambda=0.0,
        max_delta_step=0.0,
        gain_scale=5.0,
        min_cat_samples=10,
        cat_smooth=10.0,
        missing="separate",
        max_leaves=2,
        monotone_constraints=None,
        objective="log_loss",
        n_jobs=-2,
        random_state=42,
        *,
        n_bits=4,
        binning="splits",
        input_encoding="thermometer",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            feature_names=feature_names,
            feature_types=feature_types,
            max_bins=max_bins,
            max_interaction_bins=max_interaction_bins,
            interactions=interactions,
            exclude=exclude,
            validation_size=validation_size,
            outer_bags=outer_bags,
            inner_bags=inner_bags,
            learning_rate=learning_rate,
            greedy_ratio=greedy_ratio,
            cyclic_progress=cyclic_progress,
            smoothing_rounds=smoothing_rounds,
            interaction_smoothing_rounds=interaction_smoothing_rounds,
            max_rounds=max_rounds,
            early_stopping_rounds=early_stopping_rounds,
            early_stopping_tolerance=early_stopping_tolerance,
            callback=callback,
            min_samples_leaf=min_samples_leaf,
            min_hessian=min_hessian,
            reg_alpha=reg_alpha,
            reg_lambda=reg_lambda,
            max_delta_step=max_delta_step,
            gain_scale=gain_scale,
            min_cat_samples=min_cat_samples,
            cat_smooth=cat_smooth,
            missing=missing,
            max_leaves=max_leaves,
            monotone_constraints=monotone_constraints,
            objective=objective,
            n_jobs=n_jobs,
            random_state=random_state,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error


class ExplainableBoostingRegressor(
    AdditiveRegressorMixin, AdditiveModel, glassbox.ExplainableBoostingRegressor
):
    """Explainable boosting machine that predicts numbers on encrypted data.

    A sum of functions of one feature each, its main effects, and of some functions of two,
    its interactions. Main effects take no table, however many bins they have: this is the
    cheapest model that is no straight line. An interaction takes one table as long as its
    two features have at most 16 states together.

    Fitted by interpret, in clear. With ``fhe="execute"`` the client encrypts which edges of
    bins a row lies below; the server adds up the terms, those of one feature without a
    table, those of several from encrypted tables; the client adds the intercept and turns
    the sum into predictions.

    Parameters
    ----------
    feature_names : list of str or None, default=None
        What explanations call the features. None takes the names of columns, and may not
        differ from them.
    feature_types : list or None, default=None
        For each feature None or ``'auto'``, what its bins are: ``'quantile'``,
        ``'rounded_quantile'``, ``'uniform'``, ``'winsorized'``, a list of cuts, or for
        categories ``'nominal'``, ``'ordinal'``, or a list of texts in order. By default
        texts that are no numbers, and columns of a category type, are categories.
    max_bins : int or None, default=None
        Bins of each feature, of which two are for missing and unknown values. None is
        ``2**n_bits`` and these two, or what `binning` keeps of 256. 1024 in interpret: an
        edge between bins is encrypted.
    max_interaction_bins : int or None, default=None
        Bins of each feature in interactions, of which two are for missing and unknown
        values. 64 in interpret: a pair would take hundreds of tables. None makes it fit one
        of 16 states: four bins of numbers, or three if values are missing, and no more than
        ``2**n_bits``.
    interactions : int, float, str or list of tuple, default=0
        Pairs of features that have a term: so many are chosen, or so many for each feature,
        as in ``'2x'``, or they are given. '5x' in interpret: each pair takes a table, and
        features alone take none.
    exclude : 'mains', list of tuple, or None, default=None
        Terms that are left out, as numbers or names of their features; all of one feature
        if ``'mains'``.
    validation_size : int or float, default=0.15
        Rows, or part of them if below one, that are kept from training to stop early.
    outer_bags : int, default=14
        Number of models that the terms are averaged over.
    inner_bags : int, default=0
        Number of models that each step is averaged over; zero takes one of all rows.
    learning_rate : float, default=0.04
        What each step is multiplied by.
    greedy_ratio : float, default=10.0
        How many steps take the term of the largest gain, for each step that visits all.
    cyclic_progress : bool or float, default=False
        Which part of the cycles, which visit all terms in turn, changes the model.
    smoothing_rounds : int, default=500
        Number of first rounds, of random cuts.
    interaction_smoothing_rounds : int, default=100
        Number of first rounds of interactions, of random cuts.
    max_rounds : int, default=50000
        Maximum number of rounds, of a step for each term.
    early_stopping_rounds : int, default=100
        Number of rounds without progress after which fitting ends; zero never stops.
    early_stopping_tolerance : float, default=1e-5
        What counts as progress, as a part of the score; it may be negative.
    callback : callable or None, default=None
        What is called after each step with the number of the bag, of the step, whether it
        was a progress, and the best score; fitting ends if it returns True.
    min_samples_leaf : int, default=4
        Minimum number of rows in a leaf of a step.
    min_hessian : float, default=0.0
        Minimum sum of second derivatives in a leaf of a step.
    reg_alpha : float, default=0.0
        L1 penalty of the steps.
    reg_lambda : float, default=0.0
        L2 penalty of the steps.
    max_delta_step : float, default=0.0
        Largest step of a leaf; zero is no limit.
    gain_scale : float, default=5.0
        What gains of categories are multiplied by: more makes them chosen earlier.
    min_cat_samples : int, default=10
        Categories of fewer rows are treated as one.
    cat_smooth : float, default=10.0
        How much the order of categories is smoothed; more makes rare ones count less.
    missing : {'separate', 'low', 'high', 'gain'}, default='separate'
        Where steps put missing values: apart, below all numbers, above them, or where the
        gain is larger. In the model they have a bin of their own.
    max_leaves : int, default=2
        Maximum number of leaves of each step.
    monotone_constraints : list of int or None, default=None
        1, -1 or 0 where the function of a feature must rise, fall or may do either.
    objective : str, default='rmse'
        Loss function to minimize: ``'rmse'``, ``'rmse_log'``, ``'poisson_deviance'``,
        ``'gamma_deviance'``, ``'tweedie_deviance:variance_power=1.5'`` or
        ``'pseudo_huber:delta=1.0'``. Some predict the exponential of the sum, which the
        client computes.
    n_jobs : int, default=-2
        Number of processes that fit bags; -2 is one less than there are processors.
    random_state : int or None, default=42
        Seed of all that is drawn.
    n_bits : int or dict, default=4
        The values of each feature fall into ``2**n_bits`` bins, `n_bits` from 1 to 16, on
        average where `binning` says so. A dict ``{"op_inputs": ..., "op_weights": ...}``
        also sets the bits of the values of leaves, which are chosen by their effect
        otherwise.
    binning : {'splits', 'quantile', 'uniform'}, default='splits'
        Whether bins are those that scores step most between, of 256, with more of them for
        features that matter more; or hold about as many rows each, or have the same width,
        where `feature_types` says nothing else.
    input_encoding : {'thermometer', 'integer'}, default='thermometer'
        What is encrypted: a bit for each edge between bins, or one integer a feature, which
        is smaller to send and slower to compute with.
    p_error : float, default=2**-64
        Probability that a table look-up is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of features, made up if columns have none.
    feature_types_in_ : list of str
        ``'continuous'``, ``'nominal'`` or ``'ordinal'``.
    bins_ : list of list
        For each feature, its cuts, or a dict of labels, for terms of one feature and for
        those of more.
    feature_bounds_ : ndarray of shape (n_features, 2)
        The smallest and the largest number of each feature, rounded outwards.
    histogram_edges_ : list of ndarray
        For each feature, the edges of its histogram.
    histogram_weights_ : list of ndarray
        For each feature, the sum of the weights of the rows in each part of its histogram;
        first that of missing values.
    unique_val_counts_ : ndarray of shape (n_features,)
        Number of different values of each feature.
    term_features_ : list of tuple of int
        The features of each term.
    term_names_ : list of str
        The name of each term.
    bin_weights_ : list of ndarray of shape (n_bins, ...)
        For each term, the sum of the weights of the rows in each bin.
    bagged_scores_ : list of ndarray of shape (outer_bags, n_bins, ...)
        The scores of each term, of each bag.
    term_scores_ : list of ndarray of shape (n_bins, ...) or (n_bins, ..., n_classes)
        For each term, what it adds in each bin: first that of missing values, at last that
        of unknown ones.
    standard_deviations_ : list of ndarray of shape (n_bins, ...)
        For each term, how its scores differ among bags.
    link_ : str
        What turns the sum into predictions.
    link_param_ : float
        A parameter of the link.
    bag_weights_ : ndarray of shape (outer_bags,)
        Sum of the weights of the rows of each bag.
    best_iteration_ : ndarray of shape (n_stages, outer_bags)
        After how many steps fitting ended.
    intercept_ : float or ndarray of shape (1,) or (n_classes,)
        What is added to the terms.
    bagged_intercept_ : ndarray of shape (outer_bags,) or (outer_bags, n_classes)
        The intercept of each bag.
    min_target_ : float
        The smallest target.
    max_target_ : float
        The largest target.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point.
    quantized_module_ : QuantizedModule
        The integer graph with its encoder and decoder.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    interpret.glassbox.ExplainableBoostingRegressor : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import ExplainableBoostingRegressor
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]] * 20, [1.0, 4.0, 4.0, 2.0] * 20
    >>> model = ExplainableBoostingRegressor(n_jobs=1).fit(X, y)
    >>> model.predict([[0.2], [1.2]]).round(1)
    array([1., 4.])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        feature_names=None,
        feature_types=None,
        max_bins=None,
        max_interaction_bins=None,
        interactions=0,
        exclude=None,
        validation_size=0.15,
        outer_bags=14,
        inner_bags=0,
        learning_rate=0.04,
        greedy_ratio=10.0,
        cyclic_progress=False,
        smoothing_rounds=500,
        interaction_smoothing_rounds=100,
        max_rounds=50000,
        early_stopping_rounds=100,
        early_stopping_tolerance=1e-05,
        callback=None,
        min_samples_leaf=4,
        min_hessian=0.0,
        reg_alpha=0.0,
        reg_lambda=0.0,
        max_delta_step=0.0,
        gain_scale=5.0,
        min_cat_samples=10,
        cat_smooth=10.0,
        missing="separate",
        max_leaves=2,
        monotone_constraints=None,
        objective="rmse",
        n_jobs=-2,
        random_state=42,
        *,
        n_bits=4,
        binning="splits",
        input_encoding="thermometer",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            feature_names=feature_names,
            feature_types=feature_types,
            max_bins=max_bins,
            max_interaction_bins=max_interaction_bins,
            interactions=interactions,
            exclude=exclude,
            validation_size=validation_size,
            outer_bags=outer_bags,
            inner_bags=inner_bags,
            learning_rate=learning_rate,
            greedy_ratio=greedy_ratio,
            cyclic_progress=cyclic_progress,
            smoothing_rounds=smoothing_rounds,
            interaction_smoothing_rounds=interaction_smoothing_rounds,
            max_rounds=max_rounds,
            early_stopping_rounds=early_stopping_rounds,
            early_stopping_tolerance=early_stopping_tolerance,
            callback=callback,
            min_samples_leaf=min_samples_leaf,
            min_hessian=min_hessian,
            reg_alpha=reg_alpha,
            reg_lambda=reg_lambda,
            max_delta_step=max_delta_step,
            gain_scale=gain_scale,
            min_cat_samples=min_cat_samples,
            cat_smooth=cat_smooth,
            missing=missing,
            max_leaves=max_leaves,
            monotone_constraints=monotone_constraints,
            objective=objective,
            n_jobs=n_jobs,
            random_state=random_state,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error
