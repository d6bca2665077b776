"""A worker process: it answers the requests that its server passes on, one at a time.

A program that misbehaves takes this process down, not the server. It sees what the server
sees: encrypted rows, and evaluation keys.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

from fhe_estimators.deployment._server import EvaluationKeys, Server
from fhe_estimators.deployment.errors import DeploymentError
from fhe_estimators.deployment.serving._channel import Channel, ChannelClosedError

logger = logging.getLogger(__name__)

#: Seconds between looks whether the server is still there.
_LOOK = 1.0


class Desk:
    """Models and keys that a worker has ready.

    Parameters
    ----------
    compiled : str
        The folder of compiled programs.
    rows : int
        Of a request at most.
    resident_keys : int
        To hold ready.
    """

    def __init__(self, compiled: str, rows: int, resident_keys: int) -> None:
        self._compiled, self._rows, self._most_keys = compiled, rows, resident_keys
        self._servers: dict[str, Server] = {}
        self._keys: OrderedDict[tuple[str, str], EvaluationKeys] = OrderedDict()

    def compile(self, model: str) -> None:
        """Have a model ready; compiled, if it is not yet, for other workers, too."""
        self._server(model).prepare()

    def run(self, model: str, key: str | None, key_id: str, request: bytes) -> bytes:
        """Return the answer to a request.

        Parameters
        ----------
        model : str
            The path of a ``server.zip``.
        key : str, optional
            The path of evaluation keys.
        key_id : str
            What they are called.
        request : bytes
        """
        server = self._server(model)
        keys = None if key is None else self._ready(server, key, key_id)
        return server.run(request, keys)

    def holds(self) -> list[str]:
        """Return the names of the keys that are ready."""
        return [key_id for _, key_id in self._keys]

    def _server(self, model: str) -> Server:
        if model not in self._servers:
            self._servers[model] = Server(
                model, compiled=self._compiled, max_rows=self._rows
            )
        return self._servers[model]

    def _ready(self, server: Server, path: str, key_id: str) -> EvaluationKeys:
        place = (server.family, key_id)
        if place not in self._keys:
            while len(self._keys) >= self._most_keys:
                self._keys.popitem(last=False)
            self._keys[place] = server.load_keys(Path(path).read_bytes(), key_id)
        self._keys.move_to_end(place)
        return self._keys[place]


def serve(channel: Channel, desk: Desk) -> None:
    """Answer until the server is gone."""
    channel.send({"status": "ready"})
    while True:
        task, request = channel.receive()
        channel.send({"status": "accepted"})
        answer = b""
        try:
            if task["task"] == "run":
                answer = desk.run(task["model"], task["key"], task["key_id"], request)
            elif task["task"] == "compile":
                desk.compile(task["model"])
            status: dict[str, Any] = {"status": "done", "keys": desk.holds()}
        except (DeploymentError, FileNotFoundError) as error:
            status = {"status": "refused", "kind": type(error).__name__, "why": str(error)}
        channel.send(status, answer)


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone, whatever it computes."""
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(1)


def limit(memory: int | None) -> None:
    """Limit the memory of this process, and have it leave none behind if it crashes."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return
    # What a crashed process would leave behind are keys and requests.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory is not None and sys.platform == "linux":
        # Of what is written to: address space alone costs nothing.
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def main() -> None:
    """Run a worker whose options are the only argument, a document."""
    options = json.loads(sys.argv[1])
    # The server tells its workers when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit(options["memory"])
    watch = threading.Thread(target=_end_with, args=(options["parent"],), daemon=True)
    watch.start()
    channel = Channel(socket.socket(fileno=options["channel"]), options["most_bytes"])
    desk = Desk(options["compiled"], options["rows"], options["resident_keys"])
    for model in options["models"]:
        desk.compile(model)
    with contextlib.suppress(ChannelClosedError):
        serve(channel, desk)


if __name__ == "__main__":
    main()
