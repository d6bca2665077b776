"""Decision trees on encrypted data."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import tree

from fhe_estimators._tree_based import (
    ForestClassifierMixin,
    ForestRegressorMixin,
)

__all__ = ["DecisionTreeClassifier", "DecisionTreeRegressor"]


class _SingleTreeMixin:
    """A tree takes one parameter more than forests; stands left of their mixin."""

    def predict(
        self, X: Any, check_input: bool = True, *, fhe: str | None = None
    ) -> np.ndarray:
        """Predict a label or a number.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        check_input : bool, default=True
            As in scikit-learn; rows are checked in any case.
        fhe : {'disable', 'simulate', 'execute'}, optional
            How the tree is evaluated: with integers in clear, with the cryptography
            simulated, or on encrypted rows. By default the mode of `config_context`, which
            is ``"disable"`` outside of one.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        y_pred: np.ndarray = super().predict(X, fhe=fhe)  # type: ignore[misc]
        return y_pred


class DecisionTreeClassifier(
    _SingleTreeMixin, ForestClassifierMixin, tree.DecisionTreeClassifier
):
    """A decision tree that classifies encrypted data.

    Fitted by scikit-learn, in clear, on binned values. With ``fhe="execute"`` the client
    encrypts which edges of bins a row lies below; the server looks the leaf up in encrypted
    tables, and the client reads the value of that leaf. It is exact.

    Parameters
    ----------
    criterion : {'gini', 'entropy', 'log_loss'}, default='gini'
        Function that measures the quality of a split.
    splitter : {'best', 'random'}, default='best'
        Whether the best split of a feature is taken or the best of random ones.
    max_depth : int or None, default=None
        Maximum depth of the tree. Every second leaf or so costs a table, some milliseconds.
    min_samples_split : int or float, default=2
        Minimum number of rows for a split; as a fraction of all if a float.
    min_samples_leaf : int or float, default=1
        Minimum number of rows in a leaf; as a fraction of all if a float.
    min_weight_fraction_leaf : float, default=0.0
        Minimum fraction of the weight of all rows in a leaf.
    max_features : {'sqrt', 'log2'}, int, float or None, default=None
        Features that are tried for a split; as a fraction of all if a float.
    random_state : int, RandomState instance or None, default=None
        Seed of the order in which features are tried.
    max_leaf_nodes : int or None, default=None
        Maximum number of leaves of a tree; the best splits are made first.
    min_impurity_decrease : float, default=0.0
        Minimum reduction of the impurity for a split.
    class_weight : dict, list of dict, 'balanced' or None, default=None
        Weights of the classes. ``'balanced'`` makes all classes count the same however
        rare, None makes all rows count the same.
    ccp_alpha : float, default=0.0
        Complexity parameter of minimal cost-complexity pruning; 0 for no pruning.
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
    classes_ : ndarray of shape (n_classes,), or a list of them
        The labels.
    feature_importances_ : ndarray of shape (n_features,)
        Normalized reduction of the criterion that each feature brings.
    max_features_ : int
        Number of features that are tried for a split.
    n_classes_ : int, or a list of int
        Number of classes.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    n_outputs_ : int
        Number of outputs.
    tree_ : sklearn.tree._tree.Tree
        The fitted tree; its thresholds are edges of bins.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point.
    quantized_module_ : QuantizedModule
        The integer graph with its encoder and decoder.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.tree.DecisionTreeClassifier : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import DecisionTreeClassifier
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    >>> model = DecisionTreeClassifier().fit(X, y)
    >>> model.predict([[0, 0], [1, 4]])
    array([0, 1])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        criterion="gini",
        splitter="best",
        max_depth=None,
        min_samples_split=2,
        min_samples_leaf=1,
        min_weight_fraction_leaf=0.0,
        max_features=None,
        random_state=None,
        max_leaf_nodes=None,
        min_impurity_decrease=0.0,
        class_weight=None,
        ccp_alpha=0.0,
        monotonic_cst=None,
        n_bits=4,
        binning="splits",
        input_encoding="thermometer",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            criterion=criterion,
            splitter=splitter,
            max_depth=max_depth,
            min_samples_split=min_samples_split,
            min_samples_leaf=min_samples_leaf,
            min_weight_fraction_leaf=min_weight_fraction_leaf,
            max_features=max_features,
            random_state=random_state,
            max_leaf_nodes=max_leaf_nodes,
            min_impurity_decrease=min_impurity_decrease,
            class_weight=class_weight,
            ccp_alpha=ccp_alpha,
            monotonic_cst=monotonic_cst,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error

    def predict_proba(
        self, X: Any, check_input: bool = True, *, fhe: str | None = None
    ) -> Any:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        check_input : bool, default=True
            As in `predict`.
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), or a list of them
            In the order of ``classes_``; a list if there are several outputs.
        """
        return super().predict_proba(X, fhe=fhe)


class DecisionTreeRegressor(
    _SingleTreeMixin, ForestRegressorMixin, tree.DecisionTreeRegressor
):
    """A decision tree that predicts numbers of encrypted data.

    Fitted by scikit-learn, in clear, on binned values. With ``fhe="execute"`` the client
    encrypts which edges of bins a row lies below; the server looks the leaf up in encrypted
    tables, and the client reads the value of that leaf. It is exact.

    Parameters
    ----------
    criterion : {'squared_error', 'absolute_error', 'poisson'}, default='squared_error'
        Function that measures the quality of a split.
    splitter : {'best', 'random'}, default='best'
        Whether the best split of a feature is taken or the best of random ones.
    max_depth : int or None, default=None
        Maximum depth of the tree. Every second leaf or so costs a table, some milliseconds.
    min_samples_split : int or float, default=2
        Minimum number of rows for a split; as a fraction of all if a float.
    min_samples_leaf : int or float, default=1
        Minimum number of rows in a leaf; as a fraction of all if a float.
    min_weight_fraction_leaf : float, default=0.0
        Minimum fraction of the weight of all rows in a leaf.
    max_features : {'sqrt', 'log2'}, int, float or None, default=None
        Features that are tried for a split; as a fraction of all if a float.
    random_state : int, RandomState instance or None, default=None
        Seed of the order in which features are tried.
    max_leaf_nodes : int or None, default=None
        Maximum number of leaves of a tree; the best splits are made first.
    min_impurity_decrease : float, default=0.0
        Minimum reduction of the impurity for a split.
    ccp_alpha : float, default=0.0
        Complexity parameter of minimal cost-complexity pruning; 0 for no pruning.
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
    feature_importances_ : ndarray of shape (n_features,)
        Normalized reduction of the criterion that each feature brings.
    max_features_ : int
        Number of features that are tried for a split.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    n_outputs_ : int
        Number of outputs.
    tree_ : sklearn.tree._tree.Tree
        The fitted tree; its thresholds are edges of bins.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point.
    quantized_module_ : QuantizedModule
        The integer graph with its encoder and decoder.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.tree.DecisionTreeRegressor : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import DecisionTreeRegressor
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [1.0, 2.0, 5.0, 8.0]
    >>> model = DecisionTreeRegressor().fit(X, y)
    >>> model.predict([[0, 0], [1, 4]])
    array([1., 8.])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        criterion="squared_error",
        splitter="best",
        max_depth=None,
        min_samples_split=2,
        min_samples_leaf=1,
        min_weight_fraction_leaf=0.0,
        max_features=None,
        random_state=None,
        max_leaf_nodes=None,
        min_impurity_decrease=0.0,
        ccp_alpha=0.0,
        monotonic_cst=None,
        n_bits=4,
        binning="splits",
        input_encoding="thermometer",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            criterion=criterion,
            splitter=splitter,
            max_depth=max_depth,
            min_samples_split=min_samples_split,
            min_samples_leaf=min_samples_leaf,
            min_weight_fraction_leaf=min_weight_fraction_leaf,
            max_features=max_features,
            random_state=random_state,
            max_leaf_nodes=max_leaf_nodes,
            min_impurity_decrease=min_impurity_decrease,
            ccp_alpha=ccp_alpha,
            monotonic_cst=monotonic_cst,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error
