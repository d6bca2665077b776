"""Circuits on replicas of Ray Serve, on as many machines as a cluster has.

What clients reach is the same server as without Ray, with its limits, tenants and keys.
Replicas take the place of its worker processes. They are part of the cluster, whose ports
run whatever they are sent: they are for the machines of the cluster only.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fhe_estimators.deployment._private import private_folder
from fhe_estimators.deployment._server import EvaluationKeys, Server
from fhe_estimators.deployment.errors import DeploymentError, ServerBusyError
from fhe_estimators.deployment.serving._limits import Limits
from fhe_estimators.deployment.serving._pool import LethalRequestError, NoWorkerError
from fhe_estimators.deployment.serving._work import limit
from fhe_estimators.deployment.serving._worker import RefusedError, WorkerTimeoutError

if TYPE_CHECKING:
    from starlette.applications import Starlette

logger = logging.getLogger(__name__)

#: The name of the application, and seconds of a probe and for which one holds.
_NAME, _PROBE, _PROBED = "fhe_estimators", 2.0, 1.0
#: How often a request is given to a replica at most.
_MOST_TRIES = 4


def ray_app(
    folder: str | Path,
    *,
    state: str | Path | None = None,
    tokens: Collection[str] = (),
    limits: Limits | None = None,
    metrics_port: int | None = None,
) -> Starlette:
    """Return a server of encrypted prediction that computes on a cluster of Ray.

    Each key is a model of `multiplexing <https://docs.ray.io/en/latest/serve/>`_: requests
    for it go to replicas that hold it ready. Without ``ray.init``, or the environment
    variable ``RAY_ADDRESS``, a cluster is started on this machine.

    Parameters
    ----------
    folder : str or Path
        Of deployments; as all others, see `create_app`.
    state : str or Path, optional
    tokens : collection of str, optional
    limits : Limits, optional
        Its `workers` is the number of replicas, each on one processor. `worker_bytes`
        and `worker_calls` are left to Ray.
    metrics_port : int, optional

    Returns
    -------
    app : Starlette

    Raises
    ------
    ImportError
        If Ray is not installed.
    DeploymentError
        As from `create_app`.
    """
    try:
        from ray import serve  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "ray_app needs Ray Serve: pip install 'fhe-estimators[ray]'"
        ) from error
    from fhe_estimators.deployment.serving._app import application
    from fhe_estimators.deployment.serving._service import Service

    limits = limits or Limits()
    service = Service(folder, state, tokens, limits, partial(RayPool, limits))
    return application(service, metrics_port)


class RayPool:
    """Replicas in place of worker processes; see `Pool`, whose methods it has.

    Parameters
    ----------
    limits : Limits
    compiled : Path
        The folder of compiled programs.
    roots : sequence of Path
        Folders of bundles and of keys.
    """

    def __init__(self, limits: Limits, compiled: Path, roots: tuple[Path, ...]) -> None:
        self._limits, self._compiled, self._roots = limits, compiled, roots
        self._handle: Any = None
        self._deployed: asyncio.Future[None] | None = None
        self._owns_cluster = False
        self._running, self._answered = 0, float("-inf")
        self.events: Counter[str] = Counter()

    @property
    def workers(self) -> int:
        """How many replicas run."""
        if self._handle is None:
            return 0
        from ray import serve

        (deployment,) = serve.status().applications[_NAME].deployments.values()
        return int(deployment.replica_states.get("RUNNING", 0))

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return max(0, self._running - self._limits.workers)

    def open(self) -> None:
        """Start replicas; it does not wait for them."""
        loop = asyncio.get_running_loop()
        self._deployed = loop.run_in_executor(None, self._deploy)

    def _deploy(self) -> None:
        import ray
        from ray import serve
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        if not ray.is_initialized():
            self._owns_cluster = "RAY_ADDRESS" not in os.environ
            # Nobody looks at a dashboard that was started by the way; it is a port more.
            ray.init(**({"include_dashboard": False} if self._owns_cluster else {}))
        serve.start(http_options={"location": "NoServer"})
        here = NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), False
        )
        # The files of the server are on its own machine.
        files = ray.remote(num_cpus=0, scheduling_strategy=here)(_Files).remote(
            self._compiled, self._roots
        )
        circuits = serve.deployment(
            name="circuits",
            num_replicas=self._limits.workers,
            max_ongoing_requests=1,
            ray_actor_options={"num_cpus": 1},
        )(_replica(self._limits))
        self._handle = serve.run(circuits.bind(files), name=_NAME, route_prefix=None)

    async def close(self) -> None:
        """End the replicas."""
        if self._deployed is not None:
            await asyncio.gather(self._deployed, return_exceptions=True)
            await asyncio.to_thread(self._end)

    def _end(self) -> None:
        import ray
        from ray import serve

        if self._handle is not None:
            self._handle = None
            serve.delete(_NAME)
        if self._owns_cluster:
            serve.shutdown()
            ray.shutdown()

    async def run(self, task: Mapping[str, Any], body: bytes, key: str | None) -> bytes:
        """Return the answer of a replica; see `Pool.run`."""
        if self._running >= self._limits.workers + self._limits.queue:
            raise ServerBusyError("too many requests wait", 1.0)
        self._running += 1
        try:
            return await self._tried(task, body)
        finally:
            self._running -= 1

    async def _tried(self, task: Mapping[str, Any], body: bytes) -> bytes:
        from ray.exceptions import RayActorError

        place, deaths = task["key"] or "", 0
        for _ in range(_MOST_TRIES):
            if self._handle is None:
                raise NoWorkerError("no replica runs yet")
            handle = self._handle.options(multiplexed_model_id=place)
            response = handle.run.remote(task["model"], task["key_id"], body)
            try:
                async with asyncio.timeout(2 * self._limits.request_seconds):
                    status, why, answer = await response
            except TimeoutError as error:
                self.events["timed out"] += 1
                response.cancel()
                raise WorkerTimeoutError("a replica took too long") from error
            except RayActorError as error:
                deaths += 1
                self.events["lost"] += 1
                logger.warning("a replica was lost")
                if deaths > 1:
                    raise LethalRequestError("two replicas ended") from error
                continue
            self._answered = time.monotonic()
            if status != "done":
                raise RefusedError(status, why)
            found: bytes = answer
            return found
        raise NoWorkerError("no replica took the request")

    async def probe(self) -> bool:
        """Return whether a replica answers."""
        if self._handle is None:
            return False
        if time.monotonic() - self._answered < _PROBED:
            return True
        try:
            async with asyncio.timeout(_PROBE):
                await self._handle.probe.remote()
        except Exception:  # whatever keeps it from answering
            # All may be busy: those that are lost do not answer for long.
            since = time.monotonic() - self._answered
            return since < self._limits.request_seconds / 2
        self._answered = time.monotonic()
        return True


class _Files:
    """What replicas read on the machine of the server."""

    def __init__(self, compiled: Path, roots: tuple[Path, ...]) -> None:
        self._compiled = compiled
        self._roots = tuple(root.resolve() for root in roots)

    def read(self, path: str) -> bytes | None:
        """Return the content of a bundle, or of keys; None if it is gone."""
        found = Path(path).resolve()
        if not any(found.is_relative_to(root) for root in self._roots):
            raise DeploymentError("a file that is not the server's")
        try:
            return found.read_bytes()
        except FileNotFoundError:
            return None

    def programs(self) -> dict[str, bytes]:
        """Return all compiled programs, and frames of keys."""
        return {
            str(path.relative_to(self._compiled)): path.read_bytes()
            for path in self._compiled.rglob("*")
            if path.is_file() and not path.name.startswith(".new_")
        }


def _replica(limits: Limits) -> type:
    """Return the class of replicas, whose limit is part of it."""
    from ray import serve

    class Circuits:
        """A replica: programs and keys that are ready."""

        def __init__(self, files: Any) -> None:
            limit(None)  # Ray itself ends what takes too much memory.
            self._files = files
            self._folder = Path(tempfile.mkdtemp(prefix="fhe_estimators_"))
            self._compiled = private_folder(self._folder / "compiled", "The programs")
            self._servers: dict[str, Server] = {}
            self._of_family: dict[str, Server] = {}

        async def probe(self) -> None:
            """Answer."""

        async def run(
            self, model: str, key_id: str, request: bytes
        ) -> tuple[str, str, bytes]:
            """Return the answer; or the class of an error, and what it says."""
            # A call that hangs ends the replica, and Serve starts another one.
            watch = threading.Timer(limits.request_seconds, os._exit, (1,))
            watch.daemon = True
            try:
                server = await self._server(model)
                self._of_family[server.family] = server
                place, keys = serve.get_multiplexed_model_id(), None
                if place:
                    keys = await self.keys(place)
                watch.start()
                answer = await asyncio.to_thread(server.run, request, keys)
            except (DeploymentError, FileNotFoundError) as error:
                return type(error).__name__, str(error), b""
            finally:
                watch.cancel()
            return "done", "", answer

        @serve.multiplexed(  # type: ignore[untyped-decorator]
            max_num_models_per_replica=limits.resident_keys
        )
        async def keys(self, place: str) -> EvaluationKeys:
            """Return evaluation keys, which Serve keeps by their place."""
            path = Path(place)
            content = await self._files.read.remote(place)
            if content is None:
                raise FileNotFoundError(path.name)
            server = self._of_family[path.parent.name]
            return await asyncio.to_thread(server.load_keys, content, path.name)

        async def _server(self, model: str) -> Server:
            if model not in self._servers:
                content = await self._files.read.remote(model)
                if content is None:
                    raise FileNotFoundError(model)
                for name, program in (await self._files.programs.remote()).items():
                    path = self._compiled / name
                    path.parent.mkdir(mode=0o700, exist_ok=True)
                    if not path.exists():  # else it is machine code that is in use
                        path.write_bytes(program)
                bundle = self._folder / f"{len(self._servers)}.zip"
                bundle.write_bytes(content)
                self._servers[model] = Server(
                    bundle, compiled=self._compiled, max_rows=limits.rows
                )
            return self._servers[model]

    return Circuits
