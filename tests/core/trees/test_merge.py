"""Merging of groups against the same rule, applied to all pairs."""

import io
import math

import numpy as np
import pytest
from tqdm import tqdm

from fhe_estimators.core.trees import Bits, Leaf, SplitNode, TableSum, simplified
from fhe_estimators.core.trees import merge as merge_module
from fhe_estimators.core.trees.merge import merge
from fhe_estimators.core.trees.partitions import joined, n_classes
from fhe_estimators.core.trees.tree import split_by
from tests.core.trees.random_trees import N_EDGES, bounds_of


def states_of_classes(group, other):
    """Return the states of two groups together if classes replace all gates."""
    parts = dict(group.all_partitions)
    for feature, part in other.all_partitions.items():
        parts[feature] = joined(parts.get(feature, 0), part)
    return math.prod(map(n_classes, parts.values()))


def merged_slowly(groups, most_states):
    """Merge as `merge` does, without a bound of any kind."""
    merged = []
    for group in sorted(groups, key=lambda group: -group.states):
        tried, best_of_classes = [], (0, None)
        for place, other in enumerate(merged):
            if group.direction is None or other.direction != group.direction:
                continue
            if group.gates & other.gates:
                tried.append(place)
            states = states_of_classes(group, other)
            in_common = set(group.all_partitions) & set(other.all_partitions)
            if in_common and states <= most_states:
                best_of_classes = max(
                    best_of_classes, (other.states / states, place), key=lambda e: e[0]
                )
        if best_of_classes[1] is not None:
            tried.append(best_of_classes[1])
        found = [
            (place, merged[place].merged(group, most_states)) for place in sorted({*tried})
        ]
        found = [(place, both) for place, both in found if both is not None]
        if not found:
            merged.append(group)
            continue
        place, both = max(
            found, key=lambda e: merged[e[0]].states * group.states / e[1].states
        )
        merged[place] = both
    return merged


def fragments(groups):
    return [[(f.source, f.gates, id(f)) for f in group.fragments] for group in groups]


def random_tree(random, depth, subsets, n_outputs):
    """Return a tree of few different values, so that many have a direction in common."""
    if not depth or random.random() < 0.1:
        return Leaf(random.integers(0, 2, size=n_outputs))
    below, above = (random_tree(random, depth - 1, subsets, n_outputs) for _ in "ab")
    feature = int(random.integers(7))
    if subsets and feature % 2:
        bins = np.flatnonzero(random.random(N_EDGES + 1) < 0.5).tolist()
        return split_by(feature, bounds_of(bins, N_EDGES), below, above)
    return SplitNode(feature, int(random.integers(N_EDGES)), below, above)


@pytest.mark.parametrize("subsets", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_bounds_leave_out_nothing(subsets, seed):
    random = np.random.default_rng(seed)
    depth, n_outputs = int(random.integers(2, 6)), int(random.integers(1, 3))
    forest = [simplified(random_tree(random, depth, subsets, n_outputs)) for _ in range(15)]
    bits = Bits(tuple(range(7)), (N_EDGES,) * 7)
    fewer = 0
    for small, most_states in ((4, 8), (8, 16), (16, 16), (8, 64)):
        groups = TableSum.unmerged(forest, bits, small).groups
        found = merge(groups, most_states)
        assert fragments(found) == fragments(merged_slowly(groups, most_states))
        fewer += len(groups) - len(found)
    assert fewer


def test_each_group_moves_the_bar(monkeypatch):
    bars = []

    def bar_of(items, name, total, **_):
        bars.append(tqdm(items, name, total, file=io.StringIO()))
        return bars[-1]

    monkeypatch.setattr(merge_module, "shown", bar_of)
    random = np.random.default_rng(0)
    forest = [simplified(random_tree(random, 4, False, 2)) for _ in range(9)]
    groups = TableSum.unmerged(forest, Bits(tuple(range(7)), (N_EDGES,) * 7), 8).groups
    assert any(group.direction is None for group in groups)
    merge(groups, 16)
    (bar,) = bars
    assert bar.n == bar.total == len(groups)
