"""The page on a model: what it says, and how it looks in a browser."""

import json

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fhe_estimators import PCA, DecisionTreeClassifier, LinearRegression, __version__
from fhe_estimators.deployment import save_deployment
from fhe_estimators.inspection import agreement, cost, model_card
from tests.browser import needs_browser, page_server, picture

pytestmark = pytest.mark.simulate

#: Colours of the ground, and of the lines between sections.
COLOURS = {
    "light": ((0xFF, 0xFF, 0xFF), (0x22, 0x44, 0x66)),
    "dark": ((0x16, 0x18, 0x1C), (0x8F, 0xB4, 0xDD)),
}


@pytest.fixture(scope="module")
def model(breast_cancer):
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    return make_pipeline(StandardScaler(), tree).fit(*breast_cancer)


@pytest.fixture(scope="module")
def card(model, breast_cancer):
    return model_card(model, *breast_cancer, name="<script>tumours</script>")


def test_all_is_that_of_the_other_functions(model, card, breast_cancer, tmp_path):
    assert card.cost == cost(model)
    same = agreement(model, *breast_cancer, reference="parent").to_frame()
    np.testing.assert_array_equal(card.comparisons.to_frame(), same)
    assert card.learns == save_deployment(model, tmp_path).learns
    assert card.versions["fhe-estimators"] == __version__
    assert card.facts["steps before it, in clear at the client"] == "StandardScaler"
    document = json.loads(json.dumps(card.to_dict()))
    assert document["cost"]["key_bytes"] == card.cost.key_bytes
    assert len(document["layers"]) == len(card.layers)


def test_names_are_escaped(card):
    html = card.to_html()
    assert "<script" not in html
    assert "&lt;script&gt;tumours" in html


def test_it_is_written_and_shown(model, card, breast_cancer, tmp_path):
    X, y = breast_cancer
    search = GridSearchCV(model, {"decisiontreeclassifier__max_depth": [3]}, cv=2)
    path = tmp_path / "card.html"
    written = model_card(search.fit(X, y), X, y, path, name=card.name)
    assert path.read_text("utf-8") == written.to_html()
    assert written.facts == card.facts
    assert written._repr_html_() in written.to_html()


@pytest.mark.fhe
def test_encrypted_rows_of_a_regressor(diabetes):
    X, y = diabetes
    model = LinearRegression().fit(X, y)
    card = model_card(model, X, y, simulate=False, reference=None, n_encrypted=2)
    assert [(of.mode, of.n_rows) for of in card.comparisons][1:] == [("execute", 2)]
    assert card.metric == "R²"
    assert f"{model.score(X, y):.4f}" in card.to_html()
    assert "No row was predicted encrypted" not in card.to_html()
    assert any("All quantized weights" in text for text in card.learns["client"])


def test_what_has_no_page(model, breast_cancer):
    X, y = breast_cancer
    with pytest.raises(TypeError, match="got PCA"):
        model_card(PCA(2).fit(X), X)
    with pytest.raises(TypeError, match="got QuantizedModule"):
        model_card(model[-1].quantized_module, X)
    with pytest.raises(ValueError, match=r"results_shared=True needs p_error <= 2\*\*-128"):
        model_card(model, X, y, results_shared=True)


@needs_browser
@pytest.mark.parametrize("scheme", COLOURS)
def test_it_is_laid_out_and_loads_nothing(card, scheme, tmp_path):
    with page_server(card.to_html()) as (url, asked):
        pixels, logged = picture(url, tmp_path, scheme)
    assert asked == ["/page.html"]
    assert logged == []
    ground, line = COLOURS[scheme]
    assert (pixels == ground).all(axis=2).mean() > 0.8
    # A line above each section, and text between them.
    is_line = (pixels == line).all(axis=2).sum(axis=1) > 500
    starts = np.flatnonzero(np.diff(is_line.astype(int)) == 1)
    assert len(starts) == 5
    contrast = np.abs(pixels - ground).sum(axis=2).max(axis=1) > 400
    for part in np.split(contrast, starts):
        assert part.sum() > 50


@needs_browser
def test_what_a_page_loads_and_logs_is_seen(tmp_path):
    text = "<img src='/other.png'><script>console.error('wrong')</script>"
    with page_server(text) as (url, asked):
        _, logged = picture(url, tmp_path)
    assert "/other.png" in asked
    assert "wrong" in logged[0]
