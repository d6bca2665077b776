"""Servers in processes of their own, on loopback."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

ANN, BOB = "ann" * 8, "bob" * 8


def free_port():
    """Return the number of a port that nobody uses now."""
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        return end.getsockname()[1]


class Served:
    """A server that runs.

    Parameters
    ----------
    process : Popen
    url : str
    log : Path
    """

    def __init__(self, process, url, log):
        self.process, self.url, self.log = process, url, log

    @classmethod
    @contextlib.contextmanager
    def started(cls, folder, *options, tokens=(ANN, BOB), log=None, seconds=30):
        """Return a context with a server, ready in some time; it ends with it."""
        command = [sys.executable, "-m", "fhe_estimators", "serve", str(folder)]
        log = log or folder / "log"
        environment = {**os.environ, "FHE_ESTIMATORS_TOKENS": " ".join(tokens)}
        with (
            log.open("a") as file,
            subprocess.Popen(
                [*command, "--port", "0", *options],
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                env=environment,
            ) as process,
        ):
            try:
                line = process.stdout.readline()
                assert line, log.read_text()
                found = cls(process, line.split()[-1], log)
                found.wait_until_ready(seconds)
                yield found
            finally:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()

    @property
    def port(self):
        return int(self.url.rpartition(":")[2])

    def http(self, token=ANN, **options):
        """Return a client of httpx."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, **options)

    def is_ready(self):
        # Certificates of tests are signed by nobody.
        url = f"{self.url}/v2/health/ready"
        return httpx.get(url, trust_env=False, verify=False).status_code == 200

    def wait_until_ready(self, seconds=30):
        until = time.monotonic() + seconds
        while not self.is_ready():
            assert time.monotonic() < until
            time.sleep(0.1)

    def workers(self):
        """Return the numbers of its child processes."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return [
            int(pid) for task in tasks for pid in (task / "children").read_text().split()
        ]

    def signal_workers(self, number=signal.SIGKILL):
        pids = self.workers()
        for pid in pids:
            os.kill(pid, number)
        return pids

    def raw(self, data, seconds=10.0):
        """Send bytes on a connection, and return all that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as end:
            end.sendall(data)
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while chunk := end.recv(65536):
                    received += chunk
            return received


def send_keys(http, client):
    """Send evaluation keys, and return the response."""
    return http.put(f"/v2/keys/{client.key_id}", content=client.evaluation_keys)


def infer(http, name, request, version=""):
    """Send a request, and return the response."""
    path = f"/v2/models/{name}{version}/infer"
    return http.post(path, content=request, timeout=30)
