"""Memory of native calls is kept from one to the next; that of others is not."""

import ctypes
import platform
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from fhe_estimators.core.engine._memory import kept_memory

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="Only the GNU C library has mallopt."
)


#: Prints the page faults of a call of a circuit with a table: the median of nine.
FAULTS = """
import resource
import numpy as np
from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.graph import Graph, Node, Value

graph = Graph(
    (Node("TableLookup", ("x", "table"), ("y",), {"first": 0}),),
    (Value("x", (None, 1), 0, 7),),
    (Value("y", (None, 1), 0, 49),),
    {"table": np.arange(8)[:, np.newaxis] ** 2},
    {"y": Value("y", (None, 1), 0, 49)},
)
circuit = Circuit(graph, p_error=2**-40)
encrypted = circuit.encrypt(np.array([[3]]))
found = []
for _ in range(9):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    circuit.run(encrypted)
    found.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(np.median(found))
"""


def use_memory(n_bytes):
    """Take a block, write to each page of it, and free it."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    block = ctypes.c_void_p(libc.malloc(ctypes.c_size_t(n_bytes)))
    ctypes.memset(block, 1, n_bytes)
    libc.free(block)


def page_faults(call, *arguments):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    call(*arguments)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident_bytes():
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize()


def test_memory_is_used_again():
    found = []
    for _ in range(3):
        with kept_memory():
            found.append(page_faults(use_memory, 200 << 20))
    fresh = page_faults(use_memory, 300 << 20)
    assert found[-1] < fresh / 4


def test_other_large_blocks_go_back_to_the_system():
    with kept_memory():
        use_memory(1 << 20)
    before = resident_bytes()
    use_memory(600 << 20)
    assert resident_bytes() - before < 64 << 20


def test_limit_is_set_back_after_an_error():
    with pytest.raises(ValueError, match="inside"), kept_memory():
        raise ValueError("inside")
    test_other_large_blocks_go_back_to_the_system()


@pytest.mark.fhe
def test_calls_of_a_circuit_take_no_new_memory():
    """The converted bootstrap key alone would be 12,000 pages.

    A call takes new ones where something else has taken a part of the block that was freed:
    in a process of its own nothing does.
    """
    command = [sys.executable, "-W", "ignore", "-c", FAULTS]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert float(done.stdout) < 3000
