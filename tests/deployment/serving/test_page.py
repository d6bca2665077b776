"""The start page, looked at in a browser."""

import numpy as np
import pytest

from fhe_estimators.deployment import Manifest
from fhe_estimators.deployment._bundle import Bundle
from tests.browser import browse, needs_browser, picture
from tests.deployment.serving.served import ANN

pytestmark = [pytest.mark.fhe, pytest.mark.slow, needs_browser]
#: The colour of the line above each model.
LINE = np.array([0x22, 0x44, 0x66])


@pytest.fixture
def url(served):
    return served.url.replace("http://", f"http://anybody:{ANN}@") + "/"


def test_it_shows_all_models(url, deployed, tmp_path):
    shown, _ = browse(url, tmp_path, "--dump-dom")
    assert "Encrypted prediction" in shown
    for name in ("linear", "tree"):
        manifest: Manifest = Bundle.load(deployed.folder / name / "client.zip").manifest
        assert f"/v2/models/{name}" in shown
        assert f"{manifest.row_bytes:,}" in shown
        for sentence in (*manifest.learns["client"], *manifest.learns["server"]):
            assert sentence.replace("'", "&#x27;") in shown or sentence in shown


def test_it_is_laid_out(url, tmp_path):
    """There is a line above each model, as wide as the text, in the colour of the page."""
    pixels, _ = picture(url, tmp_path)
    is_line = (pixels == LINE).all(axis=2).sum(axis=1) > 500
    starts = np.flatnonzero(np.diff(is_line.astype(int)) == 1)
    assert len(starts) == 2
    # Text above, between and below them.
    is_dark = (pixels.sum(axis=2) < 200).sum(axis=1) > 0
    for part in np.split(is_dark, starts):
        assert part.sum() > 50
