"""Terms as trees, and bins that become one."""

import numpy as np
import pytest

from fhe_estimators.interpret import _terms as terms


def evaluated(tree, row):
    node = 0
    while tree.left[node] >= 0:
        missing = np.isnan(row[tree.feature[node]])
        goes_left = not missing and row[tree.feature[node]] <= tree.threshold[node]
        node = (tree.left if goes_left else tree.right)[node]
    return tree.value[node]


@pytest.mark.parametrize("missing", [False, True])
def test_trees_look_scores_up(missing):
    levels = [np.array([0.0, 1.0, 2.5]), np.array([1.0])], [{"a": 1, "b": 2}]
    random = np.random.default_rng(0)
    scores = random.normal(size=(4, 5, 2))
    axes = [
        terms.axis_of(0, levels[0], 2, missing, ()),
        terms.axis_of(1, levels[1], 2, True, ["a", "b"]),
    ]
    tree = terms.tree(axes, scores[:, :4])
    numbers = [(0.9, 1), (1.0, 2), (7.0, 2), *([(np.nan, 0)] if missing else [])]
    for number, place in numbers:
        for code, of_code in ((0.0, 1), (1.0, 2), (2.0, -1), (np.nan, 0)):
            found = evaluated(tree, [number, code])
            np.testing.assert_array_equal(found, scores[:, :4][place, of_code])
    assert len(tree.left) == 2 * (2 + missing) * 4 - 1


def test_a_term_of_no_feature():
    np.testing.assert_array_equal(evaluated(terms.tree([], np.ones(3)), []), np.ones(3))


def test_cuts_and_thresholds():
    cuts = np.array([-1.0, 0.0, 1e300])
    thresholds = terms.thresholds_of(cuts)
    assert (thresholds < cuts).all()
    np.testing.assert_array_equal(terms.cuts_of(thresholds), cuts)


def test_bins_that_become_one():
    cuts = np.array([1.0, 2.0, 3.0, 9.0])
    # Missing, below 1, 1 to 2, 2 to 3, 3 to 9, above 9, unknown.
    together = terms.averaging(cuts, np.array([2.0, 2.0, 2.0, 8.0]))
    groups = [np.flatnonzero(row).tolist() for row in together]
    assert groups == [[0], [1, 2], [1, 2], [3, 4], [3, 4], [5], [6]]
    scores = np.array([9.0, 1.0, 3.0, 5.0, 7.0, 8.0, 0.0])
    weights = np.array([0.0, 1.0, 3.0, 0.0, 0.0, 1.0, 0.0])
    found = terms.averaged(scores, weights, [together])
    np.testing.assert_allclose(found, [9.0, 2.5, 2.5, 6.0, 6.0, 8.0, 0.0])
    pair = terms.averaged(np.outer(scores, [1.0, 2.0]), np.ones((7, 2)), [together, None])
    np.testing.assert_allclose(pair[1], [2.0, 4.0])
    several = np.stack([scores, -scores], axis=1)
    found = terms.averaged(several, weights, [together])
    np.testing.assert_allclose(found[:, 0], -found[:, 1])


def test_steps_lie_between_the_bins_of_numbers():
    """Missing and unknown values, first and last, have no cut; steps are positive."""
    scores = np.array([[9.0, 0, 0, 3, 9], [9, 0, 0, -1, 9], [9, 4, 4, 7, 9]])
    tiny = np.finfo(np.float64).tiny
    np.testing.assert_allclose(
        terms.steps(scores, 1), [tiny, np.sqrt(19 / 3)], rtol=1e-12, atol=0
    )
    np.testing.assert_array_equal(terms.steps(scores, 0), [])
    np.testing.assert_array_equal(terms.steps(scores[0], 0), [tiny, 3.0])
