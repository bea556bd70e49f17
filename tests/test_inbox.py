"""The inbox and the turn over one store: each event once, each conversation alone, and nobody sleeps unwoken."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from bot import asking, inbox
from bot.conversation import Conversation, Outgoing, Pending, Source, Usage
from bot.errors import Misconfigured, ModelFailed, Unavailable
from bot.events import wake
from bot.limits import MINUTE_MS
from bot.ports import Completion, Prompt, Seen, Sent
from bot.texts import phrase, phrases
from tests.fakes import FakeModel
from tests.pipeline import BlockedModel, Pipeline, conversation_id
from tests.webhooks import GROUP, NOW, USER, event, left, mention, said, unsent

OTHER = "U" + "9" * 32


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are part of the promise, not their length."""
    monkeypatch.setattr(inbox, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(asking, "BACKOFF_SECONDS", 0.002)


def answers(pipeline: Pipeline) -> list[tuple[str, str]]:
    """(way, first bubble) of everything shown."""
    return [("push" if one.retry_key else one.to, one.bubbles[0]) for one in pipeline.messenger.shown]


@pytest.mark.parametrize("queue", [True, False])
async def test_an_ordinary_message(queue: bool) -> None:
    """One read and three writes, one model call, one reply by its own token, and nothing left to do."""
    pipeline = Pipeline(FakeModel("Hi!"), queue=queue)
    raw = said("hello")
    await pipeline.take(raw)
    assert answers(pipeline) == [(raw["replyToken"], "Hi!")]
    assert [method for method, _ in pipeline.store.log] == ["read", "write", "write", "write"]
    state = pipeline.state()
    assert (state.pending, state.outbox, state.lease) == ((), (), None)
    assert [(turn.said[0].text, turn.answer, len(turn.sent_ids)) for turn in state.turns] == [("hello", "Hi!", 1)]
    assert pipeline.queue.tasks == []
    assert pipeline.messenger.loading == [(USER, 60)]


async def test_the_second_turn_knows_the_first() -> None:
    """And costs no more."""
    pipeline = Pipeline()
    await pipeline.take(said("my name is Ann"))
    pipeline.store.log.clear()
    await pipeline.take(said("who am I?", at=NOW + 1))
    assert [line.text for line in pipeline.model.prompts[1].lines] == ["my name is Ann"] * 2 + ["who am I?"]
    assert [method for method, _ in pipeline.store.log] == ["read", "write", "write", "write"]


@pytest.mark.parametrize("queue", [True, False])
async def test_duplicates_at_once(queue: bool) -> None:
    """The same event twenty times at once: one model call, one reply, and every request ends well."""
    pipeline = Pipeline(BlockedModel("Hi!"), queue=queue)
    assert isinstance(pipeline.model, BlockedModel)
    raw = said("hello")
    requests = asyncio.gather(*(pipeline.take(raw) for _ in range(20)))
    await asyncio.wait_for(pipeline.model.reached.wait(), 5)
    pipeline.model.released.set()
    await asyncio.wait_for(requests, 30)
    assert len(pipeline.model.prompts) == 1
    assert answers(pipeline) == [(raw["replyToken"], "Hi!")]
    assert len(pipeline.queue.tasks) <= 1


async def test_a_duplicate_later() -> None:
    """After the turn, and in another instance: nothing happens, nothing is written."""
    pipeline = Pipeline()
    raw = said("hello")
    await pipeline.take(raw)
    restarted = Pipeline(store=pipeline.store, messenger=pipeline.messenger)
    before = pipeline.document()
    await restarted.take({**raw, "deliveryContext": {"isRedelivery": True}})
    assert pipeline.document() == before
    assert restarted.model.prompts == []
    assert len(pipeline.messenger.calls) == 1


async def test_two_conversations_in_one_body() -> None:
    """One failing does not touch the other, and only the failed one is done again."""
    pipeline = Pipeline()
    fine, failing = said("fine"), said("failing", OTHER)
    write = pipeline.store.write

    async def broken(conversation: str, *args: Any) -> Any:
        if conversation == conversation_id(OTHER):
            raise Unavailable("down")
        return await write(conversation, *args)

    pipeline.store.write = broken  # type: ignore[method-assign, assignment]
    with pytest.raises(Unavailable, match="1 of 2"):
        await pipeline.take(fine, failing)
    assert pipeline.shown() == ["fine"]
    pipeline.store.write = write  # type: ignore[method-assign]
    await pipeline.take(fine, failing)
    assert pipeline.shown() == ["fine", "failing"]
    assert [prompt.lines[-1].text for prompt in pipeline.model.prompts] == ["fine", "failing"]


async def test_nobody_sees_anothers_words() -> None:
    """Thirty people in one body: each gets an answer to the own words, by the own token, and no other's are in it."""
    pipeline = Pipeline()
    raws = [said(f"secret {n}", f"U{n:032}") for n in range(30)]
    await pipeline.take(*raws)
    assert sorted(answers(pipeline)) == sorted((raw["replyToken"], f"secret {n}") for n, raw in enumerate(raws))
    assert all(len(prompt.lines) == 1 for prompt in pipeline.model.prompts)


async def test_group_and_private_never_meet() -> None:
    """What one person says in a group is unknown in private, and the reverse."""
    pipeline = Pipeline()
    in_group = said("@Kaiwa group words", GROUP, mention=mention(0, 6))
    in_group["source"]["userId"] = USER
    await pipeline.take(in_group, said("private words"))
    await pipeline.take(said("again", at=NOW + 1))
    again = said("@Kaiwa again", GROUP, at=NOW + 1, mention=mention(0, 6))
    await pipeline.take(again)
    contexts = [" ".join(line.text for line in prompt.lines) for prompt in pipeline.model.prompts]
    assert not any("group" in context and "private" in context for context in contexts)
    assert "private" not in repr(pipeline.document(GROUP))
    assert "group words" not in repr(pipeline.document())


async def test_not_a_word_in_a_group() -> None:
    """Unless it is addressed; a quotation of the bot's own message addresses it, another's does not."""
    pipeline = Pipeline(FakeModel("Hi!", "Because."))
    await pipeline.take(said("@Kaiwa hello", GROUP, mention=mention(0, 6)))
    [sent_id] = pipeline.state(GROUP).turns[0].sent_ids
    await pipeline.take(said("chatting", GROUP, at=NOW + 1), said("what?", GROUP, at=NOW + 2, quotedMessageId="77"))
    assert pipeline.shown() == ["Hi!"]
    assert "chatting" not in pipeline.stored()
    assert "what?" not in pipeline.stored()
    await pipeline.take(said("why?", GROUP, at=NOW + 3, quotedMessageId=sent_id))
    assert pipeline.shown() == ["Hi!", "Because."]


async def test_busy_with_a_queue() -> None:
    """A message that comes during a turn is kept, 200, with one wake-up after the lease; the holder takes it up."""
    pipeline = Pipeline(BlockedModel(), queue=True)
    assert isinstance(pipeline.model, BlockedModel)
    first = asyncio.create_task(pipeline.take(said("one")))
    await pipeline.model.reached.wait()
    await pipeline.take(said("two", at=NOW + 1))
    await pipeline.take(said("three", at=NOW + 2))
    lease = pipeline.state().lease
    assert lease
    assert [(task.name, task.at > lease.until) for task in pipeline.queue.tasks] == [
        (f"{conversation_id()}-{lease.until}", True)
    ]
    pipeline.model.released.set()
    await first
    assert pipeline.shown() == ["one", "two\nthree"]
    raw = json.loads(pipeline.queue.tasks[0].body)["events"][0]
    pipeline.store.log.clear()
    await pipeline.take(raw)
    assert [method for method, _ in pipeline.store.log] == ["read"]
    assert len(pipeline.queue.tasks) == 1


async def test_busy_without_a_queue() -> None:
    """The request waits until its event is done, and then ends."""
    pipeline = Pipeline(BlockedModel())
    assert isinstance(pipeline.model, BlockedModel)
    first = asyncio.create_task(pipeline.take(said("one")))
    await pipeline.model.reached.wait()
    second = asyncio.create_task(pipeline.take(said("two", at=NOW + 1)))
    await asyncio.sleep(0.05)
    assert not second.done()
    pipeline.model.released.set()
    await asyncio.wait_for(asyncio.gather(first, second), 5)
    assert pipeline.shown() == ["one", "two"]


async def test_a_dead_holders_message() -> None:
    """The holder died: the wake-up finds its lease over, and answers what it had taken, and what came since."""
    pipeline = Pipeline(BlockedModel(), queue=True)
    assert isinstance(pipeline.model, BlockedModel)
    dying = asyncio.create_task(pipeline.take(said("one")))
    await pipeline.model.reached.wait()
    await pipeline.take(said("two", at=NOW + 1))
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    pipeline.clock.advance(21)
    another = Pipeline(store=pipeline.store, messenger=pipeline.messenger, clock=pipeline.clock, queue=True)
    await another.take(json.loads(pipeline.queue.tasks[0].body)["events"][0])
    assert pipeline.shown() == ["one\ntwo"]


class Chatty(FakeModel):
    """While it answers, the person writes again."""

    def __init__(self, messages: int) -> None:
        super().__init__()
        self.messages = messages
        self.write: Callable[[Any], Any] | None = None

    async def complete(self, prompt: Prompt) -> Completion:
        if self.write and len(self.prompts) < self.messages:
            number = len(self.prompts) + 1
            await self.write(said(f"more {number}", at=NOW + number))
        return await super().complete(prompt)


async def test_three_rounds_then_a_wake_up() -> None:
    """One request does not go on for ever: what is left then gets a task of its own, at once."""
    model = Chatty(5)
    pipeline = Pipeline(model, queue=True)
    model.write = pipeline.take
    await pipeline.take(said("start"))
    assert pipeline.shown() == ["start", "more 1", "more 2"]
    assert [pending.text for pending in pipeline.state().pending] == ["more 3"]
    assert pipeline.state().lease is None
    task = pipeline.queue.tasks[-1]
    assert (task.name, task.at) == ("", 0)
    await pipeline.take(json.loads(task.body)["events"][0])
    assert pipeline.shown() == ["start", "more 1", "more 2", "more 3", "more 4", "more 5"]


async def test_two_messages_the_wrong_way_round() -> None:
    """Both are answered, and stand in the order in which they were said."""
    pipeline = Pipeline()
    await pipeline.take(said("second", at=NOW + 1))
    await pipeline.take(said("first"))
    assert sorted(pipeline.shown()) == ["first", "second"]
    assert [turn.said[0].text for turn in pipeline.state().turns] == ["first", "second"]


async def test_commands_cut_the_turn() -> None:
    """Messages merge only with their neighbours; each segment is answered by its own token."""
    pipeline = Pipeline()
    texts = ["a", "b", "/help", "c"]
    raws = [said(text, at=NOW + number) for number, text in enumerate(texts)]
    await pipeline.take(*raws)
    tokens = [raw["replyToken"] for raw in raws]
    assert [one.to for one in pipeline.messenger.shown] == [tokens[1], tokens[2], tokens[3]] or [
        one.to for one in pipeline.messenger.shown
    ] == [tokens[0], tokens[2], tokens[3]]
    assert pipeline.shown() == ["a\nb", phrase("help", "en"), "c"]


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (event("follow"), "greeting"),
        (event("join", GROUP), "group_greeting"),
        (said("", type="hologram"), "unsupported"),
        (said("/help"), "help"),
        (said("/reset"), "reset"),
        (said("/more"), "nothing_more"),
        (said("/history"), "no_history"),
        (event("postback", postback={"data": "/help"}), "help"),
    ],
)
async def test_fixed_sentences(raw: dict[str, Any], name: Any) -> None:
    """Greetings and commands cost no model call, and are no turns of the conversation."""
    pipeline = Pipeline()
    await pipeline.take(raw)
    assert pipeline.shown() == [phrase(name, "ja")]
    assert pipeline.model.prompts == []
    [(_, document)] = pipeline.store.documents.values()
    assert "turns" not in document


async def test_greetings_are_not_pushed() -> None:
    """A greeting whose token has died is not worth a push."""
    pipeline = Pipeline()
    await pipeline.take(event("follow", at=NOW - 21 * MINUTE_MS))
    assert pipeline.messenger.calls == []
    assert pipeline.state().lease is None


async def test_reset() -> None:
    """A fresh conversation starts, and the old one can still be read and searched."""
    pipeline = Pipeline()
    await pipeline.take(said("my name is Ann"))
    await pipeline.take(said("/reset", at=NOW + 1))
    await pipeline.take(said("who am I?", at=NOW + 2))
    assert [line.text for line in pipeline.model.prompts[-1].lines] == ["who am I?"]
    await pipeline.take(said("/history ann", at=NOW + 3))
    assert "my name is Ann" in pipeline.shown()[-1]


async def test_a_long_answer_is_served_in_parts() -> None:
    """Five bubbles at once; the rest on 「続き」, typed or pressed, without another model call."""
    text = "".join(chr(ord("A") + n % 26) for n in range(55_000))
    pipeline = Pipeline(FakeModel(text))
    await pipeline.take(said("tell me"))
    assert pipeline.messenger.shown[0].quick_replies[0].data == "/more"
    await pipeline.take(said("続き", at=NOW + 1))
    await pipeline.take(event("postback", at=NOW + 2, postback={"data": "/more"}))
    assert [len(one.bubbles) for one in pipeline.messenger.shown] == [5, 5, 1]
    assert "".join(pipeline.shown()) == text
    assert len(pipeline.model.prompts) == 1
    assert "/more" not in [button.data for button in pipeline.messenger.shown[-1].quick_replies]


async def grown(pipeline: Pipeline, turns: int) -> None:
    """A conversation of so many turns, ten minutes apart, as people talk: replays are told by age."""
    for number in range(turns):
        await pipeline.take(said(f"question {number}", at=pipeline.clock()))
        pipeline.clock.advance(600)


class Summarising(FakeModel):
    """Echoes, and gives a summary when asked for one; without words it fails at that."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words
        self.summaries: list[Prompt] = []

    async def complete(self, prompt: Prompt) -> Completion:
        if "keep the memory" not in prompt.instructions:
            return await super().complete(prompt)
        self.summaries.append(prompt)
        if not self.words:
            raise ModelFailed("busy")
        return Completion(self.words, Usage())


async def test_turns_roll_over() -> None:
    """After more than twenty the ten oldest go to the archive with a summary, which the model reads from then on."""
    model = Summarising("They asked ten questions.")
    pipeline = Pipeline(model)
    await grown(pipeline, 21)
    assert len(model.summaries) == 1
    assert pipeline.archived() == [f"question {n}" for n in range(10)]
    assert [turn.said[0].text for turn in pipeline.state().turns] == [f"question {n}" for n in range(10, 21)]
    await grown(pipeline, 1)
    assert "They asked ten questions." in model.prompts[-1].lines[0].text
    assert len(model.summaries) == 1


async def test_without_a_summary_turns_stay() -> None:
    """They wait in the window for the next time; when it fails for good they leave without one, and none is lost."""
    pipeline = Pipeline(Summarising(""))
    await grown(pipeline, 21)
    assert len(pipeline.state().turns) == 21
    assert pipeline.archived() == []
    assert pipeline.state().lease is None
    await grown(pipeline, 20)
    kept = [turn.said[0].text for turn in pipeline.state().turns]
    assert len(kept) <= 30
    assert len(pipeline.archived() + kept) == 41


async def test_forget() -> None:
    """Everything is gone at once, the archive and the id included; acknowledged once, by the event's own token."""
    pipeline = Pipeline(Summarising("A summary."))
    await grown(pipeline, 21)
    raw = said("/forget", at=pipeline.clock())
    await pipeline.take(raw)
    assert answers(pipeline)[-1] == (raw["replyToken"], phrase("erased", "en"))
    for trace in ("question", "summary", USER):
        assert trace not in pipeline.stored()
    assert pipeline.archived() == []
    assert pipeline.state().erased_by == raw["webhookEventId"]


async def test_forget_with_nothing_stored() -> None:
    """Twice, with nothing there: it is said, and nothing fails; without a token nothing is said."""
    pipeline = Pipeline()
    raw = said("/消去")
    await pipeline.take(raw)
    await pipeline.take(raw)
    assert pipeline.shown() == [phrase("erased", "ja")]
    await pipeline.take({**said("/forget", OTHER), "replyToken": None})
    assert len(pipeline.messenger.shown) == 1


async def test_forget_during_a_turn() -> None:
    """The answer in flight is discarded: the late settle writes nothing and sends nothing."""
    pipeline = Pipeline(BlockedModel("Hi!"))
    assert isinstance(pipeline.model, BlockedModel)
    turn = asyncio.create_task(pipeline.take(said("private words")))
    await pipeline.model.reached.wait()
    await pipeline.take(said("/forget", at=NOW + 1))
    pipeline.model.released.set()
    await asyncio.wait_for(turn, 5)
    assert pipeline.shown() == [phrase("erased", "en")]
    assert "private" not in pipeline.stored()
    assert "Hi!" not in pipeline.stored()


async def test_a_death_between_mark_and_archive() -> None:
    """The archive could not be deleted: the event comes again, deletes it, and is acknowledged then."""
    pipeline = Pipeline(Summarising("A summary."))
    await grown(pipeline, 21)
    raw = said("/forget", at=pipeline.clock())
    for _ in range(4):
        pipeline.store.fail_next(Unavailable("down"), method="erase_archive")
    with pytest.raises(Unavailable):
        await pipeline.take(raw)
    assert not {*phrases("erased")} & {*pipeline.shown()}
    for _ in range(3):
        with pytest.raises(Unavailable):
            await pipeline.take(raw)
    await pipeline.take(raw)
    assert pipeline.archived() == []
    assert pipeline.shown()[-1] in phrases("erased")


async def test_forget_redelivered_after_a_new_beginning() -> None:
    """The new conversation stays."""
    pipeline = Pipeline()
    forget = said("/forget")
    await pipeline.take(said("old", at=NOW - 1), forget)
    await pipeline.take(said("new", at=NOW + 1))
    await pipeline.take(forget)
    assert [turn.said[0].text for turn in pipeline.state().turns] == ["new"]


async def test_late_copies_of_what_was_forgotten() -> None:
    """Old messages that come again after the erasing are not answered, and not stored."""
    pipeline = Pipeline()
    old = said("old")
    await pipeline.take(old)
    await pipeline.take(said("/forget", at=NOW + 1))
    calls = len(pipeline.messenger.calls)
    await pipeline.take(old, said("older", at=NOW - 5))
    assert len(pipeline.messenger.calls) == calls
    assert "old" not in pipeline.stored()


@pytest.mark.parametrize(("kind", "source_id"), [("unfollow", USER), ("leave", GROUP)])
async def test_going_erases(kind: str, source_id: str) -> None:
    """Like /forget, without a word."""
    pipeline = Pipeline()
    await pipeline.take(said("@Kaiwa hello", source_id, mention=mention(0, 6)))
    shown = len(pipeline.messenger.calls)
    await pipeline.take({**left(kind, source_id, NOW + 1), "replyToken": "one that LINE would not send"})
    assert "hello" not in pipeline.stored()
    assert source_id not in pipeline.stored()
    assert len(pipeline.messenger.calls) == shown


async def test_unsend_in_the_window() -> None:
    """The message and its answer disappear; other turns stay."""
    pipeline = Pipeline(FakeModel("answer one", "answer two"))
    first = said("one")
    await pipeline.take(first)
    await pipeline.take(said("two", at=NOW + 1))
    await pipeline.take(unsent(first["message"]["id"], at=NOW + 2))
    assert [turn.answer for turn in pipeline.state().turns] == ["answer two"]
    assert "one" not in [turn.said[0].text for turn in pipeline.state().turns]
    assert "answer one" not in pipeline.stored()


async def test_unsend_in_the_archive() -> None:
    """Found there too, and the summary that may tell of it goes."""
    pipeline = Pipeline(Summarising("They asked question 3."))
    raws = [said(f"question {n}", at=NOW + n * 600_000) for n in range(21)]
    for raw in raws:
        await pipeline.take(raw)
        pipeline.clock.advance(600)
    assert "question 3" in pipeline.archived()
    await pipeline.take(unsent(raws[3]["message"]["id"], at=pipeline.clock()))
    assert "question 3" not in pipeline.archived()
    assert "question 3" not in pipeline.stored()
    assert len(pipeline.archived()) == 9
    assert pipeline.state().summary == ""


async def test_unsend_before_its_message() -> None:
    """The message is not taken in when it comes after all."""
    pipeline = Pipeline()
    raw = said("regretted")
    await pipeline.take(unsent(raw["message"]["id"], at=NOW + 1))
    await pipeline.take(raw)
    assert pipeline.shown() == []
    assert "regretted" not in pipeline.stored()


async def test_unsend_during_the_turn() -> None:
    """One of two messages is withdrawn while the model answers both: it is asked once more for what is left."""
    pipeline = Pipeline(BlockedModel("about both", "about one"))
    assert isinstance(pipeline.model, BlockedModel)
    regretted = said("regretted", at=NOW + 1)
    turn = asyncio.create_task(pipeline.take(said("kept"), regretted))
    await pipeline.model.reached.wait()
    await pipeline.take(unsent(regretted["message"]["id"], at=NOW + 2))
    pipeline.model.released.set()
    await asyncio.wait_for(turn, 5)
    assert pipeline.shown() == ["about one"]
    assert [prompt.lines[-1].text for prompt in pipeline.model.prompts] == ["kept\nregretted", "kept"]
    assert "regretted" not in pipeline.stored()
    assert "about both" not in pipeline.stored()


async def test_all_of_it_withdrawn_during_the_turn() -> None:
    """Nothing is sent, and the lease is given back."""
    pipeline = Pipeline(BlockedModel("Hi!"))
    assert isinstance(pipeline.model, BlockedModel)
    raw = said("regretted")
    turn = asyncio.create_task(pipeline.take(raw))
    await pipeline.model.reached.wait()
    await pipeline.take(unsent(raw["message"]["id"], at=NOW + 2))
    pipeline.model.released.set()
    await asyncio.wait_for(turn, 5)
    assert pipeline.shown() == []
    assert pipeline.state().lease is None


@pytest.mark.parametrize("method", ["read", "write"])
async def test_a_store_that_will_not_work(method: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Permission denied or no database: one apology by token, one clear log line, and no retry."""
    pipeline = Pipeline()
    pipeline.store.fail_next(Misconfigured("grant the role roles/datastore.user"), method=method)
    raw, newer = said("hello"), said("anybody there?", at=NOW + 1)
    await pipeline.take(newer, raw)
    assert answers(pipeline) == [(newer["replyToken"], phrase("trouble", "en"))]
    assert "grant the role" in capsys.readouterr().out
    assert pipeline.model.prompts == []


async def test_a_store_that_will_not_work_in_a_group() -> None:
    """Who did not speak to the bot gets no apology either."""
    pipeline = Pipeline()
    pipeline.store.fail_next(Misconfigured("no"), method="read")
    await pipeline.take(said("quoting", GROUP, quotedMessageId="1"))
    assert pipeline.messenger.calls == []


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("after", [True, False])
async def test_a_store_that_fails_once(at: int, after: bool) -> None:
    """At claim, settle or delivered, before or after the write was done: one answer, one turn, one model call."""
    pipeline = Pipeline(FakeModel("Hi!"))
    write = pipeline.store.write
    calls = 0

    async def failing(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at + 1:
            pipeline.store.fail_next(Unavailable("once"), after=after)
        return await write(*args)

    pipeline.store.write = failing  # type: ignore[method-assign, assignment]
    await pipeline.take(said("hello"))
    assert pipeline.shown() == ["Hi!"]
    assert len(pipeline.messenger.calls) == 1
    assert len(pipeline.model.prompts) == 1
    assert len(pipeline.state().turns) == 1
    assert pipeline.state().lease is None


async def test_a_store_that_stays_down() -> None:
    """Raised, so that the sender tries again; then it is answered once, without waiting for the lease to end."""
    pipeline = Pipeline()
    raw = said("hello")
    write = pipeline.store.write
    calls = 0

    async def down(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if 2 <= calls <= 5:
            raise Unavailable("down")
        return await write(*args)

    pipeline.store.write = down  # type: ignore[method-assign, assignment]
    with pytest.raises(Unavailable):
        await pipeline.take(raw)
    assert pipeline.state().lease is None
    await pipeline.take(raw)
    assert pipeline.shown() == ["hello"]


async def test_line_does_not_take_the_answer() -> None:
    """It waits in the outbox; the next try sends it without asking the model again."""
    pipeline = Pipeline(FakeModel("Hi!"))
    pipeline.messenger.fail_next(Sent.AMBIGUOUS, times=4)
    raw = said("hello")
    with pytest.raises(Unavailable):
        await pipeline.take(raw)
    assert [outgoing.bubbles for outgoing in pipeline.state().outbox] == [("Hi!",)]
    assert pipeline.state().lease is None
    await pipeline.take(raw)
    assert pipeline.shown() == ["Hi!"]
    assert len(pipeline.model.prompts) == 1
    assert pipeline.state().outbox == ()


async def test_an_answer_that_cannot_be_pushed() -> None:
    """The month's pushes are used up: it rides on the person's next token, in front of the new answer."""
    pipeline = Pipeline(FakeModel("old answer", "new answer"))
    pipeline.messenger.fail_next(Sent.QUOTA)
    await pipeline.take(said("old", at=NOW - 25 * MINUTE_MS))
    waiting: tuple[Outgoing, ...] = pipeline.state().outbox
    assert [outgoing.way for outgoing in waiting] == ["wait"]
    raw = said("new")
    await pipeline.take(raw)
    assert [(one.to, one.bubbles) for one in pipeline.messenger.shown] == [
        (raw["replyToken"], ("old answer", "new answer"))
    ]
    assert pipeline.state().outbox == ()


async def test_loading_that_fails() -> None:
    """The turn is unaffected, whether it fails or hangs."""
    pipeline = Pipeline()

    async def hangs(user_id: str, seconds: int) -> None:
        await asyncio.Event().wait()

    pipeline.messenger.show_loading = hangs  # type: ignore[method-assign]
    await asyncio.wait_for(pipeline.take(said("hello")), 5)
    assert pipeline.shown() == ["hello"]


async def test_no_loading_in_groups() -> None:
    """LINE shows it in one-to-one chats only, and fixed sentences need none."""
    pipeline = Pipeline()
    await pipeline.take(said("@Kaiwa hi", GROUP, mention=mention(0, 6)), said("/help"))
    await asyncio.sleep(0)
    assert pipeline.messenger.loading == []


async def test_after_three_tries() -> None:
    """From the fourth on it only apologises, keeps a dead letter, and later messages work."""
    pipeline = Pipeline(queue=True)
    raw = said("poison")
    for _ in range(3):
        pipeline.model.fail_next(RuntimeError("ends without giving the lease back"))
        with pytest.raises(RuntimeError):
            await pipeline.take(raw)
        pipeline.clock.advance(21)
    await pipeline.take(raw)
    assert pipeline.shown() == [phrase("given_up", "en")]
    assert [letter.said[0].text for letter in pipeline.state().dead_letters] == ["poison"]
    await pipeline.take(said("hello", at=pipeline.clock()))
    assert pipeline.shown()[-1] == "hello"


async def test_a_late_event() -> None:
    """Nineteen minutes old: answered by token; twenty-one: by push; after two days not at all."""
    pipeline = Pipeline()
    young, old = said("19", at=NOW - 19 * MINUTE_MS), said("21", OTHER, at=NOW - 21 * MINUTE_MS)
    await pipeline.take(young, old, said("2 days", GROUP, at=NOW - 2 * 1440 * MINUTE_MS, mention=mention(9, 1)))
    assert sorted(answers(pipeline)) == sorted([(young["replyToken"], "19"), ("push", "21")])
    assert conversation_id(GROUP) not in pipeline.store.documents


async def test_logs_of_whole_flows(capsys: pytest.CaptureFixture[str]) -> None:
    """No message text, answer, token or raw id in any line, however it ends."""
    pipeline = Pipeline(FakeModel("private answer"), queue=True)
    pipeline.messenger.fail_next(Sent.QUOTA)
    raws = [
        said("private one", at=NOW - 25 * MINUTE_MS),
        said("private two", OTHER),
        said("@Kaiwa private", GROUP, mention=mention(0, 6)),
    ]
    await pipeline.take(*raws)
    pipeline.model.fail_next(ModelFailed("quota"))
    await pipeline.take(said("private three", at=NOW + 1))
    pipeline.store.fail_next(Misconfigured("denied"))
    await pipeline.take(said("private four", at=NOW + 2))
    await pipeline.take(said("/history private", at=NOW + 3), unsent(raws[0]["message"]["id"], at=NOW + 4))
    await pipeline.take(said("/forget", at=NOW + 5))
    out = capsys.readouterr().out
    assert len(out.splitlines()) >= 6
    for secret in ("private", USER, OTHER, GROUP, "token-", "channel-secret", raws[0]["message"]["id"]):
        assert secret not in out
    lines = [json.loads(line) for line in out.splitlines()]
    turns = [line for line in lines if line["event"] == "turn"]
    assert conversation_id()[:12] in {line["conversation"] for line in turns}
    assert {"answered", "bubbles", "model_ms", "send_ms", "input_tokens", "outcome"} <= set(turns[0])


async def test_what_is_repeated_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """An event that was done before is told in a line of its own, and in that of the turn it came with."""
    pipeline = Pipeline()
    done = said("one")
    await pipeline.take(done)
    await pipeline.take(done)
    await pipeline.take(done, said("two", at=NOW + 1))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["count"] for line in lines if line["event"] == "events_repeated"] == [1, 1]
    assert [line["duplicates"] for line in lines if line["event"] == "turn"] == [0, 1]


async def test_too_many_in_a_minute() -> None:
    """Beyond sixty events of a conversation in a minute nothing is taken in, and the person is told so once."""
    pipeline = Pipeline()
    await pipeline.take(*(said(f"m{number}", at=NOW - 40_000 + number) for number in range(40)))
    await pipeline.take(*(said(f"n{number}", at=NOW - 20_000 + number) for number in range(40)))
    assert pipeline.shown().count(phrase("refused", "en")) == 1
    taken = "\n".join(line.text for prompt in pipeline.model.prompts for line in prompt.lines)
    assert "n19" in taken
    assert "n20" not in taken
    pipeline.clock.advance(60)
    await pipeline.take(said("later", at=pipeline.clock()))
    assert pipeline.shown()[-1] == "later"


async def test_a_damaged_lease() -> None:
    """A lease that ends in a far future is no reason to wait: the message is answered at once."""
    pipeline = Pipeline()
    await pipeline.take(said("before"))
    version, document = pipeline.store.documents[conversation_id()]
    forever = {"owner": "nobody", "until": 2**53}
    pipeline.store.documents[conversation_id()] = (version, {**document, "lease": forever})
    await asyncio.wait_for(pipeline.take(said("after")), 5)
    assert pipeline.shown() == ["before", "after"]


@pytest.mark.parametrize("raw", [said("/forget"), unsent("5"), left("unfollow")], ids=["forget", "unsend", "unfollow"])
@pytest.mark.parametrize("method", ["read", "erase_archive"])
async def test_erasing_is_tried_again(raw: dict[str, Any], method: str) -> None:
    """A store that refuses does not end an erasure with a 200: it stays with the sender until it is done."""
    pipeline = Pipeline()
    await pipeline.take(said("secret", at=NOW - 1000))
    pipeline.store.fail_next(Misconfigured("no permission"), method=method)
    if method == "erase_archive" and raw["type"] == "unsend":
        return  # nothing of it is in the archive, which is then not erased
    with pytest.raises(Unavailable):
        await pipeline.take(raw)
    await pipeline.take(raw)
    assert raw["type"] == "unsend" or "secret" not in pipeline.stored()


async def test_the_word_of_an_erasure_is_tried_again() -> None:
    """LINE did not take it: the sender tries again, and the person is told once."""
    pipeline = Pipeline()
    raw = said("/forget")
    pipeline.messenger.fail_next(Sent.AMBIGUOUS, times=4)
    with pytest.raises(Unavailable):
        await pipeline.take(raw)
    await pipeline.take(raw)
    assert pipeline.shown() == [phrase("erased", "ja")]


async def test_permission_lost_after_the_claim() -> None:
    """Nobody apologises for what will be answered: the sender tries again, and there is one answer."""
    pipeline = Pipeline(FakeModel("Hi!", "Hi!"))
    raw = said("hello")
    claimed = pipeline.store.write

    async def write(*arguments: Any) -> Any:
        if pipeline.store.calls("write") == 1:
            pipeline.store.fail_next(Misconfigured("no permission"))
        return await claimed(*arguments)

    pipeline.store.write = write  # type: ignore[method-assign, assignment]
    with pytest.raises(Unavailable):
        await pipeline.take(raw)
    assert pipeline.shown() == []
    pipeline.store.write = claimed  # type: ignore[method-assign]
    await pipeline.take(raw)
    assert pipeline.shown() == ["Hi!"]


async def test_permission_lost_for_longer() -> None:
    """Nor does a later try, or who was to wake it, apologise or end well before there is the answer."""
    pipeline = Pipeline(FakeModel("Hi!"))
    raw, waking = said("hello"), wake(Source("user", USER), NOW)
    await pipeline.store.write(conversation_id(), Seen(Conversation(), None), _taken_in(raw))
    for again in (raw, waking):
        pipeline.store.fail_next(Misconfigured("no permission"))
        with pytest.raises(Unavailable):
            await pipeline.take(again)
    assert pipeline.messenger.calls == []
    await pipeline.take(waking)
    assert pipeline.shown() == ["Hi!"]


def _taken_in(raw: dict[str, Any]) -> Conversation:
    pending = Pending(raw["webhookEventId"], NOW, "text", NOW, "hello", "m", raw["replyToken"])
    return Conversation(Source("user", USER), 1, pending=(pending,), expire_at=NOW + 60 * MINUTE_MS)


async def test_withdrawn_while_line_is_failing() -> None:
    """An answer whose message is unsent between two tries is not sent after all; its merged neighbour is told."""
    pipeline = Pipeline()
    first, second = said("one"), said("two", at=NOW + 1)
    pipeline.messenger.fail_next(Sent.AMBIGUOUS)
    replied = pipeline.messenger.reply

    async def reply(*arguments: Any) -> Any:
        receipt = await replied(*arguments)
        if len(pipeline.messenger.calls) == 1:
            pipeline.clock.advance(1)
            await Pipeline(store=pipeline.store, queue=True).take(unsent(first["message"]["id"]))
        return receipt

    pipeline.messenger.reply = reply  # type: ignore[method-assign, assignment]
    await pipeline.take(first, second)
    assert pipeline.shown() == [phrase("busy", "en")]
    assert [[one.text for one in turn.said] for turn in pipeline.state().turns] == [["two"]]


async def test_an_orderly_failure_is_no_try() -> None:
    """However often the store fails in an orderly way, the message is answered when it works again."""
    pipeline = Pipeline(FakeModel(*["Hi!"] * 9))
    raw = said("hello")
    claimed = pipeline.store.write
    for _ in range(5):

        async def write(*arguments: Any) -> Any:
            if arguments[2].outbox:
                raise Unavailable("down")
            return await claimed(*arguments)

        pipeline.store.write = write  # type: ignore[method-assign, assignment]
        with pytest.raises(Unavailable):
            await pipeline.take(raw)
        pipeline.clock.advance(1)
    pipeline.store.write = claimed  # type: ignore[method-assign]
    await pipeline.take(raw)
    assert pipeline.shown() == ["Hi!"]
