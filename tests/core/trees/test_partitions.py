"""Sets of bins, and partitions, against plain sets of Python."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators.core.trees.partitions import (
    ANY,
    Atoms,
    classes_of,
    complement,
    contains,
    intersection,
    intervals,
    joined,
    n_classes,
    of_set,
)

N_BINS = 7
BINS = np.arange(N_BINS)
SETS = st.frozensets(st.integers(0, N_BINS - 1))


def bounds_of(bins):
    """Return a set of bins as bounds; the last bin stands for all beyond."""
    found = []
    for a_bin in sorted(bins):
        high = ANY[1] if a_bin == N_BINS - 1 else a_bin
        if found and found[-1] == a_bin - 1:
            found[-1] = high
        else:
            found += (a_bin - 1, high)
    return tuple(found)


def bins_of(bounds):
    return frozenset(BINS[contains(bounds, BINS)].tolist())


@given(SETS, SETS)
def test_sets(some, others):
    one, other = bounds_of(some), bounds_of(others)
    assert bins_of(one) == some
    assert complement(one) == bounds_of(frozenset(BINS) - some)
    assert intersection(one, other) == bounds_of(some & others)
    assert complement(complement(one)) == one


@given(st.lists(SETS, max_size=5))
def test_joined_partitions_are_atoms(several):
    """Bins have the same class exactly if they are in the same of the sets."""
    partition = 0
    for bins in several:
        partition = joined(partition, of_set(bounds_of(bins)))
    signatures = [tuple(b in bins for bins in several) for b in range(N_BINS)]
    classes = classes_of(partition, BINS).tolist()
    assert len(set(classes)) == len(set(signatures)) == n_classes(partition)
    assert len(set(zip(classes, signatures, strict=True))) == n_classes(partition)
    edges, of_intervals = intervals(partition)
    assert of_intervals[-1] == 0
    assert len(of_intervals) == len(edges) + 1
    if isinstance(partition, Atoms):
        assert n_classes(partition) < len(of_intervals)


def test_intervals_need_no_atoms():
    """Thresholds are the bits of a number, and so is what sets cut into intervals."""
    assert joined(of_set((-1, 2)), of_set((-1, 4))) == 0b10100
    assert joined(of_set((1, 4)), of_set((-1, 1))) == 0b10010
    assert joined(of_set((1, 4)), 0) == Atoms(0b10010, (0, 1, 0))
