"""Tree ensembles as sums of table look-ups.

`recognize` finds an ensemble in a float graph, `TableSum` writes trees with integer
leaves as an integer graph. Why this is cheap: comparisons with an edge of a bin are
the client's, who sends their results encrypted; the function of a few of them is one
table; functions of one feature are linear in them.
"""

from fhe_estimators.core.trees.binning import BINNINGS, BinEdges
from fhe_estimators.core.trees.choice import (
    FINE_BITS,
    LEAST_SAVED,
    Splits,
    chosen_places,
    filled_places,
    split_weights,
)
from fhe_estimators.core.trees.columns import Column
from fhe_estimators.core.trees.comparisons import Bits
from fhe_estimators.core.trees.recognize import Ensemble, recognize
from fhe_estimators.core.trees.search import TreeGraphs, TreeOptions
from fhe_estimators.core.trees.table_sum import Lowered, TableSum
from fhe_estimators.core.trees.tree import (
    Leaf,
    SplitNode,
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
    "BINNINGS",
    "FINE_BITS",
    "LEAST_SAVED",
    "BinEdges",
    "Bits",
    "Column",
    "Ensemble",
    "Leaf",
    "Lowered",
    "SplitNode",
    "Splits",
    "TableSum",
    "Tree",
    "TreeGraphs",
    "TreeOptions",
    "boxes",
    "chosen_places",
    "evaluate_tree",
    "filled_places",
    "leaf_rows",
    "leaves",
    "mapped",
    "recognize",
    "simplified",
    "split_weights",
    "splits",
]
