"""What scikit-learn's diagrams show of an encrypted estimator."""

import re

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fhe_estimators import DecisionTreeClassifier, KMeans, NeuralNetRegressor
from fhe_estimators.conversion import ConvertedClassifier


def facts(model):
    """Return the table of the first encrypted estimator in a diagram."""
    _, text = model._repr_html_().split("<summary>Encrypted prediction</summary>", 1)
    found = re.findall(r'class="param">(.*?)</td><td class="value">(.*?)</td>', text)
    return dict(found)


def test_nothing_is_compiled_to_show_a_model(breast_cancer):
    model = DecisionTreeClassifier(max_depth=3, n_bits=4)
    assert "Encrypted prediction" not in model._repr_html_()
    shown = facts(model.fit(*breast_cancer))
    assert shown["n_bits"] == "4"
    assert shown["circuit"] == "not compiled"
    assert shown["seconds a row"] == "known once it is compiled"
    assert not model.quantized_module.is_compiled


@pytest.mark.simulate
@pytest.mark.parametrize("search", [False, True])
def test_models_in_pipelines_and_searches_are_shown(breast_cancer, search):
    X, y = breast_cancer
    model = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0))
    if search:
        model = GridSearchCV(model, {"decisiontreeclassifier__max_depth": [2]}, cv=2)
    model.fit(X, y)
    tree = (model.best_estimator_ if search else model)[-1]
    circuit = tree.compile()
    shown = facts(model)
    assert shown["tables a row"] == str(sum(circuit.cost.tables.values()))
    assert shown["seconds a row"] == f"{circuit.cost.seconds:.2g}, estimated"
    assert shown["keys"] == "none"
    assert f"{circuit.p_error:.3g}" in shown["circuit"]


@pytest.mark.fhe
def test_it_tells_that_there_are_keys():
    X = np.array([[0.0], [1.0], [2.0], [3.0]])
    model = DecisionTreeClassifier(max_depth=1).fit(X, [0, 0, 1, 1])
    model.predict(X[:1], fhe="execute")
    shown = facts(model)
    assert shown["keys"] == "in the memory of this process"
    assert shown["seconds a row"] == "no table"


def test_a_model_that_cannot_be_followed_is_shown(breast_cancer):
    X, _ = breast_cancer
    model = KMeans(2, n_init=1).fit(X)
    model.cluster_centers_ = np.ones(3)
    assert facts(model)["circuit"].startswith("none: the model was changed")


@pytest.mark.parametrize(
    ("cls", "address"),
    [
        (DecisionTreeClassifier, "/modules/generated/sklearn.tree.DecisionTreeClassifier."),
        (NeuralNetRegressor, ""),
        (ConvertedClassifier, ""),
    ],
)
def test_links_are_those_of_the_parent(cls, address):
    assert address in cls.__new__(cls)._get_doc_link()
    assert bool(address) == bool(cls.__new__(cls)._get_doc_link())
