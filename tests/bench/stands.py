"""What the bots talk to: the stand-ins for LINE and the model, the queue, and Google's Firestore emulator."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse

from bot.local.calls import Call
from bot.local.chats import Json
from bot.local.line import LineStandIn
from bot.local.model import ModelStandIn, Scripted
from tests.bench.serving import serving
from tests.bench.usage import cpu_seconds, with_argument
from tests.servers.cloud_tasks import CloudTasksServer
from tests.servers.firestore_proxy import FirestoreProxy

CHANNEL_SECRET = "channel-secret-of-the-bench"
ACCESS_TOKEN = "access-token-of-the-bench"
API_KEY = "api-key-of-the-bench"
QUEUE = "projects/bench/locations/asia-northeast1/queues/kaiwa"
NEVER_SECONDS = 1e9
QUESTION = "{}番目の質問です。来週末に友達と京都へ行きます。混まない時間と、雨でも楽しめる場所を教えてください。"
ANSWER = (
    "朝の八時までに着けば、清水寺も静かです。雨の日は京都国立博物館か、屋根のある錦市場がよいでしょう。"
    "昼は混むので、十一時前か二時過ぎに食べるのがおすすめです。午後は三十三間堂へ。千体の仏像がずっと屋根の下に"
    "並んでいて、雨の音を聞きながらゆっくり見られます。夕方は祇園の細い道を歩き、早めに宿へ戻りましょう。"
    "傘と、すべりにくい靴を忘れずに。友達の好きなものが分かれば、もう少し詳しく考えます。"
)
SUMMARY = "友達と来週末に京都へ行く。混まない時間と、雨でも楽しめる場所を知りたい。朝は清水寺、雨なら博物館や市場。" * 5


class Line(LineStandIn):
    """LINE, which notes when each reply came: `replied` is time.perf_counter() by reply token. Tokens live for ever."""

    def __init__(self) -> None:
        super().__init__(ACCESS_TOKEN, CHANNEL_SECRET, token_seconds=NEVER_SECONDS, judged=False)
        self.replied: dict[str, float] = {}
        self.texts: dict[str, str] = {}
        self._awaited: dict[str, asyncio.Future[None]] = {}

    async def reply(self, token: str, seconds: float) -> float:
        """When the reply by this token came, as soon as it has. Raises TimeoutError."""
        if token not in self.replied:
            self._awaited[token] = asyncio.get_running_loop().create_future()
            await asyncio.wait_for(self._awaited[token], seconds)
        return self.replied[token]

    def forget(self) -> None:
        """Everything that would only grow."""
        for grows in (self.replied, self.texts, self._awaited, self.chats.tokens, self.chats.bubbles):
            grows.clear()
        self.calls.clear()
        self.events.quotable.clear()

    def _reply(self, call: Call) -> JSONResponse:
        at, response = time.perf_counter(), super()._reply(call)
        if response.status_code == 200:
            token = call.json["replyToken"]
            self.replied[token], self.texts[token] = at, call.json["messages"][0].get("text", "")
            awaited = self._awaited.pop(token, None)
            if awaited and not awaited.done():  # who waits may have given up
                awaited.set_result(None)
        return response


class Model(ModelStandIn):
    """The model, which gives one long answer after `delay` seconds; `asked` holds the questions that were no summaries.

    `answering`: how many it is thinking about.
    """

    def __init__(self) -> None:
        super().__init__(API_KEY)
        self.asked: list[Json] = []
        self.summaries = 0

    def forget(self) -> None:
        self.calls.clear()
        self.asked.clear()
        self.summaries = 0

    @property
    def answering(self) -> int:
        return sum(call.status is None for call in self.calls)

    def _own(self, body: Json) -> Scripted:
        # The operator has the last word in a question for a summary, a person in all others.
        if body["input"][-1]["role"] in ("developer", "system"):
            self.summaries += 1
            return Scripted(SUMMARY)
        self.asked.append(body)
        return Scripted(f"{len(self.asked)}. {ANSWER}", delay=self.delay)


@dataclass(frozen=True, slots=True)
class Stands:
    """`emulator`: its `host:port`; `proxy` is in front of it and counts."""

    line: Line
    line_url: str
    model: Model
    model_url: str
    tasks: CloudTasksServer
    emulator: str
    proxy: FirestoreProxy

    def environment(self, project: str, *, counted: bool = False) -> Mapping[str, str]:
        """What each bot is told; `counted`: what it does with Firestore is seen, and takes longer."""
        return {
            "GOOGLE_CLOUD_PROJECT": project,
            "FIRESTORE_EMULATOR_HOST": self.proxy.address if counted else self.emulator,
            "LINE_CHANNEL_SECRET": CHANNEL_SECRET,
            "LINE_CHANNEL_ACCESS_TOKEN": ACCESS_TOKEN,
            "OPENAI_API_KEY": API_KEY,
            "OPENAI_BASE_URL": f"{self.model_url}/v1",
            "OPENAI_MODEL": "gpt-5.6-luna",
            "LINE_API_BASE_URL": self.line_url,
            "LINE_DATA_API_BASE_URL": self.line_url,
        }

    def forget(self) -> None:
        """Begin anew: what was received, and what was counted."""
        self.line.forget()
        self.model.forget()
        self.tasks.created.clear()
        self.tasks.attempts.clear()
        self.proxy.reset()

    def emulator_cpu(self) -> float:
        """Seconds."""
        return cpu_seconds(with_argument(self.emulator.rpartition(":")[2]))


@asynccontextmanager
async def standing(emulator: str) -> AsyncIterator[Stands]:
    """All of them but the emulator, inside this process."""
    line, model = Line(), Model()
    async with AsyncExitStack() as stack:
        entered: Any = [
            await stack.enter_async_context(stand)
            for stand in (
                serving(line.app),
                serving(model.app),
                CloudTasksServer(max_concurrent=1_000),
                FirestoreProxy(emulator),
            )
        ]
        line_url, model_url, tasks, proxy = entered
        yield Stands(line, line_url, model, model_url, tasks, emulator, proxy)
