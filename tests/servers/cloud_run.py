"""A stand-in for Cloud Run's API on a loopback port, spoken to by the real gcloud: one service and its traffic.

Source: https://docs.cloud.google.com/run/docs/reference/rest/v1/namespaces.services
"""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

SERVICES = "/apis/serving.knative.dev/v1/namespaces/{project}/services"


class CloudRunServer:
    """`serving(server.app)` starts it; `environment(base_url)` leads gcloud there.

    `revisions`: names, the newest last; `traffic`: what was asked for; `changes`: all that was asked for and done.
    `urls`: where a tag leads. `is_forbidden`: nobody may list services.
    """

    def __init__(self, name: str, *revisions: str) -> None:
        self.name = name
        self.revisions = list(revisions)
        self.traffic: list[dict[str, Any]] = [{"latestRevision": True, "percent": 100}]
        self.urls: dict[str, str] = {}
        self.changes: list[list[dict[str, Any]]] = []
        self.is_forbidden = False
        self._asked = 0
        self._refused = range(0)
        self.app = _as_proxy(
            Starlette(
                routes=[
                    Route(SERVICES, self._list, methods=["GET"]),
                    Route(SERVICES + "/{name}", self._get, methods=["GET"]),
                    Route(SERVICES + "/{name}", self._replace, methods=["PUT"]),
                ]
            )
        )

    @property
    def shares(self) -> dict[str, int]:
        """Each revision's share of the traffic, in per cent."""
        return {self._revision(target): target["percent"] for target in self.traffic if target.get("percent")}

    def deploy(self, revision: str) -> None:
        """A new revision, which gets the traffic that "latest" has; what is held at a name stays there."""
        self.revisions.append(revision)

    def refuse_after(self, changes: int, times: int = 1) -> None:
        """From now on, take so many changes, and refuse so many."""
        first = self._asked + changes + 1
        self._refused = range(first, first + times)

    async def _list(self, request: Request) -> Response:
        if self.is_forbidden:
            return _error(403, "Permission 'run.services.list' denied")
        items = [self._service(request)] if self.revisions else []
        return JSONResponse({"apiVersion": "serving.knative.dev/v1", "kind": "ServiceList", "items": items})

    async def _get(self, request: Request) -> Response:
        if not self.revisions or request.path_params["name"] != self.name:
            return _error(404, f"Resource '{request.path_params['name']}' was not found")
        return JSONResponse(self._service(request))

    async def _replace(self, request: Request) -> Response:
        self._asked += 1
        if self._asked in self._refused:
            return _error(409, "scripted failure")
        traffic = (await request.json())["spec"]["traffic"]
        unknown = {self._revision(target) for target in traffic} - set(self.revisions)
        if unknown or sum(target.get("percent", 0) for target in traffic) != 100:
            return _error(400, f"no such traffic: {traffic}")
        self.traffic = traffic
        self.changes.append(traffic)
        return JSONResponse(self._service(request))

    def _revision(self, target: dict[str, Any]) -> str:
        return self.revisions[-1] if target.get("latestRevision") else str(target["revisionName"])

    def _service(self, request: Request) -> dict[str, Any]:
        ready = [{"type": kind, "status": "True"} for kind in ("Ready", "ConfigurationsReady", "RoutesReady")]
        generation = len(self.changes) + 1
        return {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {
                "name": self.name,
                "namespace": request.path_params["project"],
                "generation": generation,
                "labels": {"cloud.googleapis.com/location": "asia-northeast1"},
            },
            "spec": {"template": {"spec": {"containers": [{"image": "kaiwa"}]}}, "traffic": self.traffic},
            "status": {
                "observedGeneration": generation,
                "conditions": ready,
                "latestReadyRevisionName": self.revisions[-1],
                "latestCreatedRevisionName": self.revisions[-1],
                "traffic": [self._status(target) for target in self.traffic],
            },
        }

    def _status(self, target: dict[str, Any]) -> dict[str, Any]:
        tagged = {"url": self.urls[target["tag"]]} if target.get("tag") else {}
        return {**target, "revisionName": self._revision(target), **tagged}


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"code": status, "message": message, "status": "FAILED"}}, status)


def environment(base_url: str) -> dict[str, str]:
    """What leads gcloud to the server at `base_url`. It puts the region in front of the host: only a proxy is found."""
    host, _, port = base_url.removeprefix("http://").partition(":")
    proxy = {"CLOUDSDK_PROXY_TYPE": "http", "CLOUDSDK_PROXY_ADDRESS": host, "CLOUDSDK_PROXY_PORT": port}
    return {**proxy, "CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN": "http://run.test/"}


def _as_proxy(app: ASGIApp) -> ASGIApp:
    """A proxy is asked for whole addresses: here every host is the same one."""

    async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path.startswith("http://"):
            scope = {**scope, "path": "/" + path.removeprefix("http://").partition("/")[2]}
        await app(scope, receive, send)

    return proxy
