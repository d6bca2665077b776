"""Meta-estimators of scikit-learn: all of their estimators compute in the mode, or none."""

import inspect

import numpy as np
import pytest
import sklearn
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.linear_model import LogisticRegression as ClearLogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import all_estimators

from fhe_estimators import LogisticRegression, Ridge, config_context
from fhe_estimators._config import current_mode, is_fitting
from fhe_estimators.base import FHEMixin

X = np.random.default_rng(0).normal(size=(60, 3))
BINARY, SEVERAL = (X[:, 0] > 0).astype(int), np.column_stack([X[:, 0] > 0, X[:, 1] > 0])
METHODS = ("predict", "predict_proba", "decision_function", "score", "transform")


def with_estimators():
    """Yield the meta-estimators of scikit-learn with estimators of ours."""
    options = {
        "GridSearchCV": {"param_grid": {"C": [1.0]}},
        "RandomizedSearchCV": {"param_distributions": {"C": [1.0]}, "n_iter": 1},
        "HalvingGridSearchCV": None,  # experimental
        "HalvingRandomSearchCV": None,
        "RANSACRegressor": {"min_samples": 10, "residual_threshold": 1.0},
        "FrozenEstimator": None,  # its estimator is fitted already
        "FeatureUnion": None,  # of transformers
        "ColumnTransformer": None,
        "DictionaryLearning": None,
    }
    names = {"estimator", "estimators", "regressor", "steps", "base_estimator"}
    for name, cls in all_estimators():
        found = names & inspect.signature(cls).parameters.keys()
        more = options.get(name, {})
        if not found or more is None:
            continue
        regression = name.endswith("Regressor") or name == "RegressorChain"
        ours = Ridge() if regression else LogisticRegression()
        (parameter,) = found
        if parameter in ("estimators", "steps"):
            scaled = make_pipeline(StandardScaler(), ours)
            several = [("first", scaled), ("second", ours)]
            if parameter == "steps":
                several = [("scaler", StandardScaler()), ("ours", ours)]
            more = {**more, parameter: several}
        else:
            more = {**more, parameter: ours}
        if name.startswith("Stacking"):
            more["final_estimator"] = ours
        yield cls(**more)


def name_of(meta):
    return type(meta).__name__


METAS = [*with_estimators()]


def target_of(meta):
    name = name_of(meta)
    several = name.startswith("MultiOutput") or name.endswith("Chain")
    if name == "SelfTrainingClassifier":
        return np.where(np.arange(len(X)) % 9 == 0, -1, BINARY)
    return SEVERAL.astype(int) if several else BINARY


@pytest.fixture
def modes(monkeypatch):
    """The modes in which raw scores are computed."""
    seen = []
    scores = FHEMixin._scores

    def noted(self, *args, **kwargs):
        if not is_fitting():
            seen.append(current_mode())
        return scores(self, *args, **kwargs)

    monkeypatch.setattr(FHEMixin, "_scores", noted)
    return seen


@pytest.mark.simulate
@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("meta", METAS, ids=name_of)
def test_all_estimators_compute_in_the_mode_or_it_raises(meta, routing, modes):
    with sklearn.config_context(enable_metadata_routing=routing):
        meta.fit(X, target_of(meta))
        for method in METHODS:
            if not hasattr(meta, method):
                continue
            arguments = (X[:3], target_of(meta)[:3]) if method == "score" else (X[:3],)
            modes.clear()
            try:
                getattr(meta, method)(*arguments, fhe="simulate")
            except (TypeError, ValueError, UnsetMetadataPassedError):
                continue
            assert set(modes) == {"simulate"}, method
            # In the context they all do.
            modes.clear()
            with config_context(fhe="simulate"):
                getattr(meta, method)(*arguments)
            assert set(modes) == {"simulate"}, method


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("kind", [StackingClassifier, StackingRegressor])
def test_stacking_says_that_the_parameter_does_not_reach_all(kind, nested, modes):
    ours = LogisticRegression() if kind is StackingClassifier else Ridge()
    scaled = make_pipeline(StandardScaler(), ours)
    stack = kind([("a", scaled)], final_estimator=ours)
    model = make_pipeline(StandardScaler(), stack) if nested else stack
    model.fit(X, BINARY)
    modes.clear()
    message = rf"{kind.__name__}.predict does not reach its .* Use the context"
    with pytest.raises(ValueError, match=message):
        model.predict(X, fhe="simulate")
    # Nothing was asked to be encrypted: nothing to refuse.
    np.testing.assert_array_equal(model.predict(X, fhe="disable"), model.predict(X))


def test_the_score_of_a_pipeline_drops_no_parameter():
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, BINARY)
    with pytest.raises(
        ValueError, match=r"fhe='simulate' of Pipeline.score does not reach"
    ):
        model.score(X, BINARY, fhe="simulate")
    with sklearn.config_context(enable_metadata_routing=True):
        assert model.score(X, BINARY, fhe="disable") > 0.9


@pytest.mark.simulate
def test_estimators_that_are_computed_in_clear_by_choice():
    """Estimators of scikit-learn are the client's, as other preprocessing is."""
    stack = StackingClassifier(
        [("a", ClearLogisticRegression())], final_estimator=LogisticRegression()
    ).fit(X, BINARY)
    simulated = stack.predict(X, fhe="simulate")
    np.testing.assert_array_equal(simulated, stack.predict(X))
    for selection in (
        RFE(ClearLogisticRegression()),
        SelectFromModel(LogisticRegression()),
    ):
        model = make_pipeline(selection, LogisticRegression()).fit(X, BINARY)
        simulated = model.predict(X[:3], fhe="simulate")
        np.testing.assert_array_equal(simulated, model.predict(X[:3]))
