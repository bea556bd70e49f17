"""What can be wrong with an installation, one thing at a time: which check must tell it, and what mends it."""

from collections.abc import Callable
from dataclasses import dataclass

import grpc
from google.cloud.firestore_admin_v1.types import Database
from google.cloud.tasks_v2.types import Queue
from google.protobuf.duration_pb2 import Duration

from bot.local.server import listen
from bot.settings import DEFAULT_MODEL
from tests.admin.installation import Installation, version
from tests.servers.google_console import TTL

DENIED = (grpc.StatusCode.PERMISSION_DENIED, "Missing or insufficient permissions.")
SWITCHED_OFF = (
    grpc.StatusCode.PERMISSION_DENIED,
    "Cloud Tasks API has not been used in project 1 before. SERVICE_DISABLED",
)
ADD_SECRET = "gcloud secrets versions add line-channel-secret --data-file=-"


@dataclass(frozen=True, slots=True)
class Fault:
    """`breaks` does it. `check` alone must be wrong; `seen` and `remedy` are parts of what it tells."""

    name: str
    breaks: Callable[[Installation], object]
    check: str
    seen: str
    remedy: str


def setting(name: str, value: str) -> Callable[[Installation], None]:
    return lambda of: of.environment.update({name: value})


def without_credentials(of: Installation) -> None:
    del of.environment["SECRET_MANAGER_EMULATOR_HOST"]


def secret(name: str, value: str | bytes | None) -> Callable[[Installation], None]:
    return lambda of: of.secrets.versions.update({version(name): value})


def forgotten(name: str) -> Callable[[Installation], object]:
    return lambda of: of.secrets.versions.pop(version(name))


def pinned_and_disabled(of: Installation) -> None:
    pinned = "projects/my-project/secrets/openai-api-key/versions/3"
    of.environment["OPENAI_API_KEY_NAME"] = pinned
    of.secrets.versions[pinned] = None


def refusing(method: str, how: tuple[grpc.StatusCode, str]) -> Callable[[Installation], None]:
    return lambda of: of.console.refusals.update({method: how})


def keeping(**changes: object) -> Callable[[Installation], None]:
    return lambda of: of.storage.keeping.update(changes)


def attribute(path: str, value: object) -> Callable[[Installation], None]:
    """Of a part of the installation: `line.channel.active`."""
    *parents, last = path.split(".")

    def breaks(of: object) -> None:
        for parent in parents:
            of = getattr(of, parent)
        setattr(of, last, value)

    return breaks


def function_down(of: Installation) -> None:
    with listen() as unused:
        of.environment["SERVICE_URL"] = of.line.channel.url = f"http://127.0.0.1:{unused.getsockname()[1]}"


def unreachable_from_line(of: Installation) -> None:
    with listen() as unused:
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    of.line.channel.route = lambda url: address


FAULTS = (
    Fault("a malformed setting", setting("STORE", "paper"), "settings", "STORE must be", "correct the variables"),
    Fault(
        "no queue is set", setting("TASKS_QUEUE", ""), "settings", "not set: TASKS_QUEUE", "gcloud functions describe"
    ),
    Fault("no credentials", without_credentials, "credentials", "DefaultCredentials", "application-default login"),
    Fault(
        "no channel secret",
        forgotten("line-channel-secret"),
        "channel secret",
        "does not exist",
        "gcloud secrets create line-channel-secret",
    ),
    Fault(
        "no access token",
        forgotten("line-channel-access-token"),
        "access token",
        "does not exist",
        "gcloud secrets create line-channel-access-token",
    ),
    Fault(
        "no key", forgotten("openai-api-key"), "OpenAI key", "does not exist", "gcloud secrets create openai-api-key"
    ),
    Fault(
        "a disabled secret",
        secret("line-channel-access-token", None),
        "access token",
        "disabled",
        "gcloud secrets versions add line-channel-access-token",
    ),
    Fault(
        "a disabled version",
        pinned_and_disabled,
        "OpenAI key",
        "versions/3 is disabled",
        "gcloud secrets versions enable 3 --secret=openai-api-key",
    ),
    Fault("an empty secret", secret("line-channel-secret", " "), "channel secret", "is empty", ADD_SECRET),
    Fault(
        "a secret that is no text",
        secret("openai-api-key", b"\xff"),
        "OpenAI key",
        "not UTF-8",
        "gcloud secrets versions add openai-api-key",
    ),
    Fault(
        "a secret that may not be read",
        lambda of: of.secrets.denied.add(version("line-channel-secret")),
        "channel secret",
        "PERMISSION_DENIED",
        "gcloud secrets add-iam-policy-binding line-channel-secret",
    ),
    Fault("a token that LINE refuses", attribute("line.token", "new"), "LINE", "401", "issue a channel access token"),
    Fault("LINE is down", lambda of: of.line.fail_next("/info", 500, 9), "LINE", "LINE answered 500", "run this again"),
    Fault("LINE hangs", lambda of: of.line.fail_next("/info", "hang", 9), "LINE", "no answer within", "run this again"),
    Fault(
        "LINE talks nonsense",
        lambda of: of.line.fail_next("/consumption", "odd-after", 9),
        "push quota",
        "has no totalUsage",
        "run this again",
    ),
    Fault(
        "no webhook",
        attribute("line.channel.url", ""),
        "webhook address",
        "no webhook",
        "python -m bot.admin register-webhook http",
    ),
    Fault(
        "another webhook",
        attribute("line.channel.url", "https://old.example"),
        "webhook address",
        "https://old.example",
        "python -m bot.admin register-webhook http",
    ),
    Fault(
        "a webhook that is off",
        attribute("line.channel.active", False),
        "webhook in use",
        "Use webhook is off",
        'switch on "Use webhook"',
    ),
    Fault(
        "another channel's secret",
        attribute("line.channel.secret", "other"),
        "webhook answers",
        "ERROR_STATUS_CODE, status 401",
        ADD_SECRET,
    ),
    Fault("LINE cannot reach it", unreachable_from_line, "webhook answers", "COULD_NOT_CONNECT", "register-webhook"),
    Fault("pushes are used up", attribute("line.pushed", 190), "push quota", "10 of 200 pushes", "PUSH_RESERVE"),
    Fault("nobody answers", function_down, "function", "comes to nothing", "gcloud run services describe kaiwa"),
    Fault(
        "not for everybody",
        attribute("function.front", 403),
        "function",
        "answers 403",
        "gcloud run services add-iam-policy-binding kaiwa",
    ),
    Fault(
        "not there", attribute("function.front", 404), "function", "answers 404", "gcloud run services describe kaiwa"
    ),
    Fault("it fails", attribute("function.front", 503), "function", "answers 503", "gcloud functions logs read kaiwa"),
    Fault("it has an old secret", attribute("function.secret", "old"), "signature", "answers 401", "the same secret"),
    Fault(
        "it reads no secrets",
        attribute("function.taken", 503),
        "signature",
        "answers 503",
        "gcloud functions logs read kaiwa",
    ),
    Fault(
        "it takes everything",
        attribute("function.forged", 200),
        "signature",
        "forged signature gets 200",
        "deploy Kaiwa again",
    ),
    Fault(
        "a key that is refused",
        attribute("model.key", "new"),
        "OpenAI",
        "does not accept the key",
        "gcloud secrets versions add openai-api-key",
    ),
    Fault(
        "no such model",
        lambda of: of.model.unknown.add(DEFAULT_MODEL),
        "models",
        f"{DEFAULT_MODEL} (OPENAI_MODEL)",
        "platform.openai.com/docs/models",
    ),
    Fault(
        "no such transcriber",
        lambda of: of.model.unknown.add("gpt-transcribe"),
        "models",
        "OPENAI_TRANSCRIPTION_MODEL",
        "platform.openai.com/docs/models",
    ),
    Fault(
        "no price",
        setting("OPENAI_MODELS", "gpt-unheard-of"),
        "prices",
        "gpt-unheard-of",
        "OPENAI_PRICES=gpt-unheard-of=",
    ),
    Fault(
        "no database",
        lambda of: of.console.databases.clear(),
        "database",
        "does not exist",
        "gcloud firestore databases create --location=asia-northeast1",
    ),
    Fault(
        "the wrong kind",
        lambda of: of.database(type_=Database.DatabaseType.DATASTORE_MODE),
        "database",
        "Datastore mode",
        "FIRESTORE_DATABASE=kaiwa",
    ),
    Fault(
        "no look at the database",
        refusing("GetDatabase", DENIED),
        "database",
        "PERMISSION_DENIED",
        "--role=roles/datastore.viewer",
    ),
    Fault(
        "unreadable documents", refusing("BatchGetDocuments", DENIED), "documents", "PermissionDenied", "datastore.user"
    ),
    Fault(
        "conversations stay",
        lambda of: of.console.ttl.pop("conversations.expire_at"),
        "TTL",
        "conversations.expire_at",
        "ttls update expire_at --collection-group=conversations --enable-ttl",
    ),
    Fault(
        "archives stay",
        lambda of: of.console.ttl.update({"archive.expire_at": TTL.NEEDS_REPAIR}),
        "TTL",
        "archive.expire_at",
        "ttls update expire_at --collection-group=archive --enable-ttl",
    ),
    Fault(
        "everything is indexed",
        lambda of: of.console.exempt.remove("conversations.*"),
        "index exemptions",
        "in conversations",
        "fields update '*' --collection-group=conversations --disable-indexes",
    ),
    Fault(
        "an index is missing",
        lambda of: of.console.indexed.remove("archive.message_ids"),
        "indexes",
        "archive.message_ids",
        "fields update message_ids --collection-group=archive --index=array-config=contains",
    ),
    Fault(
        "no queue",
        lambda of: of.console.queues.clear(),
        "queue",
        "does not exist",
        "gcloud tasks queues create kaiwa --location=asia-northeast1",
    ),
    Fault(
        "a paused queue",
        lambda of: of.queue(state=Queue.State.PAUSED),
        "queue",
        "paused",
        "gcloud tasks queues resume kaiwa",
    ),
    Fault(
        "no Cloud Tasks",
        refusing("GetQueue", SWITCHED_OFF),
        "queue",
        "not switched on",
        "gcloud services enable cloudtasks.googleapis.com",
    ),
    Fault(
        "too few attempts",
        lambda of: of.queue(max_attempts=5),
        "queue retries",
        "max-attempts is 5, not 50",
        "gcloud tasks queues update kaiwa",
    ),
    Fault(
        "too long pauses",
        lambda of: of.queue(max_backoff=Duration(seconds=3600)),
        "queue retries",
        "max-backoff is 3600, not 30",
        "--max-backoff=30s",
    ),
    Fault(
        "far away",
        lambda of: of.database(location_id="us-central1"),
        "region",
        "the database in us-central1",
        "one region",
    ),
    Fault("a wrong clock", attribute("function.ahead", 60.0), "clock", "clock is off", "timedatectl"),
    Fault(
        "no bucket",
        setting("MEDIA_BUCKET", "another-bucket"),
        "media bucket",
        "does not exist",
        "gcloud storage buckets create gs://another-bucket",
    ),
    Fault("pictures stay", keeping(lifecycle={}), "media bucket", "for ever", "--lifecycle-file=lifecycle.json"),
    Fault(
        "erased pictures stay",
        keeping(softDeletePolicy={"retentionDurationSeconds": "604800"}),
        "media bucket",
        "7 more days",
        "--clear-soft-delete",
    ),
)
