"""The routes of a server."""

from __future__ import annotations

import base64
import binascii
import contextlib
import errno
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from math import ceil
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from fhe_estimators.deployment.errors import (
    ConformanceError,
    DeploymentError,
    FormatError,
    KeyMismatchError,
    ServerBusyError,
)
from fhe_estimators.deployment.serving import _inference
from fhe_estimators.deployment.serving._access import Access
from fhe_estimators.deployment.serving._body import announced, pieces, whole
from fhe_estimators.deployment.serving._limits import Limits
from fhe_estimators.deployment.serving._models import Version
from fhe_estimators.deployment.serving._page import headers, page
from fhe_estimators.deployment.serving._pool import LethalRequestError, NoWorkerError
from fhe_estimators.deployment.serving._service import (
    KeysMissingError,
    ModelMissingError,
    Service,
    VersionGoneError,
)
from fhe_estimators.deployment.serving._worker import WorkerTimeoutError

_BINARY = "application/octet-stream"
_KEY_ID = re.compile(r"[0-9a-f]{64}")
#: Seconds after which to ask again when there is no worker.
_RETRY = 2.0
_STATUS: Mapping[type[Exception], int] = {
    FormatError: 400,
    ConformanceError: 400,
    KeysMissingError: 404,
    ModelMissingError: 404,
    KeyMismatchError: 409,
    VersionGoneError: 410,
    LethalRequestError: 422,
    ServerBusyError: 429,
    DeploymentError: 500,
    NoWorkerError: 503,
    OSError: 503,
    WorkerTimeoutError: 504,
}
Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(
    folder: str | Path,
    *,
    state: str | Path | None = None,
    tokens: Collection[str] = (),
    limits: Limits | None = None,
    metrics_port: int | None = None,
) -> Starlette:
    """Return a server of encrypted prediction, for any ASGI server that runs it once.

    Models are compiled before it returns; worker processes start with the application.

    Parameters
    ----------
    folder : str or Path
        Of ``client.zip`` and ``server.zip``, as `save_deployment` writes them, or of
        folders that have them.
    state : str or Path, optional
        A folder for keys, compiled programs and versions, made with access for this user
        only; ``.state`` in the folder of deployments by default. Only one server at a time
        uses it.
    tokens : collection of str, optional
        One for each tenant, sent as bearer token; tenants do not see each other's keys.
        Without any, everybody who reaches the server may use it.
    limits : Limits, optional
    metrics_port : int, optional
        Of 127.0.0.1, for numbers in the form of Prometheus.

    Returns
    -------
    app : Starlette

    Raises
    ------
    DeploymentError
        If another server uses the folder, or a bundle cannot be served here.
    """
    return application(Service(folder, state, tokens, limits or Limits()), metrics_port)


def application(service: Service, metrics_port: int | None) -> Starlette:
    """Return the routes of a service, which begins and ends with them."""
    api = _Api(service)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        service.pool.open()
        if metrics_port is not None:
            service.metrics.serve(metrics_port)
        try:
            yield
        finally:
            await service.pool.close()
            service.close()

    model = "/v2/models/{model}"
    routes = []
    for path, method, endpoint, is_open in (
        ("/", "GET", api.start, False),
        ("/v2/health/live", "GET", api.live, True),
        ("/v2/health/ready", "GET", api.ready, True),
        *(
            (f"{prefix}{suffix}", method, endpoint, False)
            for prefix in (model, f"{model}/versions/{{version}}")
            for suffix, method, endpoint in (
                ("", "GET", api.model),
                ("/client", "GET", api.client),
                ("/infer", "POST", api.infer),
            )
        ),
        ("/v2/keys/{key_id}", "GET", api.has_keys, False),
        ("/v2/keys/{key_id}", "PUT", api.put_keys, False),
        ("/v2/keys/{key_id}", "DELETE", api.delete_keys, False),
    ):
        routes.append(Route(path, api.told(path, endpoint, is_open), methods=[method]))
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(Access, metrics=service.metrics)],
        exception_handlers={HTTPException: _refused},
    )
    app.router.redirect_slashes = False
    app.state.service = service
    return app


class _Api:
    """The answers to all routes."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def told(self, path: str, endpoint: Endpoint, is_open: bool) -> Endpoint:
        """Return an endpoint for tenants, whose errors are answers."""

        async def answered(request: Request) -> Response:
            request.state.route = path
            if not is_open:
                token = _token(request)
                tenant = self._service.tenants.holding(token)
                if tenant is None:
                    challenge = _BASIC if path == "/" else "Bearer"
                    given = {"WWW-Authenticate": challenge}
                    raise HTTPException(401, "A token is needed.", given)
                request.state.tenant = tenant
            try:
                return await endpoint(request)
            except tuple(_STATUS) as error:
                return _failed(error)

        return answered

    async def start(self, request: Request) -> Response:
        models = self._service.models
        shown = {name: models.versions_of(name) for name in models.names}
        url = str(request.base_url).rstrip("/")
        return HTMLResponse(page(shown, url), headers=headers())

    async def live(self, request: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(self, request: Request) -> Response:
        is_ready = await self._service.pool.probe()
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)

    async def model(self, request: Request) -> Response:
        version = self._version(request)
        name = request.path_params["model"]
        versions = [v.digest for v in self._service.models.versions_of(name)]
        return JSONResponse(_inference.metadata(name, version.manifest, versions))

    async def client(self, request: Request) -> Response:
        version = self._version(request)
        tag = f'"{version.digest}"'
        given = {"ETag": tag, "Cache-Control": "private, no-cache"}
        known = request.headers.get("if-none-match", "")
        if tag in {entry.strip().removeprefix("W/") for entry in known.split(",")}:
            return Response(status_code=304, headers=given)
        return FileResponse(version.client, media_type="application/zip", headers=given)

    async def infer(self, request: Request) -> Response:
        service, tenant = self._service, request.state.tenant
        name, digest = request.path_params["model"], request.path_params.get("version")
        most = service.most_bytes(name, digest)
        length = request.headers.get(_inference.LENGTH)
        if length is not None:
            most += _inference.MOST_BYTES
        with service.tenants.busy(tenant, "request"):
            body = await whole(request, most, service.limits)
            if length is None:
                answer = await service.infer(tenant, name, digest, body)
                return Response(answer, media_type=_BINARY)
            content, number = _inference.read(body, length)
            answer = await service.infer(tenant, name, digest, content)
        written, size = _inference.write(
            answer, name, digest or service.version(name).digest, number
        )
        given = {_inference.LENGTH: str(size)}
        return Response(written, media_type=_BINARY, headers=given)

    async def has_keys(self, request: Request) -> Response:
        """Answer HEAD, too: GET tells no more."""
        size = self._service.keys.size_of(request.state.tenant, _key_id(request))
        if not size:
            raise KeysMissingError("There are no keys of that name.")
        return Response(headers={"X-Key-Bytes": str(size)})

    async def put_keys(self, request: Request) -> Response:
        service, tenant, key_id = self._service, request.state.tenant, _key_id(request)
        size = announced(request, service.limits.key_bytes)
        families = service.models.families_with(size)
        if not size or not families:
            raise KeyMismatchError(f"No model here takes evaluation keys of {size} bytes.")
        if service.keys.families_of(tenant, key_id):
            # Names are digests: these are the same bytes.
            return Response(status_code=204, headers={"Connection": "close"})
        with (
            service.tenants.busy(tenant, "upload"),
            service.keys.upload(tenant, key_id, size, families) as upload,
        ):
            async for piece in pieces(request, size, service.limits):
                await run_in_threadpool(upload.write, piece)
            family = await run_in_threadpool(upload.finish)
        return JSONResponse({"key_id": key_id, "family": family}, 201)

    async def delete_keys(self, request: Request) -> Response:
        if not self._service.keys.remove(request.state.tenant, _key_id(request)):
            raise KeysMissingError("There are no keys of that name.")
        return Response(status_code=204)

    def _version(self, request: Request) -> Version:
        found = request.path_params
        return self._service.version(found["model"], found.get("version"))


#: Browsers ask for a password only if this is the first challenge of a header.
_BASIC = 'Basic realm="token as password"'


def _token(request: Request) -> str | None:
    """Return the token of a request; browsers send it as a password, for the page only."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic" and request.url.path == "/":
        with contextlib.suppress(binascii.Error, UnicodeDecodeError):
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
    return None


def _key_id(request: Request) -> str:
    key_id: str = request.path_params["key_id"]
    if not _KEY_ID.fullmatch(key_id):
        raise FormatError("The name of keys is 64 hexadecimal digits.")
    return key_id


def _failed(error: Exception) -> Response:
    status = next(_STATUS[cls] for cls in type(error).__mro__ if cls in _STATUS)
    given, text = {}, str(error)
    if isinstance(error, OSError):
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise error
        text = "There is no space for keys."
    if status in (429, 503):
        seconds = getattr(error, "retry_after", None) or _RETRY
        given["Retry-After"] = str(ceil(seconds))
    content = {"error": text, "kind": type(error).__name__}
    return JSONResponse(content, status, headers=given)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    content = {"error": error.detail, "kind": "HTTPException"}
    # What may be left of a body is not read.
    given = {"Connection": "close", **(error.headers or {})}
    return JSONResponse(content, error.status_code, headers=given)
