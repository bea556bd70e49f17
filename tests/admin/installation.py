"""A whole installation on loopback, healthy until a test breaks one thing of it."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from email.utils import formatdate
from typing import Any

from google.cloud.firestore_admin_v1.types import Database
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.admin.checks.firestore import COLLECTIONS, EXPIRING, SEARCHED
from bot.local.line import LineStandIn
from bot.local.model import ModelStandIn
from bot.local.webhook import sign
from tests.servers.cloud_storage import CloudStorageServer
from tests.servers.google_console import TTL, ConsoleServer, queue
from tests.servers.secret_manager import SecretManagerServer
from tests.servers.uvicorn import serving

PROJECT, REGION = "my-project", "asia-northeast1"
QUEUE = f"projects/{PROJECT}/locations/{REGION}/queues/kaiwa"
DATABASE = f"projects/{PROJECT}/databases/(default)"
BUCKET = "my-project-kaiwa-media"
CHANNEL_SECRET, TOKEN, KEY = "channel-secret-9", "access-token-9", "api-key-9"


def version(secret: str) -> str:
    return f"projects/{PROJECT}/secrets/{secret}/versions/latest"


class FunctionStandIn:
    """What can be seen of the function: its status, and that it verifies. `ahead`: seconds its clock is."""

    def __init__(self) -> None:
        self.secret = CHANNEL_SECRET
        self.front = 200
        self.taken = 200
        self.forged = 401
        self.ahead = 0.0
        self.app = Starlette(routes=[Route("/", self._show), Route("/", self._take, methods=["POST"])])

    async def _show(self, request: Request) -> Response:
        headers = {"date": formatdate(time.time() + self.ahead, usegmt=True)}
        return JSONResponse({"status": "ok", "name": "kaiwa"}, self.front, headers)

    async def _take(self, request: Request) -> Response:
        is_signed = request.headers.get("x-line-signature") == sign(self.secret, await request.body())
        return JSONResponse({}, self.taken if is_signed or self.taken >= 500 else self.forged)


class Installation:
    """The parts, and the `environment` that leads to them."""

    def __init__(self) -> None:
        self.line = LineStandIn(TOKEN, CHANNEL_SECRET)
        self.line.monthly_quota = 200
        self.model = ModelStandIn(KEY)
        self.function = FunctionStandIn()
        self.storage = CloudStorageServer(BUCKET)
        self.secrets = SecretManagerServer(
            {
                version("line-channel-secret"): CHANNEL_SECRET,
                version("line-channel-access-token"): TOKEN,
                version("openai-api-key"): KEY,
            }
        )
        self.console = ConsoleServer()
        self.console.queues = {QUEUE: queue(QUEUE)}
        native = Database.DatabaseType.FIRESTORE_NATIVE
        self.console.databases = {DATABASE: Database(name=DATABASE, location_id=REGION, type_=native)}
        self.console.ttl = {f"{name}.expire_at": TTL.ACTIVE for name in EXPIRING}
        self.console.exempt = {f"{name}.*" for name in COLLECTIONS}
        self.console.indexed = {f"{name}.{field}" for name, field in SEARCHED}
        self.environment: dict[str, str] = {}

    @asynccontextmanager
    async def running(self, set_variable: Callable[[str, str], None]) -> AsyncIterator[None]:
        """`set_variable`: Google's and OpenAI's libraries read this process's own environment."""
        async with AsyncExitStack() as stack:
            line, model, function, storage = [
                await stack.enter_async_context(serving(one.app))
                for one in (self.line, self.model, self.function, self.storage)
            ]
            await stack.enter_async_context(self.secrets)
            await stack.enter_async_context(self.console)
            self.line.channel.url = function
            self.environment = {
                "GOOGLE_CLOUD_PROJECT": PROJECT,
                "SERVICE_URL": function,
                "TASKS_QUEUE": QUEUE,
                "MEDIA_BUCKET": BUCKET,
                "LINE_API_BASE_URL": line,
                "OPENAI_BASE_URL": f"{model}/v1",
                "FIRESTORE_EMULATOR_HOST": self.console.host,
                "CLOUD_TASKS_EMULATOR_HOST": self.console.host,
                "SECRET_MANAGER_EMULATOR_HOST": self.secrets.host,
                "STORAGE_EMULATOR_HOST": storage,
            }
            for name, value in self.environment.items():
                set_variable(name, value)
            yield

    def database(self, **changes: Any) -> None:
        """Describe the database anew."""
        described = {"name": DATABASE, "location_id": REGION, "type_": Database.DatabaseType.FIRESTORE_NATIVE}
        self.console.databases = {DATABASE: Database(**described | changes)}

    def queue(self, **changes: Any) -> None:
        """Describe the queue anew."""
        self.console.queues = {QUEUE: queue(QUEUE, **changes)}
