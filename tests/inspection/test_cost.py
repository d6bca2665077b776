"""What a row costs, of all that predicts encrypted, and before there is a key."""

import numpy as np
import pytest
from sklearn import linear_model
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fhe_estimators import DecisionTreeClassifier, LogisticRegression
from fhe_estimators.inspection import cost

pytestmark = pytest.mark.simulate


@pytest.fixture(scope="module")
def tree(breast_cancer):
    return DecisionTreeClassifier(max_depth=3, random_state=0).fit(*breast_cancer)


def test_models_in_pipelines_and_searches_cost_the_same(breast_cancer, tree):
    X, y = breast_cancer
    expected = cost(tree)
    assert expected.tables
    search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [3]}, cv=2)
    for model in (search, make_pipeline("passthrough", search)):
        assert cost(model.fit(X, y)) == expected
    assert cost(tree.quantized_module) == expected
    assert not tree.fhe_circuit.has_keys
    scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    assert cost(scaled).tables == {}


def test_it_prints_and_is_a_frame(tree):
    found = cost(tree)
    (row,) = found.to_frame().to_dict("records")
    assert row["tables"] == sum(found.tables.values()) > 0
    assert {name: row[name] for name in row if name != "tables"} == {
        name: value for name, value in vars(found).items() if name != "tables"
    }
    html = found._repr_html_()
    for line in str(found).splitlines():
        assert line[13:] in html
    layers = tree.fhe_circuit.layers
    assert layers._repr_html_().count("<tr>") == len(layers) + 1
    assert layers.to_frame()["tables"].sum() == np.sum([*found.tables.values()])


def test_what_costs_nothing_to_tell(breast_cancer):
    with pytest.raises(TypeError, match=r"got LogisticRegression\..*from_sklearn_model"):
        cost(linear_model.LogisticRegression())
    with pytest.raises(NotFittedError):
        cost(DecisionTreeClassifier())
    with pytest.raises(NotFittedError):
        cost(GridSearchCV(DecisionTreeClassifier(), {"max_depth": [3]}))
