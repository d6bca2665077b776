"""Every estimator against scikit-learn's checks, then against ours."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from fhe_estimators._tree_based import TreeMixin
from fhe_estimators.neural_network import SkorchClassifier, SkorchRegressor
from fhe_estimators.testing import (
    all_estimators,
    expected_failed_checks,
    parametrize_with_fhe_checks,
)
from tests.neural_network.nets import ShapeSetter, classifier, regressor

#: With how many trees, and in leaves how small, scikit-learn checks ensembles; on one
#: thread, because those of the boosting libraries wait for each other by spinning.
FEW_TREES = {
    "n_estimators": 5,
    "iterations": 5,
    "max_iter": 5,
    "min_samples_leaf": 5,
    "min_child_samples": 5,
    "n_jobs": 1,
    "thread_count": 1,
    "max_rounds": 100,
    "outer_bags": 1,
}

#: Parameters with which linear models are fitted few times.
FEW_FITS = {
    # Weights equal repeated rows up to the tolerance.
    "ElasticNetCV": {"cv": 3, "alphas": 10, "tol": 1e-10},
    "LassoCV": {"cv": 3, "alphas": 10, "tol": 1e-10},
    "LogisticRegressionCV": {"cv": 3, "Cs": 3},
}

#: Nets for the estimators that have no default one.
NETS = {SkorchClassifier: classifier, SkorchRegressor: regressor}


def instance(cls):
    """Return an estimator with its default parameters, but few fits or a small net."""
    if cls in NETS:
        net = NETS[cls](callbacks=[ShapeSetter()], module__n_neurons=5)
        return cls(net, n_bits=3, rounding_bits=4)
    if not issubclass(cls, TreeMixin):
        return cls(**FEW_FITS.get(cls.__name__, {}))
    boosted = "max_iter" in cls().get_params()
    names = (
        ("max_iter", "min_samples_leaf")
        if boosted
        else tuple(FEW_TREES.keys() - {"max_iter", "min_samples_leaf"})
    )
    return cls(**{name: FEW_TREES[name] for name in names if name in cls().get_params()})


ESTIMATORS = [instance(cls) for _, cls in all_estimators()]


# The checks fit on few iterations; scikit-learn ignores this in its own run of them.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
# They fit isolation forests on fewer rows than one tree takes.
@pytest.mark.filterwarnings("ignore:max_samples .* is greater than the total:UserWarning")
# They have classes of fewer rows than folds.
@pytest.mark.filterwarnings("ignore:The least populated class in y:UserWarning")
# AdaBoost takes logarithms of weights, of those that are zero, too.
@pytest.mark.filterwarnings(
    "ignore:divide by zero:RuntimeWarning:sklearn.ensemble._weight_boosting"
)
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failed_checks)
def test_sklearn_checks(estimator, check):
    check(estimator)


#: Estimators that differ from another one, in how they are fitted only. By day they are
#: simulated.
ENCRYPTED_AT_NIGHT = {
    *("ExtraTreesClassifier", "ExtraTreesRegressor", "XGBRFClassifier", "XGBRFRegressor"),
}

#: Estimators with tables that share how they are pickled, and keep keys out of it, with
#: another one of their family or library: they make keys twice for it at night.
PICKLED_AT_NIGHT = {
    *("DecisionTreeRegressor", "RandomForestClassifier", "GradientBoostingClassifier"),
    *("HistGradientBoostingRegressor", "LGBMClassifier", "CatBoostRegressor"),
    *("XGBRegressor", "NeuralNetClassifier", "SkorchRegressor"),
    *ENCRYPTED_AT_NIGHT,
}


def some_at_night(checks):
    """Mark what makes keys for an estimator of the sets above."""
    names, cases = checks.args
    ids = {f"{name}-check_pickle_after_compile" for name in PICKLED_AT_NIGHT}
    ids |= {f"{name}-check_execute_is_clear" for name in ENCRYPTED_AT_NIGHT}
    assert ids <= {case.id for case in cases}
    return pytest.mark.parametrize(
        names,
        [
            pytest.param(*case.values, id=case.id, marks=[*case.marks, pytest.mark.nightly])
            if case.id in ids
            else case
            for case in cases
        ],
    )


@some_at_night(parametrize_with_fhe_checks(ESTIMATORS))
def test_fhe_checks(estimator, check):
    check(estimator)
