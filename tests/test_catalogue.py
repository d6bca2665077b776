"""The table of what becomes of every estimator of scikit-learn."""

import numpy as np
import pytest
from sklearn.base import is_classifier, is_regressor

from tools import catalogue


@pytest.fixture(scope="module")
def rows():
    return list(catalogue.catalogue())


@pytest.mark.slow
def test_the_page_is_what_the_tool_writes(rows):
    assert catalogue.PATH.read_text(encoding="utf-8") == catalogue.text(rows), (
        "run `python -m tools.catalogue`"
    )


def test_every_estimator_has_a_row():
    page = catalogue.PATH.read_text(encoding="utf-8")
    names = [name for name, _, _ in catalogue.names_and_kinds()]
    for name in [*names, *catalogue.STEPS]:
        assert page.count(f"| `{name}` |") == 1


@pytest.mark.slow
def test_at_least_sixty_twins_agree_with_their_originals_on_test_rows(rows):
    """Labels of nearly all rows, numbers within a part of what they differ by."""
    twins = [row for row in rows if row.twin is not None]
    assert len(twins) >= 60
    wrong = []
    for row in twins:
        method = "predict" if hasattr(row.fitted, "predict") else "transform"
        expected = getattr(row.fitted, method)(row.X)
        found = getattr(row.twin, method)(row.X)
        assert found.shape == expected.shape, row.name
        if is_regressor(row.fitted):
            error = np.sqrt(np.mean((found - expected) ** 2)) / np.std(expected)
            # Rounding in front of tables costs about a tenth.
            most = 0.15 if row.detail.endswith(", tables") else 0.02
            wrong += [(row.name, error)] if error > most else []
        else:
            share = np.mean(found == expected)
            least = 0.94 if row.detail.endswith(", tables") else 0.97
            wrong += [(row.name, share)] if share < least else []
    assert not wrong


@pytest.mark.slow
def test_probabilities_agree(rows):
    for row in rows:
        if row.twin is None or not is_classifier(row.fitted):
            continue
        if hasattr(row.twin, "predict_proba"):
            found = row.twin.predict_proba(row.X)
            np.testing.assert_allclose(
                found, row.fitted.predict_proba(row.X), atol=0.1, err_msg=row.name
            )
            np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_all_that_hummingbird_lists_has_a_row():
    """Transformers of features, and what predicts; labels are no features."""
    from hummingbird.ml import supported

    page = catalogue.PATH.read_text(encoding="utf-8")
    listed = {cls.__name__ for cls in supported.sklearn_operator_list}
    missing = {name for name in listed if f"| `{name}` |" not in page}
    assert missing == {"LabelEncoder"}
