"""A stand-in for Google's management APIs on a loopback port, spoken to by the real gcloud: a project that remembers.

What no deployment should send (an unknown address, a malformed body, a name that Google refuses) is answered with an
error and kept in `failures`.
"""

import asyncio
import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

APIS = (
    *("ARTIFACTREGISTRY", "CLOUDBUILD", "CLOUDFUNCTIONS", "CLOUDRESOURCEMANAGER"),
    *("CLOUDTASKS", "FIRESTORE", "IAM", "LOGGING", "MONITORING", "RUN", "SECRETMANAGER", "SERVICEUSAGE", "STORAGE"),
)
LOOKS = (":getIamPolicy", ":generateUploadUrl", ":access")
"""What is asked by POST, and what changes nothing."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `path` begins with the API's name."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any

    @property
    def changes(self) -> bool:
        return self.method != "GET" and not self.path.endswith(LOOKS)


class Refused(Exception):
    """An answer with an error's status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


Handler = Callable[..., Any]
_ROUTES: list[tuple[str, re.Pattern[str], Handler]] = []


def route(method: str, pattern: str) -> Callable[[Handler], Handler]:
    """A method of GoogleApis that answers what fits: it is given the call and the pattern's groups."""

    def add(handler: Handler) -> Handler:
        _ROUTES.append((method, re.compile(pattern), handler))
        return handler

    return add


@dataclass(slots=True)
class GoogleApis:
    """An ASGI application. `resources`: what there is, by its full name; `policies`: members by resource and role.

    `halt_at`: the so many-th change from then on is neither done nor answered; `halted` is set when it comes.
    """

    project: str = "my-project"
    number: str = "123456789012"
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    policies: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    payloads: dict[str, dict[str, str]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    halt_at: int = 0
    halted: asyncio.Event = field(default_factory=asyncio.Event)
    made: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        # gcloud asks a proxy, for whole addresses: http://cloudtasks.test/v2/...
        path = re.sub(r"^http://([a-z-]*?)([a-z]+)\.test", r"\2", scope["path"])
        call = Call(request.method, path, dict(request.query_params), _parsed(await request.body(), path))
        self.calls.append(call)
        if call.changes and self._is_halted():
            self.halted.set()
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        await self._answer(call)(scope, receive, send)

    @property
    def changes(self) -> list[Call]:
        return [call for call in self.calls if call.changes]

    def named(self, kind: str) -> list[str]:
        """The last parts of the names of all resources of a kind."""
        return sorted(name.rpartition("/")[2] for name in self.resources if f"/{kind}/" in name)

    def _is_halted(self) -> bool:
        if not self.halt_at:
            return False
        self.halt_at -= 1
        return self.halt_at == 0

    def _answer(self, call: Call) -> Response:
        for method, pattern, handler in _ROUTES:
            found = pattern.fullmatch(call.path)
            if method == call.method and found:
                return self._handled(call, handler, found)
        self.failures.append(f"{call.method} {call.path}")
        return _error(501, f"nobody answers {call.method} {call.path}")

    def _handled(self, call: Call, handler: Handler, found: re.Match[str]) -> Response:
        try:
            return JSONResponse(handler(self, call, *found.groups()))
        except Refused as refused:
            return _error(refused.status, str(refused))
        except (KeyError, TypeError, ValueError) as malformed:
            self.failures.append(f"{call.method} {call.path}: {malformed!r} in {call.body}")
            return _error(400, f"malformed: {malformed!r}")

    def _need(self, good: object, call: Call, message: str) -> None:
        if not good:
            self.failures.append(f"{call.method} {call.path}: {message}")
            raise Refused(400, message)

    def _found(self, name: str) -> dict[str, Any]:
        if name not in self.resources:
            raise Refused(404, f"Resource '{name}' was not found")
        return self.resources[name]

    def _create(self, name: str, resource: dict[str, Any]) -> dict[str, Any]:
        if name in self.resources:
            raise Refused(409, f"Resource '{name}' already exists")
        self.resources[name] = {**resource, "name": name}
        return self.resources[name]

    def _list(self, prefix: str) -> list[dict[str, Any]]:
        return [one for name, one in sorted(self.resources.items()) if re.fullmatch(prefix + "/[^/]+", name)]

    def _next(self) -> str:
        self.made += 1
        return str(self.made)

    # Projects, services and who may do what

    @route("GET", r"cloudresourcemanager/v1/projects/([^/:]+)")
    def _project(self, call: Call, project: str) -> Any:
        if project not in (self.project, self.number):
            raise Refused(403, "The caller does not have permission")
        return {"projectId": self.project, "projectNumber": self.number, "lifecycleState": "ACTIVE", "name": "bot"}

    @route("GET", r"serviceusage/v1/projects/[^/]+/services")
    def _services(self, call: Call) -> Any:
        return {"services": self._list(f"projects/{self.number}/services")}

    @route("GET", r"serviceusage/v1/projects/[^/]+/services/([^/]+)")
    def _service(self, call: Call, service: str) -> Any:
        name = f"projects/{self.number}/services/{service}"
        return self.resources.get(name, {"name": name, "state": "DISABLED"})

    @route("POST", r"serviceusage/v1/projects/[^/]+/services:batchEnable")
    def _enable(self, call: Call) -> Any:
        for service in call.body["serviceIds"]:
            self._need(re.fullmatch(r"[a-z]+\.googleapis\.com", service), call, "no such service")
            name = f"projects/{self.number}/services/{service}"
            self.resources[name] = {"name": name, "state": "ENABLED", "config": {"name": service}}
        return {"name": "operations/noop.DONE_OPERATION", "done": True, "response": {}}

    @route("POST", r"(cloudresourcemanager|cloudtasks|cloudfunctions|run)/v\w+/(.+):getIamPolicy")
    @route("GET", r"(cloudtasks|secretmanager|run|cloudfunctions)/v\w+/(.+):getIamPolicy")
    def _policy(self, call: Call, api: str, name: str) -> Any:
        bindings = [
            {"role": role, "members": sorted(members)}
            for role, members in sorted(self.policies.get(name, {}).items())
            if members
        ]
        return {"version": 1, "etag": "eA==", "bindings": bindings}

    @route("POST", r"(cloudresourcemanager|cloudtasks|secretmanager|cloudfunctions|run)/v\w+/(.+):setIamPolicy")
    def _set_policy(self, call: Call, api: str, name: str) -> Any:
        policy = call.body["policy"]
        self._need(policy.get("etag") == "eA==", call, "without the etag, somebody else's binding may be lost")
        bindings = {binding["role"]: set(binding["members"]) for binding in policy.get("bindings", [])}
        for member in set().union(*bindings.values()) - {"allUsers"}:
            email = member.removeprefix("serviceAccount:")
            self._need(f"projects/{self.project}/serviceAccounts/{email}" in self.resources, call, f"no {member}")
        self.policies[name] = bindings
        return policy

    @route("GET", r"iam/v1/projects/([^/]+)/serviceAccounts")
    def _accounts(self, call: Call, project: str) -> Any:
        return {"accounts": self._list(f"projects/{project}/serviceAccounts")}

    @route("POST", r"iam/v1/projects/([^/]+)/serviceAccounts")
    def _create_account(self, call: Call, project: str) -> Any:
        account = call.body["accountId"]
        self._need(re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", account), call, "6 to 30 characters")
        email = f"{account}@{project}.iam.gserviceaccount.com"
        resource = {**call.body.get("serviceAccount", {}), "email": email}
        return self._create(f"projects/{project}/serviceAccounts/{email}", resource)

    @route("DELETE", r"iam/v1/(projects/[^/]+/serviceAccounts/[^/]+)")
    @route("DELETE", r"monitoring/v\d/(.+)")
    @route("DELETE", r"cloudtasks/v\d/(projects/[^/]+/locations/[^/]+/queues/[^/]+)")
    @route("DELETE", r"logging/v2/(projects/[^/]+/metrics/[^/]+)")
    @route("DELETE", r"secretmanager/v1/(projects/[^/]+/secrets/[^/]+)")
    def _delete(self, call: Call, name: str) -> Any:
        name = name.replace("projects/-/", f"projects/{self.project}/")  # of an account, whose address tells it
        self._found(name)
        for one in [one for one in self.resources if one == name or one.startswith(name + "/")]:
            del self.resources[one]
        self.policies.pop(name, None)
        return {}

    # Logging and monitoring

    @route("GET", r"logging/v2/(projects/[^/]+/metrics)")
    def _metrics(self, call: Call, parent: str) -> Any:
        return {"metrics": [{**one, "name": one["name"].rpartition("/")[2]} for one in self._list(parent)]}

    @route("GET", r"logging/v2/(projects/[^/]+/metrics/[^/]+)")
    @route("GET", r"(?:cloudtasks|secretmanager|monitoring)/v\d/(.+/[^/:]+/[^/:]+)")
    def _get(self, call: Call, name: str) -> Any:
        if name.rpartition("/")[2] in ("queues", "secrets", "versions", "alertPolicies", "dashboards"):
            return {name.rpartition("/")[2]: self._list(name)}
        if name.endswith("/notificationChannels"):
            return {"notificationChannels": self._list(name)}
        return self._found(name)

    @route("POST", r"logging/v2/(projects/[^/]+/metrics)")
    def _create_metric(self, call: Call, parent: str) -> Any:
        self._need(call.body["filter"] and "@" not in json.dumps(call.body), call, "a placeholder was left")
        return self._create(f"{parent}/{call.body['name']}", call.body)

    @route("PUT", r"logging/v2/(projects/[^/]+/metrics/[^/]+)")
    def _update_metric(self, call: Call, name: str) -> Any:
        self._found(name)
        self.resources[name] = {**call.body, "name": name}
        return call.body

    @route("POST", r"monitoring/v\d/(projects/[^/]+/(?:alertPolicies|dashboards|notificationChannels))")
    def _create_numbered(self, call: Call, parent: str) -> Any:
        self._need(call.body["displayName"], call, "it needs a displayName")
        self._need(not re.search(r"@[A-Z]+@", json.dumps(call.body)), call, "a placeholder was left")
        channels = call.body.get("notificationChannels", [])
        self._need(all(channel in self.resources for channel in channels), call, "no such channel")
        parent = parent.replace(self.number, self.project)
        return self._create(f"{parent}/{self._next()}", {**call.body, "etag": "eA=="})

    @route("PATCH", r"(?:monitoring|cloudtasks)/v\d/(.+/[^/]+/[^/]+)")
    def _update(self, call: Call, name: str) -> Any:
        name = name.replace(f"projects/{self.number}/", f"projects/{self.project}/")
        self.resources[name] = _merged(self._found(name), call.body) | {"name": name}
        return self.resources[name]

    # Firestore

    @route("GET", r"firestore/v1/(projects/[^/]+/databases)")
    def _databases(self, call: Call, parent: str) -> Any:
        return {"databases": self._list(parent)}

    @route("POST", r"firestore/v1/(projects/[^/]+/databases)")
    def _create_database(self, call: Call, parent: str) -> Any:
        self._need(call.body["type"] == "FIRESTORE_NATIVE", call, "the bot needs native mode")
        database = self._create(f"{parent}/{call.query['databaseId']}", call.body)
        return _done(f"{database['name']}/operations/1", database)

    @route("DELETE", r"firestore/v1/(projects/[^/]+/databases/[^/]+)")
    def _delete_database(self, call: Call, name: str) -> Any:
        return _done(f"{name}/operations/1", self._delete(call, name))

    @route("GET", r"firestore/v1/(projects/[^/]+/databases/[^/]+)/collectionGroups/[^/]+/fields")
    def _fields(self, call: Call, database: str) -> Any:
        self._found(database)
        wanted = "ttlConfig" if call.query["filter"] == "ttlConfig:*" else "indexConfig"
        fields = [one for name, one in self.resources.items() if name.startswith(f"{database}/collectionGroups/")]
        return {"fields": [one for one in fields if wanted in one]}

    @route("PATCH", r"firestore/v1/((projects/[^/]+/databases/[^/]+)/collectionGroups/[^/]+/fields/[^/]+)")
    def _update_field(self, call: Call, name: str, database: str) -> Any:
        self._found(database)
        mask = call.query["updateMask"]
        self._need(mask in ("ttlConfig", "indexConfig"), call, "it would change more than one thing")
        self.resources[name] = {**self.resources.get(name, {}), mask: call.body[mask], "name": name}
        return {"name": f"{database}/operations/2", "metadata": {"field": name}}

    # Cloud Tasks and secrets

    @route("GET", r"cloudtasks/v2/(projects/[^/]+/locations)")
    def _locations(self, call: Call, parent: str) -> Any:
        return {"locations": [{"name": f"{parent}/asia-northeast1", "locationId": "asia-northeast1"}]}

    @route("POST", r"cloudtasks/v2/(projects/[^/]+/locations/[^/]+/queues)")
    def _create_queue(self, call: Call, parent: str) -> Any:
        name = call.body["name"]
        self._need(name.startswith(parent + "/"), call, "a queue of another place")
        return self._create(name, {**call.body, "state": "RUNNING"})

    @route("POST", r"secretmanager/v1/(projects/[^/]+/secrets)")
    def _create_secret(self, call: Call, parent: str) -> Any:
        self._need("automatic" in call.body["replication"], call, "no replication")
        return self._create(f"{parent}/{call.query['secretId']}", call.body)

    @route("POST", r"secretmanager/v1/(projects/[^/]+/secrets/[^/:]+):addVersion")
    def _add_version(self, call: Call, secret: str) -> Any:
        self._found(secret)
        version = self._create(f"{secret}/versions/{len(self._list(secret + '/versions')) + 1}", {"state": "ENABLED"})
        self.payloads[version["name"]] = call.body["payload"]
        # Without this the client takes it for damaged on the way.
        return {**version, "clientSpecifiedPayloadChecksum": "dataCrc32c" in call.body["payload"]}

    @route("GET", r"secretmanager/v1/(projects/[^/]+/secrets/[^/]+)/versions/latest:access")
    def _access(self, call: Call, secret: str) -> Any:
        versions = self._list(secret + "/versions")
        if not versions:
            raise Refused(404, f"Secret [{secret}] not found or has no versions")
        return {"name": versions[-1]["name"], "payload": self.payloads[versions[-1]["name"]]}

    # The function

    @route("GET", r"cloudfunctions/v2/(projects/[^/]+/locations/[^/]+/functions)")
    def _functions(self, call: Call, parent: str) -> Any:
        return {"functions": self._list(parent)}

    @route("GET", r"cloudfunctions/v2/(projects/[^/]+/locations/[^/]+/functions/[^/:]+)")
    def _function(self, call: Call, name: str) -> Any:
        return self._found(name)

    @route("GET", r"cloudfunctions/v2/projects/[^/]+/locations/[^/]+/runtimes")
    def _runtimes(self, call: Call) -> Any:
        return {"runtimes": [{"name": "python313", "environment": "GEN_2", "stage": "GA", "displayName": "Python"}]}

    @route("POST", r"cloudfunctions/v2/projects/[^/]+/locations/[^/]+/functions:generateUploadUrl")
    def _upload_url(self, call: Call) -> Any:
        source = {"bucket": "gcf-v2-uploads", "object": "source.zip", "generation": "1"}
        return {"uploadUrl": "http://storage.test/upload", "storageSource": source}

    @route("PUT", r"storage/upload")
    def _upload(self, call: Call) -> Any:
        self._need(call.body == "a zip file", call, "not a zip file")
        return {}

    @route("POST", r"cloudfunctions/v2/(projects/[^/]+/locations/[^/]+/functions)")
    def _create_function(self, call: Call, parent: str) -> Any:
        return self._deployed(f"{parent}/{call.query['functionId']}", call)

    @route("PATCH", r"cloudfunctions/v2/(projects/[^/]+/locations/[^/]+/functions/[^/]+)")
    def _update_function(self, call: Call, name: str) -> Any:
        self._found(name)
        return self._deployed(name, call)

    def _deployed(self, name: str, call: Call) -> Any:
        service = call.body["serviceConfig"]
        for account in (service["serviceAccountEmail"], call.body["buildConfig"]["serviceAccount"]):
            known = f"projects/{self.project}/serviceAccounts/{account.rpartition('/')[2]}"
            self._need(known in self.resources, call, f"no service account {account}")
        run = name.replace("/functions/", "/services/")
        function = {
            **_merged(self.resources.get(name, {}), call.body),
            "name": name,
            "state": "ACTIVE",
            "environment": "GEN_2",
            "url": "https://kaiwa-abc-an.a.run.app",
        }
        function["serviceConfig"] |= {"service": run, "uri": function["url"]}
        self.resources[name] = function
        kind = {"@type": "type.googleapis.com/google.cloud.functions.v2.Function"}
        return _done(f"{name.partition('/functions/')[0]}/operations/3", {**function, **kind})

    @route("DELETE", r"cloudfunctions/v2/(projects/[^/]+/locations/[^/]+/functions/[^/]+)")
    def _delete_function(self, call: Call, name: str) -> Any:
        self.policies.pop(name.replace("/functions/", "/services/"), None)
        return _done(f"{name.partition('/functions/')[0]}/operations/4", self._delete(call, name))

    @route("GET", r"(?:cloudfunctions|firestore|serviceusage)/v\d/(.*operations/.+)")
    def _operation(self, call: Call, name: str) -> Any:
        return _done(name, {})


def environment(base_url: str) -> dict[str, str]:
    """What leads gcloud to the server at `base_url`. It puts the region in front of a host: only a proxy is found."""
    host, _, port = base_url.removeprefix("http://").partition(":")
    proxy = {"CLOUDSDK_PROXY_TYPE": "http", "CLOUDSDK_PROXY_ADDRESS": host, "CLOUDSDK_PROXY_PORT": port}
    return proxy | {f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}": f"http://{api.lower()}.test/" for api in APIS}


def _parsed(body: bytes, path: str) -> Any:
    if body.startswith(b"PK"):
        return "a zip file"
    return json.loads(body) if body else {}


def _done(name: str, response: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "done": True, "metadata": {}, "response": dict(response)}


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Objects are merged, all else replaced: near enough to what field masks do."""
    return {
        key: _merged(old[key], new[key])
        if isinstance(old.get(key), dict) and isinstance(new.get(key), dict)
        else new.get(key, old.get(key))
        for key in (*old, *(key for key in new if key not in old))
    }


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"code": status, "message": message, "status": "FAILED"}}, status)


def encoded(secret: str) -> str:
    """As a secret's payload travels."""
    return b64encode(secret.encode()).decode()
