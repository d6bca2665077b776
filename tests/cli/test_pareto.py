"""The search for cheap models, from a table."""

import json

import joblib
import pytest
from sklearn.datasets import load_iris

from fhe_estimators import DecisionTreeClassifier, LogisticRegression
from tests.commands import printed, told

pytestmark = pytest.mark.simulate


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "iris.csv"
    load_iris(as_frame=True).frame.iloc[::3].to_csv(path, index=False)
    return path


@pytest.fixture
def candidates(monkeypatch):
    """Candidates that are few, in place of those that are searched."""
    found = [
        (LogisticRegression(max_iter=1000), {"n_bits": [2]}),
        (DecisionTreeClassifier(random_state=0), {"max_depth": [2]}),
    ]
    name = "fhe_estimators.model_selection.cheap_candidates"
    monkeypatch.setattr(name, lambda *_, **__: found)
    return found


def test_the_front_is_printed_and_the_best_within_limits_is_written(
    table, candidates, tmp_path, capsys
):
    output = tmp_path / "best.joblib"
    arguments = ["pareto", table, "--target", "target", "--cv", 2, "-o", output]
    found = json.loads(printed(capsys, *arguments, "--tables", 0, "--json"))
    assert found["candidates"] == 2
    linear, tree = found["front"]
    assert linear["score"] < tree["score"]
    assert linear["seconds"] < tree["seconds"]
    assert found["best"] == linear
    assert linear["model"] == "LogisticRegression(max_iter=1000): n_bits=2"
    assert joblib.load(output).n_bits == 2


def test_it_prints_a_table(table, candidates, capsys):
    del candidates[1]
    arguments = ["pareto", table, "--target", "target", "--cv", 2]
    head, line, _, best = printed(capsys, *arguments).splitlines()
    assert head.split() == ["score", "seconds", "tables", "model"]
    assert line.endswith("0        0       LogisticRegression(max_iter=1000): n_bits=2")
    assert best == "best: LogisticRegression(max_iter=1000): n_bits=2"
    assert "No candidate is within" in told(capsys, *arguments, "--upload-bytes", 1)


@pytest.mark.nightly
def test_the_candidates_are_searched(table, capsys):
    arguments = ["pareto", table, "--target", "petal width (cm)", "--cv", 2, "--json"]
    found = json.loads(printed(capsys, *arguments, "--task", "regression", "--jobs", 2))
    assert found["candidates"] == 24
    assert "Ridge" in found["front"][0]["model"]
    assert found["best"]["score"] > 0.8


def test_what_is_no_table_of_numbers(table, tmp_path, capsys):
    assert "sepal width (cm)" in told(capsys, "pareto", table, "--target", "colour")
    text = table.read_text().replace("5.1", "five")
    (tmp_path / "text.csv").write_text(text)
    message = told(capsys, "pareto", tmp_path / "text.csv", "--target", "target")
    assert "do not hold numbers: sepal length (cm)" in message
