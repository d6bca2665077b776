"""The table of all estimators of scikit-learn: what becomes of a fitted one.

``python -m tools.catalogue`` fits each on a small data set, converts it and writes
``docs/conversion.md``.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn import datasets, linear_model, svm, tree
from sklearn.base import OutlierMixin, clone
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, MinMaxScaler
from sklearn.utils.discovery import all_estimators

from fhe_estimators.conversion import convert
from fhe_estimators.core.operators import kinds_of
from fhe_estimators.exceptions import CompilationError, CostWarning

__all__ = ["Row", "catalogue", "main", "names_and_kinds"]

PATH = Path(__file__).parents[1] / "docs" / "conversion.md"

_LOGISTIC = linear_model.LogisticRegression(max_iter=1000)
_SMALL_TREE = tree.DecisionTreeClassifier(max_depth=3, random_state=0)
_TWO = [("a", _LOGISTIC), ("b", linear_model.RidgeClassifier())]
_REGRESSORS = [("a", linear_model.Ridge()), ("b", linear_model.Lasso())]
_FEW = {"n_estimators": 5, "max_depth": 3}

#: Parameters of estimators that need some, or are large otherwise.
PARAMETERS: dict[str, dict[str, Any]] = {
    "AdaBoostClassifier": {"n_estimators": 5},
    "AdaBoostRegressor": {"n_estimators": 3},
    "BaggingClassifier": {"estimator": _SMALL_TREE, "n_estimators": 3},
    "BaggingRegressor": {"estimator": linear_model.Ridge(), "n_estimators": 3},
    "CalibratedClassifierCV": {"estimator": svm.LinearSVC(), "cv": 3},
    "ClassifierChain": {"estimator": _LOGISTIC},
    "DecisionTreeClassifier": {"max_depth": 4},
    "DecisionTreeRegressor": {"max_depth": 4},
    "ExtraTreeClassifier": {"max_depth": 4},
    "ExtraTreeRegressor": {"max_depth": 4},
    "ExtraTreesClassifier": _FEW,
    "ExtraTreesRegressor": _FEW,
    "FixedThresholdClassifier": {"estimator": _LOGISTIC},
    "GradientBoostingClassifier": _FEW,
    "GradientBoostingRegressor": _FEW,
    "HistGradientBoostingClassifier": {"max_iter": 5, "max_leaf_nodes": 6},
    "HistGradientBoostingRegressor": {"max_iter": 5, "max_leaf_nodes": 6},
    "IsolationForest": {"n_estimators": 5, "max_samples": 16},
    "LocalOutlierFactor": {"novelty": True},
    "MLPClassifier": {"hidden_layer_sizes": (4,), "max_iter": 2000},
    "MLPRegressor": {
        "hidden_layer_sizes": (4,),
        "max_iter": 2000,
        "learning_rate_init": 0.02,
    },
    "MultiOutputClassifier": {"estimator": _LOGISTIC},
    "MultiOutputRegressor": {"estimator": linear_model.Ridge()},
    "OneVsOneClassifier": {"estimator": svm.LinearSVC()},
    "OneVsRestClassifier": {"estimator": _LOGISTIC},
    "OutputCodeClassifier": {"estimator": svm.LinearSVC()},
    "PLSCanonical": {"n_components": 1},
    "CCA": {"n_components": 1},
    "QuantileRegressor": {"alpha": 0.0},
    "QuadraticDiscriminantAnalysis": {"reg_param": 0.1},
    "RandomForestClassifier": _FEW,
    "RandomForestRegressor": _FEW,
    "RegressorChain": {"estimator": linear_model.Ridge()},
    "SelfTrainingClassifier": {"estimator": _LOGISTIC},
    "StackingClassifier": {
        "stack_method": "decision_function",
        "estimators": _TWO,
        "final_estimator": _LOGISTIC,
    },
    "StackingRegressor": {
        "estimators": _REGRESSORS,
        "final_estimator": linear_model.Ridge(),
    },
    "OneClassSVM": {"nu": 0.1},
    "SVR": {"C": 10.0, "epsilon": 40.0},
    "NuSVR": {"nu": 0.1},
    "TunedThresholdClassifierCV": {"estimator": _LOGISTIC},
    "VotingClassifier": {"estimators": _TWO},
    "VotingRegressor": {"estimators": _REGRESSORS},
}
#: Estimators of several targets, of two classes, of numbers of categories, of one feature.
_SEVERAL = {
    "CCA",
    "MultiOutputRegressor",
    "PLSCanonical",
    "PLSRegression",
    "RegressorChain",
}
_SEVERAL_LABELS = {"ClassifierChain", "MultiOutputClassifier"}
_TWO_CLASSES = {"FixedThresholdClassifier", "TunedThresholdClassifierCV"}
#: The transformers of scikit-learn that hummingbird converts, and their parameters. Those
#: that take whole numbers get bins.
STEPS: dict[str, dict[str, Any]] = {
    "Binarizer": {"threshold": 0.4},
    "FastICA": {"n_components": 4, "random_state": 0},
    "KBinsDiscretizer": {
        "encode": "onehot-dense",
        "quantile_method": "averaged_inverted_cdf",
    },
    "KernelPCA": {"n_components": 4, "kernel": "rbf"},
    "MaxAbsScaler": {},
    "MinMaxScaler": {},
    "MissingIndicator": {"features": "all"},
    "Normalizer": {},
    "OneHotEncoder": {"handle_unknown": "ignore", "sparse_output": False},
    "PCA": {"n_components": 4},
    "PolynomialFeatures": {},
    "RobustScaler": {},
    "SelectKBest": {"k": 4},
    "SelectPercentile": {"percentile": 60},
    "SimpleImputer": {},
    "StandardScaler": {},
    "TruncatedSVD": {"n_components": 4, "random_state": 0},
    "VarianceThreshold": {},
}
_MIXTURES = (BayesianGaussianMixture, GaussianMixture)
_OF_MISSING, _OF_NUMBERS = {"MissingIndicator", "SimpleImputer"}, {"OneHotEncoder"}


class Row(NamedTuple):
    """What became of an estimator.

    Parameters
    ----------
    name, kind : str
    outcome : str
        ``"mirrored"``, ``"converted"``, ``"too slow"`` or ``"refused"``, and ``"client"``
        of a transformer.
    detail : str
        The class that comes back and its tables, or the reason.
    fitted, twin : estimator or None
    X : ndarray or None
        Rows that neither was fitted on.
    """

    name: str
    kind: str
    outcome: str
    detail: str
    fitted: Any = None
    twin: Any = None
    X: Any = None

    def __str__(self) -> str:
        return f"| `{self.name}` | {self.outcome} | {self.detail} |"


def names_and_kinds() -> list[tuple[str, str, type]]:
    """Return name, kind and class of all estimators that predict."""
    found = []
    kinds = [("classifier", "classifier"), ("regressor", "regressor")]
    for filter_, kind in (*kinds, ("cluster", "clusterer")):
        found += [(name, kind, cls) for name, cls in all_estimators(filter_)]
    found += [
        (name, "outlier detector", cls)
        for name, cls in all_estimators()
        if issubclass(cls, OutlierMixin)
    ]
    found += [(cls.__name__, "mixture", cls) for cls in _MIXTURES]
    return found


def _data(name: str, kind: str) -> tuple[np.ndarray, Any]:
    """Return rows, and targets that suit an estimator."""
    if kind == "regressor":
        X, y = datasets.load_diabetes(return_X_y=True)
        X, y = X[:200], y[:200]
        if name == "IsotonicRegression":
            return X[:, 2], y
        several = name.startswith("MultiTask") or name in _SEVERAL
        return X, np.column_stack([y, np.sqrt(y)]) if several else y
    X, y = datasets.load_wine(return_X_y=True)
    X = MinMaxScaler().fit_transform(X[:, :6])
    if name == "CategoricalNB":
        bins = KBinsDiscretizer(
            4, encode="ordinal", strategy="uniform", quantile_method="averaged_inverted_cdf"
        )
        X = bins.fit_transform(X)
    if name in _SEVERAL_LABELS:
        return X, np.column_stack([y == 0, y == 1]).astype(int)
    return X, (y == 0).astype(int) if name in _TWO_CLASSES else y


def _row(name: str, kind: str, cls: type) -> Row:
    parameters = dict(PARAMETERS.get(name, {}))
    X, y = _data(name, kind)
    X, X_test, y, _ = train_test_split(X, y, test_size=40, random_state=0)
    model: Any = cls(**parameters)
    if "random_state" in model.get_params(deep=False):
        model.set_params(random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", CostWarning)
                twin = convert(model, X, n_bits=_bits(model), rounding_bits=7)
        except (CompilationError, CostWarning) as error:
            return Row(name, kind, "too slow", _sentence(str(error)))
        except (TypeError, ValueError) as error:
            return Row(name, kind, "refused", _sentence(str(error)))
    is_mirror = not type(twin).__name__.startswith("Converted")
    outcome = "mirrored" if is_mirror else "converted"
    detail = f"`{type(twin).__name__}`, {_tables(twin)}"
    return Row(name, kind, outcome, detail, model, twin, X_test)


def _step(name: str) -> Row:
    """Return what becomes of a pipeline of a transformer and a classifier."""
    X, y = _data(name, "classifier")
    if name in _OF_NUMBERS:
        X = np.round(3 * X)
    if name in _OF_MISSING:
        X = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
    X, X_test, y, _ = train_test_split(X, y, test_size=40, random_state=0)
    (cls,) = (c for n, c in all_estimators("transformer") if n == name)
    fitted = make_pipeline(cls(**STEPS[name]), clone(_LOGISTIC)).fit(X, y)
    twin = convert(fitted, X, n_bits=12)
    detail = f"`{type(twin[-1]).__name__}` behind it, {_tables(twin[-1])}"
    return Row(name, "transformer", "client", detail, fitted, twin, X_test)


def _bits(model: Any) -> int | None:
    """Return many bits for models that compute sums only; trees have their own."""
    names = type(model).__module__ + "." + type(model).__name__
    holds_tables = any(part in names for part in ("tree", "ensemble", "MLP", ".svm."))
    return None if holds_tables else 12


def _tables(twin: Any) -> str:
    graph = twin.quantized_module_.graph
    kind_of = kinds_of(graph)
    count = sum(
        graph.value(node.outputs[0]).row_size for node in graph if kind_of(node).bootstraps
    )
    return "tables" if count else "no table"


def _sentence(text: str) -> str:
    """Return a text for a cell: without numbers that differ between machines."""
    return text.partition(": about")[0].replace("|", "\\|").replace("\n", " ")


def catalogue() -> Iterator[Row]:
    """Yield what becomes of each estimator."""
    for name, kind, cls in names_and_kinds():
        yield _row(name, kind, cls)
    yield from map(_step, STEPS)


_HEAD = """# What becomes of fitted models

`fhe_estimators.convert(fitted, X)` returns an estimator that predicts as `fitted` does, on
encrypted rows. This page is written by `python -m tools.catalogue`: every estimator of
scikit-learn that predicts was fitted on wine or diabetes and converted.

- **mirrored**: the class that comes back is the one of the same name, or of a class that it
  inherits from.
- **converted**: a class that holds the fitted model, and its scores as one circuit. Its
  scores were compared with those of the model on the rows that it was given.
- **too slow**: it has an encrypted form that takes more than a minute a row.
- **refused**: it has none, for the reason given.
- **client**: a step of a pipeline that the client computes, in front of what is encrypted;
  these are the transformers that hummingbird-ml converts. Any other one stays there, too.

"""


def text(rows: list[Row]) -> str:
    """Return the content of the page."""
    parts = [_HEAD]
    for kind in dict.fromkeys(row.kind for row in rows):
        of_kind = [str(row) for row in rows if row.kind == kind]
        title = f"## {kind.capitalize()}s"
        parts.append(
            "\n".join(
                [title, "", "| class | outcome | |", "|---|---|---|", *of_kind, "", ""]
            )
        )
    return "".join(parts).rstrip("\n") + "\n"


def main() -> int:
    """Write the page."""
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(text(list(catalogue())), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
