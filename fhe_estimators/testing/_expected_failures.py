"""scikit-learn's checks that estimators fail as their parents do, with the reasons."""

from __future__ import annotations

from typing import Any

#: scikit-learn's checks that the parent class fails too: classes, check, reason.
_EXPECTED_FAILURES = (
    (
        ("Ridge", "RidgeClassifier"),
        "check_non_transformer_estimators_n_iter",
        "n_iter_ is None for solvers that do not iterate",
    ),
    (
        (
            "IsolationForest",
            "LinearSVC",
            "LinearSVR",
            "PassiveAggressiveClassifier",
            "PassiveAggressiveRegressor",
            "Perceptron",
            "RandomForestClassifier",
            "RandomForestRegressor",
            "SGDClassifier",
            "SGDRegressor",
            "XGBRFClassifier",
            "XGBRFRegressor",
        ),
        "check_sample_weight_equivalence_on_dense_data",
        "rows are drawn: weights are not the same as repeated rows",
    ),
    (
        (
            "GradientBoostingRegressor",
            "HistGradientBoostingClassifier",
            "HistGradientBoostingRegressor",
        ),
        "check_sample_weight_equivalence_on_dense_data",
        "splits as good as others depend on sums, and leaves on how many rows there are",
    ),
    (
        ("HuberRegressor",),
        "check_sample_weight_equivalence_on_dense_data",
        "the solver stops before the minimum, where depends on the order of sums",
    ),
    (
        ("KMeans", "MiniBatchKMeans"),
        "check_sample_weight_equivalence_on_dense_data",
        "the first centers are drawn: weights are not the same as repeated rows",
    ),
    (
        ("OneClassSVM", "SVC", "SVR"),
        "check_sample_weight_equivalence_on_dense_data",
        "libsvm stops before the minimum, where depends on the order of rows",
    ),
    (
        ("SkorchClassifier", "SkorchRegressor"),
        "check_sample_weight_equivalence_on_dense_data",
        "rows are drawn into batches: weights are not the same as repeated rows",
    ),
    (
        ("XGBRFClassifier", "XGBRFRegressor"),
        "check_do_not_raise_errors_in_init_or_set_params",
        "XGBoost's forests refuse early_stopping_rounds and callbacks at once",
    ),
    (
        ("XGBClassifier",),
        "check_sample_weight_equivalence_on_dense_data",
        "XGBoost sums gradients in single precision, and splits depend on the sums",
    ),
    (
        ("CatBoostClassifier", "CatBoostRegressor"),
        "check_sample_weight_equivalence_on_dense_data",
        "CatBoost draws permutations of rows: weights are not the same as repeated rows",
    ),
    (
        ("CatBoostClassifier", "CatBoostRegressor"),
        "check_do_not_raise_errors_in_init_or_set_params",
        "CatBoost knows its parameters: another name is an error at once",
    ),
    (
        ("ExplainableBoostingClassifier", "ExplainableBoostingRegressor"),
        "check_sample_weight_equivalence_on_dense_data",
        "rows are drawn into bags: weights are not the same as repeated rows",
    ),
    (
        ("LGBMClassifier", "LGBMRegressor"),
        "check_sample_weight_equivalence_on_dense_data",
        "min_child_samples counts rows, whatever their weight",
    ),
)


def expected_failed_checks(estimator: Any) -> dict[str, str]:
    """Return scikit-learn's checks that an estimator fails as its parent does.

    Parameters
    ----------
    estimator : estimator

    Returns
    -------
    reasons : dict of str to str
        Reason by name of the check, as `parametrize_with_checks` takes it.
    """
    name = type(estimator).__name__
    return {check: reason for names, check, reason in _EXPECTED_FAILURES if name in names}
