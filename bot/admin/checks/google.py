"""Google Cloud's services, asked for what stands in their consoles, and what their refusals mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.adapters.google_messages import Fields, messages
from bot.adapters.google_rpc import FAILURES, Refused, Service
from bot.adapters.google_token import check_credentials
from bot.adapters.secret_manager import MESSAGES as SECRET_MESSAGES
from bot.admin.checks.check import LATER, Outcome, Stopped, check, ok, skipped, wrong
from bot.admin.checks.installation import Installation

SIGN_IN = "gcloud auth application-default login"
NEEDS_EMULATORS = ("FIRESTORE_EMULATOR_HOST", "CLOUD_TASKS_EMULATOR_HOST", "SECRET_MANAGER_EMULATOR_HOST")
DURATION: Fields = {"seconds": (1, "int64"), "nanos": (2, "int32")}

TASKS = messages(
    "google.cloud.tasks.v2",
    {
        "GetQueueRequest": {"name": (1, "string")},
        "Queue": {"name": (1, "string"), "retry_config": (4, "RetryConfig"), "state": (5, "int32")},
        "RetryConfig": {
            "max_attempts": (1, "int32"),
            "max_retry_duration": (2, "Duration"),
            "min_backoff": (3, "Duration"),
            "max_backoff": (4, "Duration"),
        },
        "Duration": DURATION,
    },
)
"""Source: https://github.com/googleapis/googleapis/tree/master/google/cloud/tasks/v2"""
ADMIN = messages(
    "google.firestore.admin.v1",
    {
        "GetDatabaseRequest": {"name": (1, "string")},
        "Database": {"name": (1, "string"), "location_id": (9, "string"), "type_": (10, "int32")},
        "GetFieldRequest": {"name": (1, "string")},
        "Field": {"name": (1, "string"), "index_config": (2, "IndexConfig"), "ttl_config": (3, "TtlConfig")},
        "IndexConfig": {"indexes": (1, "*Index"), "uses_ancestor_config": (2, "bool")},
        "Index": {"name": (1, "string")},
        "TtlConfig": {"state": (1, "int32")},
    },
)
"""Source: https://github.com/googleapis/googleapis/tree/master/google/firestore/admin/v1"""


@dataclass(frozen=True, slots=True, eq=False)
class Api:
    """`emulator`: the variable that sends calls elsewhere. `role`: what is needed to ask; `answer`: of each method."""

    service: str
    host: str
    emulator: str
    role: str
    methods: Mapping[str, tuple[type[Any], type[Any]]]


SECRET_MANAGER = Api(
    "google.cloud.secretmanager.v1.SecretManagerService",
    "secretmanager.googleapis.com:443",
    "SECRET_MANAGER_EMULATOR_HOST",
    "roles/secretmanager.secretAccessor",
    {
        "AccessSecretVersion": (
            SECRET_MESSAGES["AccessSecretVersionRequest"],
            SECRET_MESSAGES["AccessSecretVersionResponse"],
        )
    },
)
CLOUD_TASKS = Api(
    "google.cloud.tasks.v2.CloudTasks",
    "cloudtasks.googleapis.com:443",
    "CLOUD_TASKS_EMULATOR_HOST",
    "roles/cloudtasks.viewer",
    {"GetQueue": (TASKS["GetQueueRequest"], TASKS["Queue"])},
)
FIRESTORE_ADMIN = Api(
    "google.firestore.admin.v1.FirestoreAdmin",
    "firestore.googleapis.com:443",
    "FIRESTORE_EMULATOR_HOST",
    "roles/datastore.viewer",
    {
        "GetDatabase": (ADMIN["GetDatabaseRequest"], ADMIN["Database"]),
        "GetField": (ADMIN["GetFieldRequest"], ADMIN["Field"]),
    },
)


@check("credentials")
async def credentials(of: Installation) -> Outcome:
    if all(of.environment.get(name) for name in NEEDS_EMULATORS):
        return ok("not needed: every service of Google's has an emulator's address")
    try:
        return ok(f"Google knows {await check_credentials()}")
    except FAILURES as failure:
        return wrong(f"Google Cloud cannot be asked: {type(failure).__name__}", SIGN_IN)


async def signed_in(of: Installation, emulator: str) -> None:
    """Unless this variable sends calls elsewhere, there are credentials, or Stopped is raised."""
    if not of.environment.get(emulator) and (await of.once(credentials)).verdict != "ok":
        raise Stopped(skipped("comes after: credentials"))


async def call(of: Installation, api: Api, method: str, name: str) -> Any:
    """The resource of this name. Raises Refused, for `explain`, or Stopped when it cannot be asked at all."""
    await signed_in(of, api.emulator)
    request, answer = api.methods[method]
    service = await of.once(_service, api)
    try:
        return await service.call(method, request(name=name), answer, name=name)
    except Refused:
        raise
    except FAILURES:
        raise Stopped(skipped("comes after: credentials")) from None


def explain(of: Installation, api: Api, refused: Refused, what: str, missing: str) -> Outcome:
    """What a refusal means; `missing`: how to make what is not there."""
    code, project = refused.code.name, of.settings.project or "PROJECT"
    if code == "NOT_FOUND":
        return wrong(f"{what} does not exist", missing)
    if code == "UNIMPLEMENTED" and of.environment.get(api.emulator):
        return skipped(f"{what}: the emulator has no such settings")
    if "SERVICE_DISABLED" in refused.details or "has not been used in project" in refused.details:
        return wrong(f"{api.host} is not switched on", f"gcloud services enable {api.host} --project={project}")
    if code == "PERMISSION_DENIED":
        grant = f"gcloud projects add-iam-policy-binding {project} --member=user:YOU@EXAMPLE.COM --role={api.role}"
        return wrong(f"{what} may not be read by you: PERMISSION_DENIED", f"{grant} --condition=None")
    if code == "UNAUTHENTICATED":
        return wrong(f"{what}: Google does not accept your credentials", SIGN_IN)
    return wrong(f"{what} cannot be asked for: {code}", LATER)


async def _service(of: Installation, api: Api) -> Service:
    service = Service(api.service, api.host, of.environment.get(api.emulator) or None)
    of.closing(service.close)
    return service
