"""Tree ensembles as sums of table look-ups.

`recognize` finds an ensemble in a float graph, `TableSum` writes trees with integer
leaves as an integer graph. Why this is cheap: comparisons with an edge of the grid are
the client's, who sends their results encrypted; the function of a few of them is one
table; functions of one feature are linear in them.
"""

from fhe_estimators.rewrite.trees._columns import Column
from fhe_estimators.rewrite.trees._inputs import Bits
from fhe_estimators.rewrite.trees._lower import Lowered, TableSum
from fhe_estimators.rewrite.trees._recognize import Ensemble, recognize
from fhe_estimators.rewrite.trees._tree import (
    Leaf,
    Split,
    Tree,
    boxes,
    evaluate_tree,
    leaf_rows,
    leaves,
    mapped,
    simplified,
    splits,
)

__all__ = [
    "Bits",
    "Column",
    "Ensemble",
    "Leaf",
    "Lowered",
    "Split",
    "TableSum",
    "Tree",
    "boxes",
    "evaluate_tree",
    "leaf_rows",
    "leaves",
    "mapped",
    "recognize",
    "simplified",
    "splits",
]
