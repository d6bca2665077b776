"""Processes by their command lines."""

import os
import subprocess
import sys

import pytest

from tools.processes import command_of, processes


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
def test_processes_are_found_while_they_run():
    name = f"found by {os.getpid()}".encode()

    def is_child(command):
        return name in command.split(b"\0")

    waits = [sys.executable, "-c", "input()", name]
    with subprocess.Popen(waits, stdin=subprocess.PIPE) as child:
        # Between fork and exec a child has the command of its parent.
        while not is_child(command_of(child.pid)):
            assert child.poll() is None
        assert processes(is_child) == [child.pid]
        child.communicate()
    assert processes(is_child) == []
    assert command_of(child.pid) == b""
