"""Classes of scikit-learn that have no encrypted form, and why."""

from __future__ import annotations

from typing import Any

from fhe_estimators.exceptions import UnsupportedEstimatorError

_NO_PREDICT = "it labels the rows that it is fitted on, and no others. Use KMeans."

#: Why classes have none, and what to do.
REFUSED = {
    "AgglomerativeClustering": _NO_PREDICT,
    "Birch": "centers of subclusters stand for others. Use KMeans, with "
    "`subcluster_centers_` as init.",
    "BisectingKMeans": "rows are told apart step by step. Use KMeans, with "
    "`cluster_centers_` as init.",
    "DBSCAN": _NO_PREDICT,
    "FeatureAgglomeration": "it joins features, which the client does in clear: use it in "
    "front of another model in a pipeline.",
    "HDBSCAN": _NO_PREDICT,
    "OPTICS": _NO_PREDICT,
    "SpectralClustering": _NO_PREDICT,
    "AdaBoostRegressor": "it predicts a median of its estimators, which is not computed "
    "encrypted. Use GradientBoostingRegressor, or convert each of `estimators_`.",
    "ClassifierChain": "each label depends on those before it, decided in between. Convert "
    "each of `estimators_`.",
    "DummyClassifier": "it does not look at the rows: there is nothing to encrypt.",
    "DummyRegressor": "it does not look at the rows: there is nothing to encrypt.",
    "FixedThresholdClassifier": "convert its `estimator_` and compare predict_proba with "
    "the threshold.",
    "GaussianProcessClassifier": "it takes the inverse of a matrix for each row. Use SVC.",
    "GaussianProcessRegressor": "kernels are built from others, and take a table for each "
    "training row. Use KernelRidge, SVR or Nystroem in front of Ridge.",
    "IsotonicRegression": "it is a function of one feature, which the client knows.",
    "LabelPropagation": "it takes a table for each training row. Use SVC.",
    "LabelSpreading": "it takes a table for each training row. Use SVC.",
    "LocalOutlierFactor": "it takes the nearest neighbours of neighbours. Use "
    "IsolationForest or EllipticEnvelope.",
    "MultiOutputClassifier": "several labels at once are not returned. Convert each of "
    "`estimators_`.",
    "OutputCodeClassifier": "distances to codes take products of results. Use "
    "OneVsRestClassifier.",
    "RadiusNeighborsClassifier": "which rows are within the radius is compared for every "
    "reference row. Use KNeighborsClassifier.",
    "RadiusNeighborsRegressor": "which rows are within the radius is compared for every "
    "reference row. Use KNeighborsRegressor.",
    "TransformedTargetRegressor": "its target is transformed by any function. Convert its "
    "`regressor_` and apply `transformer_.inverse_transform` to predictions.",
    "TunedThresholdClassifierCV": "convert its `estimator_` and compare predict_proba with "
    "`best_threshold_`.",
}


def refused(estimator: Any, reason: str) -> UnsupportedEstimatorError:
    """Return the error that says why an estimator has no encrypted form."""
    return UnsupportedEstimatorError(
        f"{type(estimator).__name__} has no encrypted form: {reason}"
    )


def refuse_known(estimator: Any) -> None:
    """Raise if the class of an estimator is known to have no encrypted form.

    Raises
    ------
    UnsupportedEstimatorError
        With the reason.
    """
    for base in type(estimator).__mro__:
        if base.__name__ in REFUSED and base.__module__.startswith("sklearn."):
            raise refused(estimator, REFUSED[base.__name__])
