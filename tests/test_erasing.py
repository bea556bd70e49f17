"""Forgetting: what is erased or withdrawn is gone from everywhere, and nothing that is written later brings it back."""

from dataclasses import replace

import pytest

from bot.conversation import Conversation, DeadLetter, Lease, Outgoing, Part, Pending, Preferences, QuickReply, Said
from bot.document import encode, size
from bot.limits import DAY_MS, UNSENT_BYTES
from bot.results import Result
from bot.texts import phrase
from tests.states import (
    LEASE,
    NOW,
    SOURCE,
    answered,
    claim,
    command,
    delivered,
    erasing,
    held,
    part,
    said,
    settle,
    stored,
    turn,
    unsent,
    waiting,
)


def everything() -> Conversation:
    """A conversation with something of `a` in every place, and of `b` beside it."""
    merged = Part("turn-a-b", NOW, ("m-a", "m-b"), ("text-a and text-b",))
    return stored(
        turns=(turn("a"), replace(turn("b", NOW + 1), sent_ids=("s-1",))),
        pending=(Pending("e-x", NOW, "text", NOW, "text-a", "m-a"), Pending("e-b", NOW + 1, "text", NOW, "b", "m-b")),
        outbox=(waiting("a", NOW, "text-a"), replace(waiting("b"), parts=(part("b"), merged))),
        rest=(part("a", NOW, "text-a"), part("b", NOW + 1)),
        dead_letters=(
            DeadLetter("t", (Said("m-a", "text-a", NOW), Said("m-b", "text-b", NOW + 1)), "too many tries"),
            DeadLetter("t", (Said("m-a", "text-a", NOW),), "too many tries"),
        ),
    )


# --- the whole conversation ---


@pytest.mark.parametrize("action", ["forget", "left"])
def test_erase(action: str) -> None:
    """Only a mark is left, for a day: no text, and not even the user's id."""
    before = replace(everything(), summary="in short", lease=Lease("other", NOW + LEASE))
    state, claimed = claim(before, erasing(action, NOW + 5))
    assert claimed.erased == erasing(action, NOW + 5)
    assert set(encode(state)) == {"generation", "erased_at", "erased_by", "expire_at"}
    assert (state.erased_at, state.expire_at) == (NOW + 5, NOW + DAY_MS)
    assert state.generation > before.generation


def test_erase_during_the_turn() -> None:
    """Whoever holds the lease loses it, so that the late answer is discarded."""
    state, claimed = claim(held(said()), erasing(at=NOW + 1), owner="other")
    assert state.lease is None
    assert not claimed.held


def test_erase_nothing() -> None:
    """The mark is left all the same: what was written before may still be on its way."""
    state, claimed = claim(Conversation(), erasing(at=NOW))
    assert claimed.erased
    assert claim(state, said(at=NOW))[0] is state


def test_message_after_forget() -> None:
    """What is newer is kept, whichever comes first; the eraser goes on with it."""
    for events in ([erasing(at=NOW), said("b", NOW + 1)], [said("b", NOW + 1), erasing(at=NOW)]):
        state, claimed = claim(held(said("a", NOW - 1)), *events, owner="other")
        assert claimed.held
        assert [pending.text for pending in state.pending] == ["text-b"]
        assert state.source == SOURCE


def test_forget_inside_a_merged_turn() -> None:
    """A late one takes the older message and the answer made from it; the newer message stays in the window."""
    before = answered(said("a"), said("b", NOW + 2))
    state, _ = claim(before, erasing(at=NOW + 1))
    assert [(t.message_ids, t.answer) for t in state.turns] == [(("m-b",), "")]


def test_late_forget_lets_no_replay_in() -> None:
    """What was answered and whose id is forgotten stays answered."""
    later = NOW + DAY_MS // 2
    before = answered(said("b", later), before=answered(said("a", NOW + 1)), now=later)
    state, _ = claim(before, erasing(at=NOW), now=later)
    assert claim(state, said("a", NOW + 1), now=later)[0] is state


def test_forget_takes_a_page_of_history_with_it() -> None:
    """The page was asked for later, but shows what was said before."""
    before = held(command("/history", NOW + 2), before=stored(turns=(turn(),)))
    page = settle(before, Result(tuple("text-a" for _ in range(7)), quotes=before.turns)).conversation
    assert page.rest
    state, _ = claim(page, erasing(at=NOW + 1), owner="other")
    assert "text-a" not in str(encode(state))


def test_redelivered_forget() -> None:
    """It erases once; the archive is looked through again, in case its eraser died, and the new chat stays."""
    erased, _ = claim(answered(said()), erasing(at=NOW + 1))
    fresh = answered(said("b", NOW + 2), before=erased)
    state, claimed = claim(fresh, erasing(at=NOW + 1))
    assert state is fresh
    assert claimed.erased


def test_late_unfollow() -> None:
    """What came before it goes; what was said since the user came back stays, and its copy does nothing more."""
    before = answered(said("b", NOW + 2))
    state, claimed = claim(before, erasing("left", NOW + 1))
    assert claimed.erased
    assert state.turns == before.turns
    assert claim(state, erasing("left", NOW + 1))[0] is state


def test_unfollow_older_than_the_last() -> None:
    """It came too late to erase anything."""
    before = stored(turns=(turn(),), erased_at=NOW)
    state, claimed = claim(before, erasing("left", NOW - 1))
    assert state is before
    assert not claimed.erased


def test_language_of_the_farewell() -> None:
    """The acknowledgement speaks the language of the talk that is no more."""
    assert claim(replace(everything(), language="en"), erasing(at=NOW + 5))[1].language == "en"


# --- one message ---


def test_unsend() -> None:
    """The message is gone from every place, with every answer made from it; the others stay."""
    state, _ = claim(everything(), unsent("a"))
    assert "text-a" not in str(encode(state))
    assert [t.message_ids for t in state.turns] == [("m-b",)]
    assert [pending.event_id for pending in state.pending] == ["e-b"]
    assert [[p.turn_id for p in outgoing.parts] for outgoing in state.outbox] == [["turn-b", "turn-a-b"]]
    assert state.outbox[0].parts[1].bubbles == (phrase("busy", "ja"),)
    assert [p.turn_id for p in state.rest] == ["turn-b"]
    assert [[said.message_id for said in letter.said] for letter in state.dead_letters] == [["m-b"]]
    assert state.done["e-x"] == NOW


def test_unsend_one_of_a_merged_turn() -> None:
    """The answer goes, for it was made from both; what else was said stays."""
    before = replace(answered(said("a"), said("b", NOW + 1)), archived=0)
    state, _ = claim(before, unsent("a"))
    assert [(t.message_ids, t.answer, t.sent_ids) for t in state.turns] == [(("m-b",), "", ())]


def test_unsend_the_first_of_a_merged_turn() -> None:
    """What is left of it takes its place by its own time: another message may have come between the two."""
    merged = answered(said("a"), said("c", NOW + 2))
    state, _ = claim(answered(said("b", NOW + 1), before=merged), unsent("a", NOW + 3))
    assert [turn.message_ids for turn in state.turns] == [("m-b",), ("m-c",)]


def test_unsend_before_the_answer_is_sent() -> None:
    """It is not sent any more."""
    state, claimed = claim(settle(held(said())).conversation, unsent(), owner="other")
    assert state.outbox == ()
    assert not claimed.busy_until


def test_unsend_a_message_that_history_shows() -> None:
    """Also a page of history that waits, or whose rest is stored, loses it, buttons included."""
    before = held(command("/history", NOW + 2), before=stored(turns=(turn(),)))
    again = (QuickReply("Earlier", "/history @0. text-a"),)
    page = settle(before, Result(tuple("text-a" for _ in range(7)), again, quotes=before.turns)).conversation
    state, _ = claim(page, unsent("a"), owner="other")
    assert "text-a" not in str(encode(state))


def test_unsend_a_search() -> None:
    """The words that were searched for are gone from the buttons, though other answers ride with the page."""
    parts = (part("b"), part("a"))
    outgoing = Outgoing("turn-a", parts, "reply", (), (QuickReply("Earlier", "/history @0. text-a"),))
    state, _ = claim(stored(outbox=(outgoing,)), unsent("a"))
    assert state.outbox == (replace(outgoing, parts=parts[:1], quick_replies=()),)


def test_unsend_twice() -> None:
    """The second does nothing."""
    before, _ = claim(everything(), unsent())
    assert claim(replace(before, lease=Lease("other", NOW + LEASE)), unsent())[0].unsent == before.unsent


def test_unsend_what_is_archived() -> None:
    """The archive is searched too, and again when the event comes again: a message run again may be in both."""
    before = stored(turns=(turn("b"),), archived=1)
    state, claimed = claim(before, unsent("a"))
    assert claimed.unsent == ("m-a",)
    assert claim(state, unsent("a"))[1].unsent == ("m-a",)
    assert claim(before, unsent("b"))[1].unsent == ("m-b",)
    assert claim(replace(before, archived=0), unsent("a"))[1].unsent == ()


def test_unsend_in_an_empty_conversation() -> None:
    """The id is kept for a day, and nothing that tells whose it is."""
    state, _ = claim(Conversation(), unsent())
    assert set(encode(state)) == {"unsent", "expire_at"}
    assert state.expire_at == NOW + DAY_MS
    assert claim(state, said("b", NOW + DAY_MS), now=NOW + DAY_MS)[0].unsent == {}


def test_thousands_of_withdrawals() -> None:
    """The newest ids are kept, as many as have room."""
    state = Conversation()
    for n in range(500):
        state, _ = claim(state, unsent(f"{n:018}"))
    assert UNSENT_BYTES - 100 < size(state.unsent) <= UNSENT_BYTES
    assert "m-000000000000000499" in state.unsent
    assert "m-000000000000000000" not in state.unsent


def test_answer_after_unsend_is_a_new_one() -> None:
    """What is left of a merged turn is answered on its own."""
    withdrawn, _ = claim(held(said("a"), said("b", NOW + 1)), unsent("a"), owner="other")
    state = delivered(settle(withdrawn, Result(("to b",), answer="to b", remembered=True)).conversation).conversation
    assert [(t.message_ids, t.answer) for t in state.turns] == [(("m-b",), "to b")]


def test_a_persona_goes_with_its_message() -> None:
    """Withdrawn, the words that describe it are gone from the settings; the other settings stay."""
    state = stored(preferences=Preferences(persona="a pirate", persona_id="m-a", model="large"))
    left, _ = claim(state, unsent("a", NOW + 1), now=NOW + 1)
    assert left.preferences == Preferences(model="large")
    kept, _ = claim(state, unsent("b", NOW + 1), now=NOW + 1)
    assert kept.preferences == state.preferences


def test_settings_go_with_the_conversation() -> None:
    """After erasing everything is as in the beginning."""
    left, _ = claim(stored(preferences=Preferences(persona="a pirate", language="ja")), erasing())
    assert left.preferences == Preferences()
