"""A stand-in for Cloud Storage's JSON API on a loopback port, spoken to by Google's own client.

Source: https://docs.cloud.google.com/storage/docs/json_api/v1/objects
"""

import base64
import hashlib
import json
from collections import deque
from dataclasses import dataclass
from email import message_from_bytes, policy
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PAGE = 2


@dataclass(frozen=True, slots=True)
class Stored:
    """An object: its bytes and the metadata that it was sent with."""

    data: bytes
    metadata: dict[str, Any]


class CloudStorageServer:
    """`objects` of its one bucket by name, `keeping` the bucket's own settings. `serving(server.app)` starts it."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self.objects: dict[str, Stored] = {}
        self.keeping: dict[str, Any] = {
            "lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"age": 7}}]},
            "softDeletePolicy": {"retentionDurationSeconds": "0"},
        }
        self._failures: deque[tuple[str, int]] = deque()
        self.app = Starlette(
            routes=[
                Route("/upload/storage/v1/b/{bucket}/o", self._insert, methods=["POST"]),
                Route("/storage/v1/b/{bucket}", self._show, methods=["GET"]),
                Route("/storage/v1/b/{bucket}/o", self._list, methods=["GET"]),
                Route("/storage/v1/b/{bucket}/o/{name:path}", self._delete, methods=["DELETE"]),
            ]
        )

    def fail_next(self, method: str, status: int, times: int = 1) -> None:
        """Answer the next calls with this HTTP method, POST, GET or DELETE, with this status."""
        self._failures.extend([(method, status)] * times)

    def heal(self) -> None:
        """Forget the failures that have not happened yet."""
        self._failures.clear()

    async def _show(self, request: Request) -> Response:
        return self._refused(request) or JSONResponse({"kind": "storage#bucket", "name": self.bucket, **self.keeping})

    async def _insert(self, request: Request) -> Response:
        body = await request.body()
        if refused := self._refused(request):
            return refused
        if request.query_params.get("uploadType") != "multipart":
            return _error(400, "only multipart uploads are played here")
        head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
        described, content = message_from_bytes(head + body, policy=policy.HTTP).iter_parts()
        metadata, data = json.loads(described.get_content()), content.get_content()
        if content.get_content_type() != metadata.get("contentType", content.get_content_type()):
            return _error(400, "the parts do not agree")
        metadata["contentType"] = content.get_content_type()
        self.objects[metadata["name"]] = Stored(data, metadata)
        digest = base64.b64encode(hashlib.md5(data).digest()).decode()  # noqa: S324  # Cloud Storage tells this one
        return JSONResponse({**metadata, "bucket": self.bucket, "size": str(len(data)), "md5Hash": digest})

    async def _list(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        prefix, after = request.query_params.get("prefix", ""), request.query_params.get("pageToken", "")
        names = sorted(name for name in self.objects if name.startswith(prefix) and name > after)
        page = {"items": [{"name": name, "bucket": self.bucket} for name in names[:PAGE]]}
        return JSONResponse({**page, "nextPageToken": names[PAGE - 1]} if len(names) > PAGE else page)

    async def _delete(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        gone = self.objects.pop(request.path_params["name"], None)
        return Response(status_code=204) if gone else _error(404, "no such object")

    def _refused(self, request: Request) -> Response | None:
        if self._failures and self._failures[0][0] == request.method:
            return _error(self._failures.popleft()[1], "scripted failure")
        if request.path_params["bucket"] != self.bucket:
            return _error(404, "The specified bucket does not exist.")
        return None


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"code": status, "message": message, "errors": []}}, status)
