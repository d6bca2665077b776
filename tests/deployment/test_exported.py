"""What clients return, for every estimator: what its own methods do."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_classifier
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV

from fhe_estimators import IsolationForest, LogisticRegression, RidgeClassifier
from fhe_estimators._readings import Labels, Reading
from fhe_estimators.base import FHEClassifierMixin
from fhe_estimators.core.engine import ClearEngine, run_clear
from fhe_estimators.core.graph import Node
from fhe_estimators.core.operators import registry
from fhe_estimators.core.quantization._inputs import TrainedQuantizer
from fhe_estimators.deployment._exported import Exported
from fhe_estimators.deployment._kinds import Arrays
from fhe_estimators.deployment._processing import _QUANTIZER, METHODS, Processing
from fhe_estimators.deployment._program import Source
from fhe_estimators.deployment.errors import FormatError
from fhe_estimators.testing import all_estimators
from tests.deployment.deployed import iris
from tests.neural_network.nets import binary_classifier, classifier, regressor

ESTIMATORS = dict(all_estimators())
#: Parameters under which a fit is fast.
_FAST = {
    "n_estimators": 3,
    "iterations": 3,
    "max_depth": 2,
    "max_epochs": 2,
    "max_rounds": 30,
    "outer_bags": 1,
}
#: Regressors that take several targets.
_SEVERAL = ("DecisionTreeRegressor", "LinearRegression", "Ridge", "XGBRegressor")


def fitted(name, n_classes):
    """Return a fitted estimator and the rows; `n_classes` 0 is for numbers as targets."""
    cls = ESTIMATORS[name]
    if name.startswith("Skorch"):
        nets = {0: lambda: regressor(module__n_outputs=1), 2: binary_classifier}
        model = cls(nets.get(n_classes, classifier)())
    else:
        model = cls()
        known = model.get_params()
        model.set_params(**{k: value for k, value in _FAST.items() if k in known})
        if name.startswith("Hist"):
            model.set_params(max_iter=3)
    if n_classes:
        X, y = iris(n_classes)
    else:
        X, y = load_diabetes(return_X_y=True)
        X, y = X[:100, :4], y[:100]
        y = np.column_stack([y, y]) if name in _SEVERAL else y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y), X


def cases():
    for name, cls in ESTIMATORS.items():
        for n_classes in (2, 3) if issubclass(cls, FHEClassifierMixin) else (0,):
            yield pytest.param(name, n_classes, id=f"{name}-{n_classes}")


def client_results(model, X):
    """Return what a client computes from integers in clear, by method."""
    model.quantized_module.compile(engine=ClearEngine())
    exported = Exported.of(model)
    graph = exported.circuit.graph
    written = Processing(
        exported.features,
        exported.module.ends,
        graph.outputs,
        exported.circuit.recombination,
        exported.readings,
        exported.beside,
    ).write()
    processing = Processing.load(*written)
    source = Source.read(*Source(graph, 2.0**-40).write())
    (rows,) = processing.checked(X)
    ends = processing.ends
    results = run_clear(source.graph, ends.quantize(ends.prepare([rows])))
    beside = None if processing.beside is None else processing.beside(rows)
    q_outputs = processing.recombined(results)
    return {m: processing.read(m, q_outputs, beside) for m in processing.readings}


def has(model, method):
    """Return whether a method computes from encrypted rows."""
    if method == "transform":
        return not hasattr(model, "predict")
    if method == "eval_terms":
        return False  # it has a deployment of its own
    return hasattr(model, method)


@pytest.mark.parametrize(("name", "n_classes"), [*cases()])
def test_client_returns_what_the_estimator_does(name, n_classes):
    model, X = fitted(name, n_classes)
    results = client_results(model, X)
    assert results.keys() == {method for method in METHODS if has(model, method)}
    for method, found in results.items():
        expected = getattr(model, method)(X)
        assert found.shape == expected.shape
        if method == "predict" and is_classifier(model):
            assert np.array_equal(found, expected)
        else:
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["DecisionTreeClassifier", "RandomForestClassifier"])
def test_several_outputs(name):
    X, y = iris()
    y = np.column_stack([y, y == "setosa"])
    model = ESTIMATORS[name](max_depth=2, random_state=0).fit(X, y)
    results = client_results(model, X)
    assert np.array_equal(results["predict"], model.predict(X))
    for found, expected in zip(
        results["predict_proba"], model.predict_proba(X), strict=True
    ):
        assert np.array_equal(found, expected)


def test_several_labels():
    X, y = iris()
    Y = np.column_stack([y == "setosa", y != "virginica"]).astype(int)
    model = RidgeClassifier().fit(X, Y)
    assert np.array_equal(client_results(model, X)["predict"], model.predict(X))


def test_labels_of_other_types():
    X, y = iris()
    for labels in (y.astype(object), np.searchsorted(np.unique(y), y) - 1, y == "setosa"):
        model = LogisticRegression(solver="newton-cholesky").fit(X, labels)
        found = client_results(model, X)["predict"]
        assert found.dtype == model.predict(X).dtype
        assert np.array_equal(found, model.predict(X))


def test_outliers():
    X, _ = iris()
    model = IsolationForest(n_estimators=3, random_state=0, contamination=0.2).fit(X)
    results = client_results(model, X)
    assert np.array_equal(results["predict"], model.predict(X))
    assert set(results["predict"]) == {-1, 1}


def test_names_with_spaces():
    """LightGBM keeps them with underscores, and takes both."""
    X, y = iris(2)
    rows = pd.DataFrame(X, columns=["petal length", "b", "c", "d"])
    model = ESTIMATORS["LGBMClassifier"](n_estimators=2, max_depth=1).fit(rows, y)
    found = client_results(model, rows)["predict"]
    assert np.array_equal(found, model.predict(rows))


def test_trained_quantizers_come_back():
    """Those that round otherwise than to the nearest integer keep their operator."""
    node = Node("Quant", ("x", "s", "z", "b"), ("y",), {"rounding_mode": "FLOOR"})
    parameters = [np.array(0.5), np.array(0.0), np.array(4.0)]
    quantizer = TrainedQuantizer(registry()["Quant"](node), parameters)
    arrays = []
    document = _QUANTIZER.write(quantizer, arrays)
    found = _QUANTIZER.read(document, Arrays(arrays), "it")
    numbers = np.linspace(-6, 6, 50)
    assert np.array_equal(found.quant(numbers), quantizer.quant(numbers))
    document["fields"]["node"]["op"] = "MatMul"
    with pytest.raises(FormatError, match="does not round"):
        _QUANTIZER.read(document, Arrays(arrays), "it")


def test_an_estimator_that_reads_scores_differently_is_not_deployed():
    class Other(LogisticRegression):
        def _readings(self):
            labels = Labels("not_below", 1.0, self.classes_)
            return {**super()._readings(), "predict": [Reading(labels=labels)]}

    X, y = iris(2)
    model = Other().fit(X, y)
    model.quantized_module.compile(engine=ClearEngine())
    with pytest.raises(NotImplementedError, match=r"Other\.predict"):
        Exported.of(model)


def test_other_models_are_refused():
    search = GridSearchCV(LogisticRegression(), {})
    with pytest.raises(TypeError, match="Of a search, give its"):
        Exported.of(search)
