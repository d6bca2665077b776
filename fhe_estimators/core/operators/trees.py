"""Tree ensembles as single operators, of ONNX's operators of machine learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fhe_estimators.core.operators._base import register
from fhe_estimators.core.operators.clear import ClearOnly
from fhe_estimators.exceptions import UnsupportedOperatorError

#: The domain of the operators.
DOMAIN = "ai.onnx.ml"
_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_EQ", "LEAF")


class TreeNodes(NamedTuple):
    """The nodes of all trees of an ensemble, one after the other.

    A row goes to `true` of a node if its `feature` is at most `value`, or equal to it where
    `equals`; if it is missing, if `missing_true`.
    """

    roots: np.ndarray
    feature: np.ndarray
    value: np.ndarray
    equals: np.ndarray
    is_leaf: np.ndarray
    true: np.ndarray
    false: np.ndarray
    missing_true: np.ndarray
    #: Shape (n_nodes, n_targets): what leaves add.
    weights: np.ndarray
    #: Shape (n_targets,): what is added to the sum of all.
    base: np.ndarray

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> TreeNodes:
        """Return the nodes that the attributes of the operator hold.

        Raises
        ------
        UnsupportedOperatorError
            If nodes compare otherwise, or results are not plain sums or means.
        """
        get = attributes.get
        modes = list(map(_text, get("nodes_modes", ())))
        unknown = sorted(set(modes) - set(_MODES))
        function = _text(get("aggregate_function", "SUM"))
        after = _text(get("post_transform", "NONE"))
        unknown += {function, after} - {"SUM", "AVERAGE", "NONE"}
        if unknown:
            raise UnsupportedOperatorError(
                f"TreeEnsembleRegressor with {unknown[0]} is not supported; supported are "
                f"{', '.join(_MODES)}, SUM or AVERAGE, and no post_transform."
            )
        trees = np.asarray(attributes["nodes_treeids"], np.int64)
        ids = np.asarray(attributes["nodes_nodeids"], np.int64)
        keys = zip(trees.tolist(), ids.tolist(), strict=True)
        places = {key: number for number, key in enumerate(keys)}
        is_leaf = np.array([mode == "LEAF" for mode in modes])

        def children(name: str) -> np.ndarray:
            found = np.asarray(attributes[name], np.int64).tolist()
            pairs = zip(trees.tolist(), found, is_leaf.tolist(), strict=True)
            return np.array([-1 if leaf else places[t, n] for t, n, leaf in pairs])

        value = _numbers(attributes, "nodes_values")
        below = np.array([mode == "BRANCH_LT" for mode in modes])
        missing = list(get("nodes_missing_value_tracks_true", ())) or np.zeros(len(ids))
        true, false = children("nodes_truenodeids"), children("nodes_falsenodeids")
        weights = np.zeros((len(ids), int(attributes["n_targets"])))
        at = zip(attributes["target_treeids"], attributes["target_nodeids"], strict=True)
        rows = [places[key] for key in at]
        np.add.at(
            weights,
            (rows, list(attributes["target_ids"])),
            _numbers(attributes, "target_weights"),
        )
        roots = np.setdiff1d(np.arange(len(ids)), np.append(true, false))
        if function == "AVERAGE":
            weights /= len(roots)
        base = _numbers(attributes, "base_values")
        if not base.size:
            base = np.zeros(weights.shape[1])
        return cls(
            roots,
            np.asarray(attributes["nodes_featureids"], np.int64),
            np.where(below, np.nextafter(value, -np.inf), value),
            np.array([mode == "BRANCH_EQ" for mode in modes]),
            is_leaf,
            true,
            false,
            np.asarray(missing, bool),
            weights,
            base,
        )


@register("TreeEnsembleRegressor", since=1)
class TreeEnsembleRegressor(ClearOnly):
    """The sum of the values of the leaves that rows end in.

    Encrypted, an ensemble is more than an operator: see `fhe_estimators.core.trees`.
    """

    domain = DOMAIN

    @staticmethod
    def f(
        x: np.ndarray,
        *,
        aggregate_function: str = "SUM",
        base_values: Sequence[float] = (),
        base_values_as_tensor: Any = None,
        n_targets: int = 1,
        nodes_falsenodeids: Sequence[int] = (),
        nodes_featureids: Sequence[int] = (),
        nodes_hitrates: Sequence[float] = (),
        nodes_hitrates_as_tensor: Any = None,
        nodes_missing_value_tracks_true: Sequence[int] = (),
        nodes_modes: Sequence[str] = (),
        nodes_nodeids: Sequence[int] = (),
        nodes_treeids: Sequence[int] = (),
        nodes_truenodeids: Sequence[int] = (),
        nodes_values: Sequence[float] = (),
        nodes_values_as_tensor: Any = None,
        post_transform: str = "NONE",
        target_ids: Sequence[int] = (),
        target_nodeids: Sequence[int] = (),
        target_treeids: Sequence[int] = (),
        target_weights: Sequence[float] = (),
        target_weights_as_tensor: Any = None,
    ) -> np.ndarray:
        given = {name: value for name, value in locals().items() if value is not None}
        return _evaluated(TreeNodes.of(given), np.asarray(x))


def _evaluated(nodes: TreeNodes, x: np.ndarray) -> np.ndarray:
    total = np.tile(nodes.base, (len(x), 1))
    for root in nodes.roots:
        at = np.full(len(x), root)
        rows = np.arange(len(x))
        while len(rows := rows[~nodes.is_leaf[at[rows]]]):
            node = at[rows]
            number, value = x[rows, nodes.feature[node]], nodes.value[node]
            holds = np.where(nodes.equals[node], number == value, number <= value)
            holds = np.where(np.isnan(number), nodes.missing_true[node], holds)
            at[rows] = np.where(holds, nodes.true[node], nodes.false[node])
        total += nodes.weights[at]
    return total


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _numbers(attributes: Mapping[str, Any], name: str) -> np.ndarray:
    """Return numbers that are given as a list, or as a tensor of double precision."""
    given = attributes.get(f"{name}_as_tensor")
    found = attributes.get(name, ()) if given is None else given
    return np.asarray(found, np.float64)
