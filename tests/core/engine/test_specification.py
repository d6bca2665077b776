"""Specifications: what the engine writes is taken, and nothing else."""

import json

import numpy as np
import pytest

from fhe_estimators.core.circuit import extremes
from fhe_estimators.core.engine import ConcreteEngine, Specification
from fhe_estimators.core.graph import Graph, Node, Value


def table(bits):
    """A graph of one table."""
    node = Node("TableLookup", ("x", "t"), ("y",), {"first": 0})
    source = Value("x", (None, 1), 0, (1 << bits) - 1)
    result = Value("y", (None, 1), 0, 2)
    constants = {"t": np.arange(1 << bits) % 3}
    return Graph((node,), (source,), (result,), constants, {"y": result})


@pytest.fixture(scope="module", params=[2, 12], ids=["narrow", "wide"])
def specification(request):
    """Of tables that are read at once, and bit by bit, which takes other keys."""
    graph = table(request.param)
    program = ConcreteEngine().compile(graph, 1, extremes(graph), 2.0**-40)
    return program.specification


@pytest.mark.simulate
def test_all_that_the_engine_writes_is_taken(specification):
    assert Specification.of(specification.to_bytes()) == specification
    assert specification.weaknesses() == []
    assert specification.has_evaluation_keys


@pytest.mark.simulate
def test_equal_documents_have_one_text(specification):
    document = json.loads(specification.to_bytes())
    turned = dict(reversed(document.items()))
    assert Specification(turned).to_bytes() == specification.to_bytes()
    assert Specification(turned).family == specification.family


@pytest.mark.simulate
def test_bare_specifications_have_secret_keys_only(specification):
    bare = specification.bare(specification.outputs[0])
    assert not bare.has_evaluation_keys
    assert bare.secret_bytes == specification.secret_bytes
    assert bare.inputs == specification.outputs[:1]


@pytest.mark.parametrize("document", [{}, [], None, {"keyset": {}, "circuits": []}])
def test_other_documents_are_refused(document):
    with pytest.raises(ValueError, match=r"instead of|not a specification"):
        Specification(document)
