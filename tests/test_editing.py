"""An edited message counts in its newest version: before it is answered, and wherever it is kept."""

import asyncio
from typing import Any

from bot.admission import admit
from bot.claiming import claim
from bot.conversation import Conversation, DeadLetter, Preferences, Said, Turn
from bot.document import decode, encode, size
from bot.events import read_event
from bot.limits import PER_MINUTE, WINDOW_BYTES, Policy
from tests.fakes import FakeModel
from tests.pipeline import BlockedModel, Pipeline
from tests.webhooks import BOT, GROUP, NOW, USER, event, mention, said


def edit(text: str, message_id: str = "m-1", at: int = NOW + 10, *, mentioned: bool = True) -> dict[str, Any]:
    spoken = f"@Kaiwa {text}" if mentioned else text
    found = {"mention": mention(0, 6)} if mentioned else {}
    content = {"type": "text", "id": message_id, "quoteToken": "q-2", "text": spoken, **found}
    return event("messageEdited", GROUP, at, message=content)


def asked(text: str = "old", at: int = NOW) -> dict[str, Any]:
    return said(f"@Kaiwa {text}", GROUP, at, id="m-1", mention=mention(0, 6))


def after(*raws: dict[str, Any], state: Conversation | None = None) -> Conversation:
    """The state when these have been admitted, in this order."""
    state = state or Conversation()
    for raw in raws:
        found = read_event(raw, BOT, NOW + 100)
        assert found
        state = admit(state, found, NOW + 100)
    return state


def texts(state: Conversation) -> list[str]:
    return [pending.text for pending in state.pending]


def test_before_it_is_answered() -> None:
    """The new words take the place of the old, with the newer tokens."""
    state = after(asked(), edit("new"))
    [pending] = state.pending
    assert (pending.text, pending.at, pending.quote_token) == ("new", NOW, "q-2")
    assert pending.token != asked()["replyToken"]


def test_the_newest_version_counts() -> None:
    """In whatever order they come, the original last too; each of them once."""
    versions = [asked(), edit("second", at=NOW + 20), edit("first", at=NOW + 10)]
    for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 1, 0), (2, 0, 1)):
        state = after(*(versions[number] for number in order))
        assert texts(state) == ["second"]
        assert after(*versions, state=state) == state


def test_only_now_for_the_bot() -> None:
    """Edited to mention the bot it is answered, as a new message; edited without, it is nothing."""
    plain = said("hello all", GROUP, id="m-1")
    assert texts(after(plain, edit("hello"))) == ["hello"]
    assert after(plain, edit("hello", mentioned=False)) == Conversation()


def test_never_a_command() -> None:
    """Edited into a command it does nothing of the kind."""
    assert after(edit("/forget", mentioned=False)) == Conversation()
    state = after(asked(), edit("/reset", mentioned=False))
    assert [(pending.kind, pending.text) for pending in state.pending] == [("text", "/reset")]


def test_among_the_overheard() -> None:
    """Its text is replaced; when it comes to mention the bot, it is answered and no longer overheard."""
    listening = Conversation(preferences=Preferences(listening=True))
    heard = after(said("hello all", GROUP, id="m-1"), state=listening)
    changed = after(edit("hello you", mentioned=False), state=heard)
    assert [one.text for one in changed.overheard] == ["hello you"]
    called = after(edit("hello"), state=heard)
    assert (texts(called), called.overheard) == (["hello"], ())


def test_in_the_window() -> None:
    """What is answered stays so; the text is replaced, in dead letters too."""
    words = Said("m-1", "old", NOW, "Taro")
    state = Conversation(turns=(Turn("t", (words,), "yes"),), dead_letters=(DeadLetter("t", (words,), "why"),))
    state = after(edit("new"), state=state)
    assert state.pending == ()
    assert [(turn.said[0].text, turn.said[0].speaker, turn.answer) for turn in state.turns] == [("new", "Taro", "yes")]
    assert state.dead_letters[0].said[0].text == "new"
    assert decode(encode(state)) == state


def test_withdrawn() -> None:
    """An unsent message does not come back by an edit."""
    assert after(edit("new"), state=Conversation(unsent={"m-1": NOW})).pending == ()


def test_bounded() -> None:
    """An edit that would break a bound, or comes too fast, changes nothing."""
    state = Conversation(turns=(Turn("t", (Said("m-1", "old", NOW),), "x" * (WINDOW_BYTES - 1_000)),))
    assert after(edit("x" * 5_000), state=state) == state
    assert size(after(edit("x" * 100), state=state).turns) <= WINDOW_BYTES
    fast = after(asked(), *(edit(str(number), at=NOW + 1 + number) for number in range(2 * PER_MINUTE)))
    assert len(fast.done) <= PER_MINUTE


def test_a_private_edit() -> None:
    """LINE edits in groups only today; elsewhere the same holds."""
    original = said("old", id="m-1")
    content = {"type": "text", "id": "m-1", "text": "new"}
    state = after(original, event("messageEdited", USER, NOW + 10, message=content))
    assert texts(state) == ["new"]


def test_an_edit_wakes_nobody() -> None:
    """One of an answered message takes no lease; a second one is not even written."""
    state = Conversation(turns=(Turn("t", (Said("m-1", "old", NOW),), "yes"),), expire_at=NOW + 10**9)
    found = read_event(edit("new"), BOT, NOW + 100)
    assert found
    change = claim(state, [found], "me", NOW + 100, Policy())
    assert not change.outcome.held
    assert change.conversation.lease is None
    again = claim(change.conversation, [found], "me", NOW + 100, Policy())
    assert again.conversation == change.conversation


async def test_answered_as_edited() -> None:
    """An edit while the model thinks: that answer is discarded, and the one that is shown is to the new words."""
    model = BlockedModel()
    pipeline = Pipeline(model)
    working = asyncio.create_task(pipeline.take(asked("old question")))
    await model.reached.wait()
    await pipeline.take(edit("new question"))
    model.released.set()
    await working
    assert pipeline.shown() == ["Somebody: new question"]
    assert "old question" not in pipeline.stored()


async def test_answered_once() -> None:
    """An edit after the answer brings no other."""
    pipeline = Pipeline(FakeModel("yes"))
    await pipeline.take(asked())
    await pipeline.take(edit("new"))
    assert pipeline.shown() == ["yes"]
    assert [said.text for turn in pipeline.state(GROUP).turns for said in turn.said] == ["new"]
