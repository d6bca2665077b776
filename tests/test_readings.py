"""What methods make of raw scores."""

import numpy as np
import pytest

from fhe_estimators._readings import Beside, Labels, Reading, read

SCORES = np.array([[1.0, -2.0], [0.0, 0.5]])
NAMES = np.array(["no", "yes"])


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (Labels("largest", labels=NAMES), ["no", "yes"]),
        (Labels("above", labels=NAMES), ["no", "yes"]),
        (Labels("above", 0.5, NAMES), ["no", "no"]),
        (Labels("not_below", 0.5, NAMES), ["no", "yes"]),
        (Labels("each_above"), [[1, 0], [0, 1]]),
    ],
)
def test_labels(labels, expected):
    assert labels(SCORES).tolist() == expected


def test_steps_are_taken_in_order():
    reading = Reading(columns=(1, 2), shift=np.array([2.0]), factor=3.0, offset=1.0)
    assert reading([SCORES], None).tolist() == [[1.0], [8.5]]


def test_probabilities_without_negative_numbers():
    found = Reading(normalized=True)([SCORES], None)
    assert found.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("link", ["softmax", "joint", "two_sided", "complement"])
def test_links_give_probabilities(link):
    scores = SCORES[:, 1:] if link in ("two_sided", "complement") else SCORES
    found = Reading(link=link)([scores], None)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert Reading(link="difference", form="vector")([SCORES], None).tolist() == [-3, 0.5]


def test_a_term_of_rows_is_subtracted():
    beside = Beside(np.array([1.0, 0.0]), np.array([2.0, 1.0]))
    term = beside(np.array([[3.0, 1.0], [1.0, 0.0]]))
    assert term.tolist() == [2, 0]
    found = Reading(less_beside=True)([SCORES], None, term)
    assert found.tolist() == [[-1, -4], [0, 0.5]]


def test_several_outputs_are_columns_or_a_list():
    readings = [Reading(columns=(place, place + 1)) for place in range(2)]
    assert np.array_equal(read(readings, [SCORES], None, "predict"), SCORES)
    assert len(read(readings, [SCORES], None, "predict_proba")) == 2
