"""Fitted estimators of scikit-learn as torch modules, one for each of their methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from sklearn import (
    calibration,
    ensemble,
    kernel_ridge,
    linear_model,
    multiclass,
    multioutput,
    naive_bayes,
    svm,
)
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline
from torch import nn

from fhe_estimators._linear import LinearMixin
from fhe_estimators._tree_based import TreeMixin
from fhe_estimators.conversion import _combined
from fhe_estimators.conversion._mirrors import mirror_of
from fhe_estimators.conversion._modules import (
    Combined,
    Comparisons,
    KernelScores,
    OneHot,
    OneVsOne,
    votes,
)
from fhe_estimators.conversion._refusals import refuse_known, refused
from fhe_estimators.core.frontends.hummingbird import hummingbird_module
from fhe_estimators.core.frontends.torch import LINKS, LinearScores
from fhe_estimators.core.frontends.trees import TreeArrays

#: What links give: probabilities, or scores as they are.
_PROBABILITIES = ("sigmoid", "half_sigmoid", "softmax", "ovr_sigmoid", "clip", "ovr_clip")

Module = nn.Module


class Forest(NamedTuple):
    """Trees whose values add up to what a method returns."""

    trees: Sequence[TreeArrays]
    base: np.ndarray
    link: Any

    def scaled(self, weight: float, features: np.ndarray | None = None) -> Forest:
        """Return it times a number, for rows of more features."""
        trees = [
            tree._replace(
                value=tree.value * weight,
                feature=tree.feature
                if features is None
                else np.where(tree.left < 0, tree.feature, features[tree.feature]),
            )
            for tree in self.trees
        ]
        return Forest(trees, self.base * weight, self.link)


def module_of(estimator: Any, method: str, X: np.ndarray) -> Module:
    """Return a module that computes what a method of an estimator returns.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    method : {'predict_proba', 'decision_function', 'predict'}
        Of a classifier, ``"predict"`` gives 1 in the column of its label, 0 elsewhere.
    X : ndarray of float64 of shape (n_samples, n_features)
        Some rows.

    Returns
    -------
    module : torch.nn.Module
        From rows in double precision to (n_samples, n_outputs).

    Raises
    ------
    UnsupportedEstimatorError
        If there is none.
    """
    if is_classifier(estimator) and method == "predict":
        return _label_votes(estimator, X)
    forest = forest_of(estimator, method)
    if forest is not None:
        link = LINKS[forest.link] if isinstance(forest.link, str) else forest.link
        return Comparisons(forest.trees, X.shape[1], forest.base, link)
    for cls, build in _BUILDERS:
        if isinstance(estimator, cls):
            found = build(estimator, method, X, module_of)
            if found is not None:
                return found
    refuse_known(estimator)
    return _linear_module(estimator, method) or hummingbird_module(estimator, X)


def _label_votes(classifier: Any, X: np.ndarray) -> Module:
    if isinstance(classifier, ensemble.VotingClassifier):
        return _combined.voting(classifier, "predict", X, module_of)
    found = next(
        m for m in ("decision_function", "predict_proba") if hasattr(classifier, m)
    )
    scores = module_of(classifier, found, X)
    return Combined([scores], lambda results, x: votes(results[0]))


# Known classes ---------------------------------------------------------------------------


def forest_of(estimator: Any, method: str) -> Forest | None:
    """Return the trees that add up to a method, or None."""
    members, weights, features = _averaged(estimator, method)
    if members is not None:
        forests = [forest_of(member, method) for member in members]
        if any(f is None or f.link != "identity" for f in forests):
            return None
        scaled = [
            forest.scaled(weight, feature)
            for forest, weight, feature in zip(forests, weights, features, strict=True)
            if forest is not None
        ]
        trees = [tree for forest in scaled for tree in forest.trees]
        return Forest(trees, np.sum([f.base for f in scaled], axis=0), "identity")
    mirror = mirror_of(estimator)
    if mirror is None or not issubclass(mirror, TreeMixin):
        return None
    if is_classifier(estimator) and np.ndim(estimator.classes_[0]) > 0:
        raise refused(estimator, "several labels at once are not returned.")
    if method == "decision_function" and not hasattr(estimator, "decision_function"):
        return None
    twin = mirror._holder(estimator)
    trees, base, link = twin._export()
    if twin._fitted_table() is not None or any(tree.categories for tree in trees):
        raise refused(estimator, "categories are not taken where trees are combined.")
    # Rows are complete.
    trees = [tree._replace(missing_left=None) for tree in trees]
    if method == "decision_function":
        link = "identity"
    return Forest(trees, base, link)


def _averaged(estimator: Any, method: str) -> tuple[Any, Any, Any]:
    """Return members, weights that add up to one, and features, if it is their mean."""
    is_bagging = isinstance(
        estimator, ensemble.BaggingClassifier | ensemble.BaggingRegressor
    )
    if is_bagging and method != "decision_function":
        count = len(estimator.estimators_)
        return estimator.estimators_, [1 / count] * count, estimator.estimators_features_
    if isinstance(estimator, ensemble.VotingRegressor) or (
        isinstance(estimator, ensemble.VotingClassifier)
        and method == "predict_proba"
        and estimator.voting == "soft"
    ):
        count = len(estimator.estimators_)
        given = estimator._weights_not_none
        weights = np.ones(count) if given is None else np.asarray(given, np.float64)
        return estimator.estimators_, weights / weights.sum(), [None] * count
    return None, None, None


def _linear_module(estimator: Any, method: str) -> Module | None:
    """Return the module of an estimator with coefficients, or None."""
    mirror = mirror_of(estimator)
    link = "identity"
    if mirror is not None and issubclass(mirror, LinearMixin) and hasattr(mirror, "_link"):
        twin = mirror._holder(estimator)
        if not hasattr(twin, "coef_"):
            return None
        coef, intercept, link = twin._linear_map()
        if method == "decision_function":
            link = "identity"
        elif method == "predict_proba" and link not in _PROBABILITIES:
            return None
        return LinearScores(coef, intercept, link)
    coef = getattr(estimator, "coef_", None)
    if coef is None or method == "predict_proba":
        return None
    coef = np.atleast_2d(coef.toarray() if sparse.issparse(coef) else coef)
    intercept = getattr(estimator, "intercept_", 0.0)
    if isinstance(estimator, linear_model.SGDOneClassSVM):
        intercept = -estimator.offset_
    if hasattr(estimator, "_x_mean"):
        # Partial least squares subtract means first.
        intercept = intercept - coef @ estimator._x_mean
    return LinearScores(coef, np.broadcast_to(np.ravel(intercept), len(coef)), link)


def _kernel(estimator: Any, method: str, X: np.ndarray, of: Any) -> Module | None:
    if method == "predict_proba":
        raise refused(estimator, "probabilities of pairs are coupled by iteration.")
    options = {
        "gamma": float(estimator._gamma),
        "coef0": float(estimator.coef0),
        "degree": float(estimator.degree),
    }
    coef, intercept = pair_coefficients(estimator)
    support = estimator.support_vectors_
    support = support.toarray() if sparse.issparse(support) else support
    if callable(estimator.kernel):
        raise refused(estimator, "its kernel is a function of the user's own.")
    pairs = KernelScores(estimator.kernel, options, support, coef, intercept)
    if len(coef) > 1 or (is_classifier(estimator) and len(estimator.classes_) > 2):
        return OneVsOne(pairs, len(estimator.classes_), -1)
    return pairs


def pair_coefficients(estimator: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of support vectors in the scores of pairs, and intercepts.

    Parameters
    ----------
    estimator : SVC, SVR or OneClassSVM
        libsvm keeps those of a pair ``(i, j)`` of classes in two rows: `j - 1` of vectors
        of class `i`, and `i` of those of class `j`.

    Returns
    -------
    coef : ndarray of shape (n_pairs, n_support)
    intercept : ndarray of shape (n_pairs,)
        Positive scores of two classes are for the second one; of more, for the first.
    """
    dual = estimator.dual_coef_
    dual = dual.toarray() if sparse.issparse(dual) else dual
    intercept = np.ravel(estimator.intercept_)
    if len(dual) == 1:
        return dual, intercept
    ends = np.cumsum(estimator.n_support_)
    own = [slice(end - n, end) for end, n in zip(ends, estimator.n_support_, strict=True)]
    coef = np.zeros((len(intercept), dual.shape[1]))
    pairs = [(i, j) for i in range(len(own)) for j in range(i + 1, len(own))]
    for row, (i, j) in zip(coef, pairs, strict=True):
        row[own[i]] = dual[j - 1, own[i]]
        row[own[j]] = dual[i, own[j]]
    return coef, intercept


def _kernel_ridge(estimator: Any, method: str, X: np.ndarray, of: Any) -> Module:
    gamma = estimator.gamma
    options = {
        "gamma": 1.0 / estimator.X_fit_.shape[1] if gamma is None else float(gamma),
        "coef0": float(estimator.coef0),
        "degree": float(estimator.degree),
    }
    coef = np.atleast_2d(estimator.dual_coef_.T)
    zero = np.zeros(len(coef))
    kernel = {"polynomial": "poly"}.get(estimator.kernel, estimator.kernel)
    if not isinstance(kernel, str):
        raise refused(estimator, "its kernel is a function of the user's own.")
    return KernelScores(kernel, options, estimator.X_fit_, coef, zero)


def _categorical(estimator: Any, method: str, X: np.ndarray, of: Any) -> Module:
    scores = OneHot(estimator.feature_log_prob_, estimator.class_log_prior_)
    return Combined([scores], lambda found, x: torch.softmax(found[0], dim=1))


_KERNELS = (svm.SVC, svm.NuSVC, svm.SVR, svm.NuSVR, svm.OneClassSVM)
#: How estimators become modules, the first that fits.
_BUILDERS: list[tuple[Any, Callable[..., Module | None]]] = [
    (Pipeline, _combined.pipeline),
    (_KERNELS, _kernel),
    (kernel_ridge.KernelRidge, _kernel_ridge),
    (naive_bayes.CategoricalNB, _categorical),
    ((ensemble.BaggingClassifier, ensemble.BaggingRegressor), _combined.bagging),
    ((ensemble.VotingClassifier, ensemble.VotingRegressor), _combined.voting),
    ((ensemble.StackingClassifier, ensemble.StackingRegressor), _combined.stacking),
    (multiclass.OneVsRestClassifier, _combined.one_vs_rest),
    (multiclass.OneVsOneClassifier, _combined.one_vs_one),
    (multioutput.MultiOutputRegressor, _combined.several_targets),
    (multioutput.RegressorChain, _combined.chain),
    (calibration.CalibratedClassifierCV, _combined.calibrated),
    (linear_model.RANSACRegressor, _combined.search),
]
