"""Costs, pages, twins and predictions of models in files."""

import json
from functools import partial

import joblib
import numpy as np
import pytest
from sklearn import linear_model
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fhe_estimators import DecisionTreeClassifier, cli
from fhe_estimators.conversion import convert
from fhe_estimators.inspection import calibrate_prices, cost, model_card
from tests.commands import printed, told

pytestmark = pytest.mark.simulate


@pytest.fixture(scope="module")
def frame():
    """Two columns of numbers, and labels that are texts."""
    pd = pytest.importorskip("pandas")
    X = np.random.default_rng(0).integers(0, 4, (40, 2)).astype(float)
    labels = np.where(X[:, 0] + X[:, 1] > 3, "large", "small")
    return pd.DataFrame({"width": X[:, 0], "height": X[:, 1], "size": labels})


@pytest.fixture(scope="module")
def folder(frame, tmp_path_factory):
    """Models, fitted with names of columns and without, and rows in files."""
    tmp_path = tmp_path_factory.mktemp("models")
    X, y = frame[["width", "height"]], frame["size"]
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    joblib.dump(tree.fit(X, y), tmp_path / "tree.joblib")
    clear = make_pipeline(StandardScaler(), linear_model.LogisticRegression())
    joblib.dump(clear.fit(X.to_numpy(), y), tmp_path / "clear.joblib")
    joblib.dump(convert(clear, X.to_numpy()), tmp_path / "linear.joblib")
    frame.to_csv(tmp_path / "table.csv", index=False)
    X.to_csv(tmp_path / "rows.csv", index=False)
    np.save(tmp_path / "rows.npy", X.to_numpy())
    return tmp_path


@pytest.mark.fhe
def test_prices_are_measured_before_costs_are_told(folder, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    few = partial(calibrate_prices, table_bits=[1], p_errors=[0.01])
    monkeypatch.setattr("fhe_estimators.inspection.calibrate_prices", few)
    arguments = ["cost", folder / "linear.joblib", "--json"]
    assert json.loads(printed(capsys, *arguments))["seconds"] == 0
    assert not list(tmp_path.iterdir())
    first = json.loads(printed(capsys, *arguments, "--calibrate"))["seconds"]
    assert first > 0
    assert json.loads(printed(capsys, *arguments))["seconds"] == first


def test_costs(folder, capsys):
    path = folder / "tree.joblib"
    expected = cost(joblib.load(path))
    assert printed(capsys, "cost", path) == f"{expected}\n"
    found = json.loads(printed(capsys, "cost", path, "--json"))
    assert found.pop("model") == "DecisionTreeClassifier"
    tables = {str(bits): n for bits, n in expected.tables.items()}
    assert found == {**vars(expected), "tables": tables}


def test_pages(folder, frame, capsys):
    arguments = ["card", folder / "tree.joblib", folder / "table.csv", "-o"]
    arguments += [folder / "card.html", "--target", "size", "--no-simulate"]
    out = printed(capsys, *arguments)
    model = joblib.load(folder / "tree.joblib")
    X, y = frame[["width", "height"]], frame["size"].to_numpy()
    expected = model_card(model, X, y, simulate=False)
    assert (folder / "card.html").read_text("utf-8") == expected.to_html()
    assert out.startswith(str(expected.comparisons))
    found = json.loads(printed(capsys, *arguments, "--json"))
    assert found["learns"] == {side: [*of] for side, of in expected.learns.items()}
    reference, other = ["--reference", folder / "clear.joblib"], "linear.joblib"
    arguments[1] = folder / other
    reference, *_ = json.loads(printed(capsys, *arguments, *reference, "--json"))[
        "comparisons"
    ]
    assert reference["mode"] == "reference"
    assert reference["largest_difference"] is None  # JSON has no nan


def test_twins(folder, capsys):
    output = folder / "twin.joblib"
    arguments = ["convert", folder / "clear.joblib", folder / "rows.npy", "-o", output]
    printed(capsys, *arguments, "--n-bits", 5, "--p-error", "2**-40")
    twin, clear = joblib.load(output), joblib.load(folder / "clear.joblib")
    assert (twin[-1].n_bits, twin[-1].p_error) == (5, 2**-40)
    rows = np.load(folder / "rows.npy")
    assert (twin.predict(rows) == clear.predict(rows)).mean() > 0.9
    again = ["convert", folder / "clear.joblib", folder / "table.csv", "-o", output]
    found = json.loads(printed(capsys, *again, "--target", "size", "--json"))
    assert found["tables"] == {}
    assert "needs rows" in told(capsys, *arguments[:2], "-o", output)


@pytest.mark.parametrize("mode", ["disable", "simulate"])
@pytest.mark.parametrize("kind", ["csv", "npy", "parquet"])
def test_predictions(folder, frame, mode, kind, capsys):
    rows = folder / f"rows.{kind}"
    if kind == "parquet":
        pl = pytest.importorskip("polars")
        pl.DataFrame(frame[["width", "height"]].to_dict("list")).write_parquet(rows)
    for name in ("tree", "linear"):
        if (name, kind) == ("tree", "npy"):
            continue  # it was fitted on columns with names
        path = folder / f"{name}.joblib"
        X = frame[["width", "height"]]
        expected = joblib.load(path).predict(X if name == "tree" else X.to_numpy())
        out = printed(capsys, "predict", path, rows, "--fhe", mode)
        assert out.split() == expected.tolist()


@pytest.mark.fhe
def test_encrypted_predictions(folder, capsys):
    output = folder / "scores.npy"
    np.save(folder / "few.npy", np.load(folder / "rows.npy")[:3])
    arguments = ["predict", folder / "linear.joblib", folder / "few.npy", "-o", output]
    assert (
        printed(capsys, *arguments, "--fhe", "execute", "--method", "predict_proba") == ""
    )
    model = joblib.load(folder / "linear.joblib")
    expected = model.predict_proba(np.load(folder / "few.npy"))
    np.testing.assert_array_equal(np.load(output), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cost", "none.joblib"], "none.joblib"),
        (["cost", "rows.csv"], "joblib.dump wrote"),
        (["cost", "clear.joblib"], "from_sklearn_model"),
        (["predict", "clear.joblib", "rows.npy"], "from_sklearn_model"),
        (["predict", "tree.joblib", "none.csv"], "none.csv"),
        (["predict", "tree.joblib", "table.csv"], "size"),
        (
            ["predict", "tree.joblib", "rows.csv", "--method", "decision_function"],
            "has no decision_function",
        ),
        (
            ["card", "tree.joblib", "table.csv", "--target", "weight", "-o", "x"],
            "width, height, size",
        ),
        (["card", "tree.joblib", "rows.npy", "--target", "weight", "-o", "x"], "names"),
        (["card", "tree.joblib", "rows.csv", "--encrypted", "50", "-o", "x"], "<= 40"),
        (["convert", "tree.joblib", "-o", "x"], "predicts encrypted as it is"),
    ],
)
def test_errors_are_told_in_a_line(folder, arguments, message, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    assert message in told(capsys, *arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["tree.joblib"], "MODEL and ROWS"),
        (["tree.joblib", "rows.csv", "--model", "tree"], "--url"),
        (["rows.csv", "--url", "http:x"], "--client or --model"),
        (["tree.joblib", "rows.csv", "--url", "http:x", "--model", "m"], "ROWS only"),
        (
            ["rows.csv", "--url", "http:x", "--model", "m", "--fhe", "execute"],
            "ROWS only",
        ),
    ],
)
def test_arguments_that_contradict_each_other(options, message, capsys):
    with pytest.raises(SystemExit) as raised:
        cli.main(["predict", *options])
    assert raised.value.code == 2
    assert message in capsys.readouterr().err
