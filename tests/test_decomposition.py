"""Projections of encrypted rows."""

import numpy as np
import pandas as pd
import pytest
from sklearn import decomposition
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fhe_estimators import PCA, TruncatedSVD, config_context


@pytest.mark.parametrize("whiten", [False, True])
def test_components(wine, whiten):
    X, _ = wine
    ours = PCA(3, whiten=whiten, n_bits=16).fit(X)
    theirs = decomposition.PCA(3, whiten=whiten).fit(X)
    expected = theirs.transform(X)
    np.testing.assert_allclose(ours.transform(X), expected, atol=1e-3 * np.ptp(expected))
    np.testing.assert_array_equal(ours.fit_transform(X), ours.transform(X))
    np.testing.assert_allclose(ours.score(X), theirs.score(X))
    back = ours.inverse_transform(ours.transform(X))
    np.testing.assert_allclose(back, theirs.inverse_transform(expected), atol=0.5)


def test_singular_vectors(wine):
    X, _ = wine
    ours = TruncatedSVD(3, n_bits=16, random_state=0).fit(X)
    theirs = decomposition.TruncatedSVD(3, random_state=0).fit(X)
    expected = theirs.transform(X)
    np.testing.assert_allclose(ours.transform(X), expected, atol=1e-3 * np.ptp(expected))
    assert not hasattr(ours, "predict")


@pytest.mark.simulate
def test_likelihoods_need_rows_in_clear(wine):
    X, _ = wine
    model = PCA(2).fit(X)
    with config_context(fhe="simulate"), pytest.raises(ValueError, match="in clear"):
        model.score(X)


@pytest.mark.fhe
def test_the_end_of_a_pipeline(wine):
    X, _ = wine
    rows = pd.DataFrame(X).add_prefix("c")
    model = make_pipeline(StandardScaler(), PCA(2)).set_output(transform="pandas")
    clear = model.fit(rows).transform(rows[:2])
    assert list(clear.columns) == ["pca0", "pca1"]
    with config_context(fhe="execute"):
        pd.testing.assert_frame_equal(model.transform(rows[:2]), clear)
