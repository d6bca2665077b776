"""Tables with categories as the numbers that trees see."""

import numpy as np
import pandas as pd
import pytest

from fhe_estimators._tables import Categories, Table, with_numbers


def test_codes():
    categories = Categories(["b", "a"])
    found = categories.codes(["a", "b", None, np.nan, pd.NA, "c"], "Column")
    np.testing.assert_array_equal(found, [1, 0, np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(categories.edges, [0.5, np.inf])
    np.testing.assert_array_equal(categories.representatives, [0, 1, np.nan])


def test_unknown_labels():
    np.testing.assert_array_equal(
        Categories([7, 3], "other").codes([3, 7, 5, np.nan], "Column"), [1, 0, 2, np.nan]
    )
    with pytest.raises(
        ValueError, match=r"Column 'x' holds 'c', a category that it did not"
    ):
        Categories(["a"], "error").codes(["a", "c"], "Column 'x'")


def test_none_may_be_a_label():
    found = Categories(["a", None]).codes([None, "a", np.nan], "Column")
    np.testing.assert_array_equal(found, [1, 0, np.nan])


def test_fractions_of_labels():
    """LightGBM and XGBoost cut them off."""
    found = Categories([0, 2], truncates=True).codes([2.7, -0.5, 2, -2.5, 3.0], "Column")
    np.testing.assert_array_equal(found, [1, 0, 1, np.nan, np.nan])


def test_numbers_as_texts():
    """interpret writes numbers so."""
    categories = Categories(["1", "0", "2.5", "1e+22", "x"], "other", as_texts=True)
    values = [1, 1.0, True, False, -0.0, 2.5, 1e22, "x", "1", "1.0", None, 7]
    found = categories.codes(values, "Column")
    expected = [0, 0, 0, 1, 1, 2, 3, 4, 0, 5, np.nan, 5]
    np.testing.assert_array_equal(found, expected)


FRAME = pd.DataFrame({"x": [0.5, 1.5], "kind": pd.Categorical(["u", None]), "z": [2, 3]})
TABLE = Table({1: Categories(["t", "u"], arrays_hold_codes=True)}, [1, 0, 2])


@pytest.mark.parametrize(
    "kind", [FRAME["kind"], FRAME["kind"].astype(object), ["u", np.nan]], ids=str
)
def test_frames(kind):
    """Text is a label, too, whatever the type of the column."""
    coded = TABLE.coded(FRAME.assign(kind=kind), "Model")
    assert list(coded.columns) == ["x", "kind", "z"]
    features = TABLE.as_features(coded.to_numpy(float))
    np.testing.assert_array_equal(features, [[1, 0.5, 2], [np.nan, 1.5, 3]])
    np.testing.assert_array_equal(TABLE.as_columns(features), coded)


def test_the_frame_that_is_given_stays():
    before = FRAME.copy()
    TABLE.coded(FRAME, "Model")
    with_numbers(FRAME, np.zeros((2, 3)), np.array([False, True, False]))
    pd.testing.assert_frame_equal(FRAME, before)


def test_arrays():
    found = TABLE.coded(np.array([[0.5, 1, 2], [1.5, np.nan, 3], [0, 9, 0]]), "Model")
    np.testing.assert_array_equal(found[:, 1], [1, np.nan, np.nan])
    found = TABLE.coded(np.array([[0.5, "u", 2]], object), "Model")
    np.testing.assert_array_equal(found.astype(float), [[0.5, 1, 2]])


def test_numbers_in_a_column_of_labels():
    """Are they labels or codes? Nobody guesses."""
    with pytest.raises(
        ValueError, match=r"'kind'.* of Model.*float64.*astype\('category'\)"
    ):
        TABLE.coded(FRAME.assign(kind=1.0), "Model")


def test_numbers_are_replaced_beside_labels():
    coded = np.array([False, True, False])
    found = with_numbers(FRAME, np.full((2, 3), 7.0), coded)
    assert found["kind"].equals(FRAME["kind"])
    assert (found[["x", "z"]] == 7).all(axis=None)
    rows = np.array([[1.0, 5.0, 2.0]])
    np.testing.assert_array_equal(
        with_numbers(rows, np.full((1, 3), 7.0), coded), [[7, 5, 7]]
    )
