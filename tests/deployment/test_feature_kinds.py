"""Tables with categories and missing values, read by a client as by the model."""

import numpy as np
import pandas as pd
import pytest

import fhe_estimators as fe
from tests.deployment.deployed import Deployed

RANDOM = np.random.default_rng(0)
TEXT = RANDOM.choice(["b", "a", "c"], 120)
WHOLE = RANDOM.choice([10, 40, 20], 120)
FRAME = pd.DataFrame(
    {"size": RANDOM.normal(size=120), "text": TEXT, "whole": WHOLE, "other": 1.0 * WHOLE}
)
FRAME.loc[::7, "size"] = np.nan
TARGET = ((TEXT == "a") ^ (WHOLE == 40)).astype(int)
LABELLED = FRAME.astype({"text": "category", "whole": "category"})
LABELLED.loc[::11, "text"] = np.nan
MODELS = {
    "hist": fe.HistGradientBoostingClassifier(
        max_iter=2, max_leaf_nodes=4, min_samples_leaf=5, n_bits=2
    ),
    "interpret": fe.ExplainableBoostingClassifier(
        n_bits=2, outer_bags=1, max_rounds=20, n_jobs=1
    ),
    "lightgbm": fe.LGBMClassifier(
        n_estimators=2, num_leaves=4, n_bits=2, min_data_per_group=5, cat_smooth=1
    ),
    "xgboost": fe.XGBClassifier(
        n_estimators=2, max_depth=2, n_bits=2, enable_categorical=True, missing=-1.0
    ),
    "tree": fe.DecisionTreeClassifier(max_depth=2, n_bits=2),
}


def rows_of(name):
    return FRAME[["size", "whole", "other"]] if name == "tree" else LABELLED


# interpret cannot draw them.
@pytest.mark.filterwarnings("ignore:Missing values detected:UserWarning")
@pytest.mark.simulate
@pytest.mark.parametrize("name", list(MODELS))
def test_clients_read_tables_as_models_do(name, tmp_path):
    rows = rows_of(name)
    model = MODELS[name].fit(rows, TARGET)
    deployed = Deployed.of(model, tmp_path)
    processing = deployed.client._processing
    given = [rows, rows.astype(object)] if name == "tree" else [rows]
    if name == "xgboost":
        given.append(rows.assign(size=rows["size"].fillna(-1.0)))
    for table in given:
        checked = processing.checked(table)
        np.testing.assert_array_equal(checked[0], model._validated(table))
        (integers,) = processing.ends.quantize(processing.ends.prepare(checked))
        np.testing.assert_array_equal(integers, model.quantize_input(table))
    lacking = rows.assign(other=np.nan)
    words = r"column 'other' is incomplete.*no bin for them"
    for read in (deployed.client.encrypt, model.predict):
        with pytest.raises(ValueError, match=words):
            read(lacking)


@pytest.mark.simulate
def test_labels_that_are_not_known(tmp_path):
    model = MODELS["xgboost"].fit(LABELLED, TARGET)
    client = Deployed.of(model, tmp_path).client
    unknown = LABELLED.astype({"text": object}).assign(text="z")
    with pytest.raises(ValueError, match=r"Column 'text' of X.*'z'"):
        client.encrypt(unknown)


@pytest.mark.fhe
def test_answers_are_those_of_the_model(tmp_path):
    model = MODELS["lightgbm"].fit(LABELLED, TARGET)
    deployed = Deployed.of(model, tmp_path)
    rows = LABELLED[:3]
    answer = deployed.answer(rows)
    found = deployed.client.decrypt_predict(answer)
    np.testing.assert_array_equal(found, model.predict(rows))
