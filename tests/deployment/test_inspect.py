"""Bundles in words."""

import pytest

from fhe_estimators.deployment import FormatError, describe
from tests.deployment.test_bundle import GOLDEN


@pytest.mark.parametrize("role", ["client", "server"])
def test_costs_and_what_is_learned_are_shown(role):
    text = describe(GOLDEN / f"1_linear_{role}.zip")
    assert "LogisticRegression" in text
    assert "security                         128 bits" in text
    assert "p_error                          5.42101e-20" in text
    assert "What the client learns:" in text
    assert "What the server learns:" in text
    assert "All quantized weights" in text


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "other.zip"
    path.write_bytes(b"PK")
    with pytest.raises(FormatError, match=r"other\.zip"):
        describe(path)
