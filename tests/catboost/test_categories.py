"""Categories of CatBoost, against its own predictions."""

import catboost
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhe_estimators import CatBoostClassifier, CatBoostRegressor
from fhe_estimators.catboost._categories import labels_of
from fhe_estimators.catboost._document import document_of
from tests.boosters import library_of, one_thread
from tests.deployment.deployed import Deployed

__all__ = ["one_thread"]  # a fixture

COLUMNS = ["colour", "grade", "town"]
QUIET = {"logging_level": "Silent", "allow_writing_files": False, "thread_count": 1}
SMALL = {"thread_count": 1, "cat_features": COLUMNS, "random_state": 0}


def table(seed=0, n_rows=200):
    """Return numbers, a few texts, whole numbers, and many labels."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "size": random.normal(size=n_rows),
            "colour": random.choice(["red", "green", "blue"], n_rows),
            "grade": random.choice([1, 20, 300], n_rows),
            "town": random.choice([f"town {number}" for number in range(12)], n_rows),
        }
    )


def target(frame, n_classes):
    total = (
        frame["size"]
        + 2 * (frame["colour"] == "red")
        + (frame["grade"] == 20)
        + frame["town"].str[5:].astype(int) % 3
    )
    if not n_classes:
        return total
    return pd.qcut(total, n_classes, labels=False)


def unseen(frame):
    rows = frame.copy()
    rows.loc[:9, "town"] = "elsewhere"
    rows.loc[5:15, "grade"] = 7
    rows["grade"] = rows["grade"].astype(str)
    return rows


def assert_near(model, own, rows):
    """Raw scores are those of the library, rounded as promised."""
    (decoder,) = model.quantized_module_.output_quantizers
    allowed = np.max(decoder.rounding_error_bound) + 1e-9
    found, right = (m.predict(rows, "RawFormulaVal") for m in (model, own))
    np.testing.assert_allclose(found, right, rtol=1e-9, atol=allowed)


@settings(deadline=None, max_examples=8)
@given(
    st.integers(0, 10**6),
    st.sampled_from([0, 2, 3]),
    st.sampled_from([None, 4, 255]),
    st.booleans(),
)
def test_random_tables(seed, n_classes, one_hot_max_size, is_twin):
    """Single categories and statistics divide labels, unknown ones too, as for CatBoost."""
    frame = table(seed)
    y = target(frame, n_classes)
    cls = CatBoostClassifier if n_classes else CatBoostRegressor
    options = {**SMALL, "one_hot_max_size": one_hot_max_size, "depth": 3}
    if is_twin:
        parent = getattr(catboost, cls.__name__)
        options |= {"max_ctr_complexity": 1, "random_state": seed % 100}
        own = parent(iterations=6, **QUIET | options).fit(frame, y)
        model = cls.from_sklearn_model(own, frame)
    else:
        model = cls(6, **options).fit(frame, y)
        own = library_of(model)
    for rows in (frame, unseen(frame)):
        assert_near(model, own, rows)


def test_one_label_and_statistics_are_both_used():
    frame = table()
    y = target(frame, 2)
    kinds = {
        one_hot: {
            split["split_type"]
            for tree in CatBoostClassifier(6, **SMALL, one_hot_max_size=one_hot)
            .fit(frame, y)
            ._document()["oblivious_trees"]
            for split in tree["splits"]
        }
        for one_hot in (2, 255)
    }
    assert "OnlineCtr" in kinds[2]
    assert "OneHotFeature" in kinds[255]


@pytest.mark.parametrize("ctr", ["Borders", "Buckets", "Counter"])
def test_kinds_of_statistics(ctr):
    frame = table()
    y = target(frame, 3)
    model = CatBoostClassifier(6, **SMALL, simple_ctr=[ctr]).fit(frame, y)
    assert_near(model, library_of(model), unseen(frame))


def test_coarse_twins_and_changed_models():
    frame = table()
    y = target(frame, 0)
    own = catboost.CatBoostRegressor(20, **QUIET, cat_features=COLUMNS)
    own.set_params(max_ctr_complexity=1)
    own.fit(frame, y)
    twin = CatBoostRegressor.from_sklearn_model(own, frame, n_bits=2)
    assert len(twin.get_borders()[0]) <= 3 < len(own.get_borders()[0])
    assert_near(twin, library_of(twin), unseen(frame))
    twin = CatBoostRegressor.from_sklearn_model(own, frame)
    before = twin.predict(frame)
    twin.shrink(ntree_end=5)
    assert not np.array_equal(twin.predict(frame), before)
    assert_near(twin, library_of(twin), unseen(frame))


def test_arrays_and_columns_of_a_category_type():
    frame = table()
    y = target(frame, 2)
    model = CatBoostClassifier(6, **SMALL).fit(frame, y)
    typed = frame.astype({"colour": "category", "town": "category"})
    of_types = CatBoostClassifier(6, **SMALL).fit(typed, y)
    array = frame.to_numpy(object)
    of_array = CatBoostClassifier(6, thread_count=1, random_state=0)
    of_array.fit(array, y, cat_features=[1, 2, 3])
    expected = model.predict_proba(frame)
    np.testing.assert_allclose(of_types.predict_proba(typed), expected)
    np.testing.assert_allclose(of_array.predict_proba(array), expected)
    assert labels_of(typed["colour"][:1]) == ["blue", "green", "red"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda own, rows: (own, None), "pass rows X"),
        (lambda own, rows: (own, rows[rows["town"] != "town 3"]), "'town'.*pass rows X"),
        (lambda own, rows: (own, rows[rows["grade"] == 1]), "'grade'.*pass rows X"),
        (
            lambda own, rows: (own, rows.assign(town=None)),
            "'town' of X lacks labels.*fillna",
        ),
    ],
)
def test_twins_need_all_labels(change, words):
    frame = table()
    own = catboost.CatBoostClassifier(6, **QUIET, cat_features=COLUMNS, one_hot_max_size=4)
    own.set_params(max_ctr_complexity=1)
    own.fit(frame, (target(frame, 2) > 0) ^ (frame["grade"] == 20))
    model, rows = change(own, frame)
    with pytest.raises(ValueError, match=words):
        CatBoostClassifier.from_sklearn_model(model, rows)


def test_refusals():
    frame = table()
    y = (frame["colour"] == "red") ^ (frame["grade"] == 20)
    own = catboost.CatBoostClassifier(30, **QUIET, cat_features=COLUMNS, one_hot_max_size=1)
    own.set_params(max_ctr_complexity=4)
    own.fit(frame, y)
    statistics = document_of(own)["features_info"]["ctrs"]
    assert max(len(statistic["elements"]) for statistic in statistics) > 1
    with pytest.raises(ValueError, match=r"'max_ctr_complexity'.*\[1\]"):
        CatBoostClassifier.from_sklearn_model(own, frame)
    with pytest.raises(ValueError, match=r"'grow_policy'.*'SymmetricTree'"):
        CatBoostClassifier(2, **SMALL, grow_policy="Lossguide").fit(frame, y)
    with pytest.raises(ValueError, match=r"'town' of X lacks labels.*fillna"):
        CatBoostClassifier(2, **SMALL).fit(frame.assign(town=None), y)
    model = CatBoostClassifier(2, **SMALL).fit(frame, y)
    with pytest.raises(ValueError, match=r"NaN.*'town'"):
        model.predict(frame.assign(town=None))


@pytest.mark.simulate
def test_subsets_of_categories_cost_no_table():
    frame = table()
    model = CatBoostClassifier(10, **SMALL, depth=1).fit(frame, target(frame, 2))
    assert model.compile().programmable_bootstrap_count == 0
    deeper = CatBoostClassifier(4, **SMALL).fit(frame, target(frame, 2))
    assert deeper.compile().programmable_bootstrap_count <= 4
    rows = unseen(frame)
    np.testing.assert_array_equal(
        deeper.predict_proba(rows, fhe="simulate"), deeper.predict_proba(rows)
    )


@pytest.mark.nightly
@pytest.mark.fhe
def test_client_and_server(tmp_path):
    frame = table()[["size", "colour"]]
    options = {**SMALL, "cat_features": ["colour"]}
    model = CatBoostClassifier(2, **options, depth=2, n_bits=2)
    model.fit(frame, target(table(), 2))
    rows = frame[:2].assign(colour=["red", "violet"])
    deployed = Deployed.of(model, tmp_path)
    read = deployed.client.decrypt_predict(deployed.answer(rows))
    np.testing.assert_array_equal(read, model.predict(rows))


@pytest.mark.parametrize("cls", [CatBoostClassifier, CatBoostRegressor])
def test_tags_say_that_categories_are_taken(cls):
    tags = cls().__sklearn_tags__().input_tags
    assert tags.categorical
    assert tags.allow_nan
    assert not tags.sparse
