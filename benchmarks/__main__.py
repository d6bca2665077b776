"""Run benchmarks, each in a process of its own, and print a table for each."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from benchmarks import MODULE_OF
from benchmarks.report import plain, table
from benchmarks.tools import Peer, measure, versions

NO_PEER = "no peer to compare with: `make bench-peers` makes .peers/bin/python, for --peer"


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="name",
        help=f"which ones to run, all by default: {', '.join(MODULE_OF)}",
    )
    parser.add_argument(
        "--peer",
        metavar="PYTHON",
        default=os.environ.get("FHE_BENCH_PEER"),
        help="interpreter with concrete-ml 1.9.0, to measure it beside ours "
        "(default: the environment variable FHE_BENCH_PEER)",
    )
    parser.add_argument("--json", metavar="FILE", help="write the numbers to this file")
    parser.add_argument(
        "--repeat",
        type=positive,
        default=5,
        metavar="N",
        help="rounds of each measurement (default: %(default)s); fewer than 3 only show "
        "that everything runs",
    )
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in MODULE_OF]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(MODULE_OF)}")
    return given


def isolated(name: str, python: str | None, repeat: int) -> list[dict[str, Any]]:
    """Run one benchmark in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, name, python, repeat).result()


def facts(python: str | None, repeat: int) -> dict[str, Any]:
    """Return what the numbers depend on, versions and machine."""
    found: dict[str, Any] = {"repeat": repeat, "ours": versions()}
    if python:
        with Peer.started(python) as peer:
            found["peer"] = peer.ask("versions")
    return found


def listed(entries: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in entries.items())


def main() -> int:
    given = arguments()
    about = facts(given.peer, given.repeat)
    print(f"ours: {listed(about['ours'])}")
    print(f"peer: {listed(about['peer'])}" if given.peer else NO_PEER)
    print(f"medians of {given.repeat} rounds", flush=True)
    results: dict[str, Any] = {}
    failed = []
    for name in given.names or MODULE_OF:
        start = time.perf_counter()
        try:
            rows = isolated(name, given.peer, given.repeat)
        except Exception:
            failed.append(name)
            traceback.print_exc()
            continue
        print(f"\n{name} ({time.perf_counter() - start:.0f} s)\n{table(rows)}", flush=True)
        results[name] = rows
    if given.json and results:  # else a file that is kept stays what it is
        with open(given.json, "w", encoding="utf-8") as file:
            json.dump({**about, "results": results}, file, default=plain, indent=2)
            file.write("\n")
    if failed:
        print(f"\nnot finished: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
