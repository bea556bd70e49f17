"""Claim: events are taken in exactly once, and by one worker at a time."""

from dataclasses import replace

import pytest

from bot.conversation import Conversation, Lease, Outgoing, Pending
from bot.events import Event
from bot.limits import (
    DAY_MS,
    DONE_EVENTS,
    DONE_MS,
    MINUTE_MS,
    PENDING_BYTES,
    PENDING_EVENTS,
    PER_MINUTE,
    REFUSAL_MS,
    SEGMENT_BYTES,
    TRIES,
)
from bot.segments import deliverable, is_exhausted, next_segment
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


def texts(state: Conversation) -> list[str]:
    return [pending.text for pending in state.pending]


def many(count: int, at: int = NOW - 2 * MINUTE_MS) -> Conversation:
    """So many messages, under somebody else's lease."""
    pending = tuple(Pending(f"p-{n}", at, "text", at, "text") for n in range(count))
    return stored(pending=pending, lease=Lease("other", NOW + LEASE))


# --- once ---


def test_new_message() -> None:
    """It waits in the document, and who brought it holds the lease and has one try counted."""
    state, claimed = claim(Conversation(), said(), owner="me")
    assert claimed.held
    assert state.lease == Lease("me", NOW + LEASE)
    assert [(p.event_id, p.text, p.message_id, p.token, p.tries) for p in state.pending] == [
        ("e-a", "text-a", "m-a", "t-a", 1)
    ]
    assert (state.source, state.generation) == (SOURCE, NOW)


def test_duplicate_of_what_is_done() -> None:
    """Nothing is left to do, and nothing is written."""
    before = answered(said())
    state, claimed = claim(before, said(), owner="other")
    assert state is before
    assert not claimed.held
    assert not claimed.busy_until


def test_duplicate_during_the_turn() -> None:
    """It writes nothing, and is told until when the holder has time."""
    before = held(said())
    state, claimed = claim(before, said(), owner="other")
    assert state is before
    assert (claimed.held, claimed.busy_until) == (False, NOW + LEASE)


def test_duplicate_under_a_dead_holder_s_lease() -> None:
    """The answer is settled but perhaps nobody lives to send it: this request must be woken after the lease."""
    _, claimed = claim(settle(held(said())).conversation, said(), owner="other")
    assert claimed.busy_until == NOW + LEASE


def test_duplicate_once_the_answer_is_shown() -> None:
    """Under the lease of one who only makes the summary nobody has to wait."""
    shown = replace(answered(said()), lease=Lease("other", NOW + LEASE))
    assert not claim(shown, said())[1].busy_until


def test_redelivery_gives_the_token_new_life() -> None:
    """LINE lets it live a minute from the redelivery."""
    state, _ = claim(held(said()), said(received_at=NOW + 30_000), owner="other", now=NOW + 30_000)
    assert [pending.received_at for pending in state.pending] == [NOW + 30_000]


def test_late_copy_of_an_older_webhook() -> None:
    """What comes later but was received earlier does not make the token older."""
    state, _ = claim(held(said()), said(received_at=NOW - 30_000), owner="other")
    assert [pending.received_at for pending in state.pending] == [NOW]


# --- replays ---


def test_replay_of_a_forgotten_id() -> None:
    """An id is remembered for 30 minutes; older events at or below the newest forgotten one are dropped."""
    later = NOW + DONE_MS + 1
    before = answered(said("b", later - 1), before=answered(said()), now=later)
    assert (before.floor, set(before.done)) == (NOW, {"e-b"})
    assert claim(before, said(), now=later)[0] is before


def test_young_events_are_no_replays() -> None:
    """LINE redelivers for about 20 minutes, in any order: younger than 30 minutes is never dropped."""
    before = stored(floor=NOW)
    assert claim(before, said(at=NOW - DONE_MS))[1].held
    assert not claim(before, said(at=NOW - DONE_MS - 1))[1].held


def test_failing_event_is_no_replay() -> None:
    """However old it gets, what is still pending is no replay, and its redelivery continues it."""
    later = NOW + DONE_MS + 1
    before = replace(held(said()), floor=NOW + 1)
    assert claim(before, said(), owner="other", now=later)[1].held


@pytest.mark.parametrize("event", [said(at=NOW - DAY_MS), erasing(at=NOW - DAY_MS), unsent(at=NOW - DAY_MS)])
def test_event_older_than_a_day(event: Event) -> None:
    """It is dropped, whatever it is: nothing is written, nothing is erased, nothing is said."""
    before = stored(turns=(turn(),))
    state, claimed = claim(before, event)
    assert state is before
    assert (claimed.held, claimed.erased) == (False, None)


def test_replay_after_erasing() -> None:
    """What is not newer than the mark is gone for good."""
    erased, _ = claim(answered(said()), erasing(at=NOW + 1))
    assert claim(erased, said())[0] is erased
    assert claim(erased, said("b", NOW + 1))[0] is erased
    assert claim(erased, said("c", NOW + 2))[1].held


def test_unsent_before_it_arrives() -> None:
    """It is never stored, and neither is the user's id."""
    before, _ = claim(Conversation(), unsent())
    state, claimed = claim(before, said())
    assert state is before
    assert not claimed.held
    assert state.source is None


def test_expired_conversation() -> None:
    """It counts as absent, though the database has not removed it yet."""
    before = replace(answered(said()), expire_at=NOW)
    state, _ = claim(before, said("b"))
    assert (state.turns, texts(state)) == ((), ["text-b"])


# --- the lease ---


def test_live_lease() -> None:
    """A message that comes during a turn is kept for its holder; who brought it must be woken after the lease."""
    state, claimed = claim(held(said()), said("b"), owner="other")
    assert texts(state) == ["text-a", "text-b"]
    assert state.lease == Lease("me", NOW + LEASE)
    assert (claimed.held, claimed.busy_until) == (False, NOW + LEASE)


def test_expired_lease() -> None:
    """Another takes over, and the second try is counted."""
    state, claimed = claim(held(said()), said(), owner="other", now=NOW + LEASE)
    assert claimed.held
    assert state.lease == Lease("other", NOW + 2 * LEASE)
    assert [pending.tries for pending in state.pending] == [2]


@pytest.mark.parametrize("later", [0, LEASE])
def test_lost_acknowledgement_of_a_claim(later: int) -> None:
    """My own lease is success, even expired, and counts no second try."""
    before = held(said())
    state, claimed = claim(before, said(), owner="me", now=NOW + later)
    assert claimed.held
    assert state is before


def test_wake_up() -> None:
    """It continues what others left, waits for the living, and finds nothing to do when all went well."""
    wake = said("wake", action="wake", text="", message_id="", token="")
    abandoned = held(said())
    assert claim(abandoned, wake, owner="waker", now=NOW + LEASE)[1].held
    assert claim(abandoned, wake, owner="waker")[1].busy_until == NOW + LEASE
    done = answered(said())
    assert claim(done, wake, owner="waker")[0] is done


def test_outbox_first() -> None:
    """A settled answer is sent before anything new is asked, and no message has its try counted for that."""
    abandoned = claim(settle(held(said())).conversation, said("b"), owner="other")[0]
    state, claimed = claim(abandoned, said(), owner="other", now=NOW + LEASE)
    assert claimed.held
    assert [pending.tries for pending in state.pending] == [0]
    after = delivered(state, owner="other", now=NOW + LEASE).conversation
    assert [pending.tries for pending in after.pending] == [1]


def test_waiting_answers_need_no_worker() -> None:
    """What could not be pushed waits for the user's next message, not for a worker."""
    before = stored(outbox=(waiting(),))
    assert deliverable(before) is None
    assert not claim(before, said("wake", action="wake"))[1].held


# --- tries ---


def test_fourth_try_is_none() -> None:
    """After three tries a message is exhausted: it will only be apologised for."""
    state = Conversation()
    for number in range(TRIES):
        state = held(said(), before=state, owner=f"worker-{number}", now=NOW + number * LEASE)
        assert not is_exhausted(state.pending[0])
    state = held(said(), before=state, owner="last", now=NOW + TRIES * LEASE)
    assert is_exhausted(state.pending[0])


def test_exhausted_messages_stay_apart() -> None:
    """They cannot take a younger one down with them: it has no try counted for a turn that is not its own."""
    failed = Pending("e-a", NOW, "text", NOW, "text-a", tries=TRIES)
    state = held(said("b", NOW + 1), before=stored(pending=(failed,)))
    assert [pending.event_id for pending in next_segment(state)] == ["e-a"]
    assert [pending.tries for pending in state.pending] == [TRIES + 1, 0]


def test_exhausted_message_behind_a_late_one() -> None:
    """An older message that comes late is not merged with one that has failed too often."""
    failed = Pending("e-b", NOW, "text", NOW, "text-b", tries=TRIES)
    state = held(said("a", NOW - 1), before=stored(pending=(failed,)))
    assert [pending.event_id for pending in next_segment(state)] == ["e-a"]


# --- segments ---


def test_messages_are_answered_in_the_order_they_were_written() -> None:
    """Neighbours are merged into one answer, whatever the order of their webhooks."""
    state = held(said("b", NOW + 1), said("a"), said("c", NOW + 2))
    assert [pending.text for pending in next_segment(state)] == ["text-a", "text-b", "text-c"]


def test_commands_stand_alone() -> None:
    """What was written before a command is answered before it, what came after it after it."""
    state = held(said("a"), command("/reset", NOW + 1), command("/help", NOW + 2), said("b", NOW + 3))
    assert [pending.text for pending in next_segment(state)] == ["text-a"]
    state = delivered(settle(state).conversation).conversation
    assert [pending.text for pending in next_segment(state)] == ["/reset"]
    state = delivered(settle(state).conversation).conversation
    assert [pending.text for pending in next_segment(state)] == ["/help"]


def test_kinds_are_not_merged() -> None:
    """A sticker does not become part of a question."""
    state = held(said("a"), said("s", NOW + 1, kind="unsupported", text=""), said("b", NOW + 2))
    assert [pending.event_id for pending in next_segment(state)] == ["e-a"]


def test_merging_ends_where_a_turn_gets_too_large() -> None:
    """A turn must fit into the window with its answer."""
    half = "あ" * (SEGMENT_BYTES // 6)
    state = held(*(said(name, NOW + n, text=half) for n, name in enumerate("abc")))
    assert [pending.event_id for pending in next_segment(state)] == ["e-a"]


# --- what a message is ---


def test_unaddressed_message() -> None:
    """A group's talk that is not for the bot leaves no trace."""
    before = stored(shown_ids=("s-1",))
    assert claim(before, said("b", addressed=False, quoted_id="s-2"))[0] is before


def test_quoting_the_bot() -> None:
    """Who quotes what the bot said, speaks to it."""
    before = stored(shown_ids=("s-1",))
    assert claim(before, said("b", addressed=False, quoted_id="s-1"))[1].held


def test_typing_more() -> None:
    """It is the button where something is left, and a message where nothing is."""
    assert [p.kind for p in held(said(text="続き"), before=stored(rest=(part(),))).pending] == ["command"]
    assert [p.kind for p in held(said(text="続き")).pending] == ["text"]


def test_language_follows_what_is_written() -> None:
    """Japanese until something else is told, by words or by the language of a command."""
    assert held(said(text="123")).language == "ja"
    english = held(said(text="hello"))
    assert english.language == "en"
    assert held(command("/ヘルプ"), before=replace(english, lease=None)).language == "ja"


# --- bounds ---


def test_too_many_pending() -> None:
    """Beyond the bound a message is refused, and the user is told so with its token."""
    state, _ = claim(many(PENDING_EVENTS), said())
    assert [(p.kind, p.text, p.token) for p in state.pending[PENDING_EVENTS:]] == [("refused", "", "t-a")]


def test_refusing_once_in_ten_minutes() -> None:
    """A flood gets one notice in a window, and one more in the next."""
    before, _ = claim(many(PENDING_EVENTS), said())
    assert claim(before, said("b"))[0] is before
    told = replace(before, pending=before.pending[:PENDING_EVENTS], lease=Lease("other", NOW + REFUSAL_MS + LEASE))
    assert claim(told, said("b"), now=NOW + REFUSAL_MS - 1)[0] is told
    later, _ = claim(told, said("b"), now=NOW + REFUSAL_MS)
    assert later.pending[-1].kind == "refused"


def test_what_is_dropped_is_counted() -> None:
    """A replay is known to the operator; a duplicate of what is done or waits is none."""
    state = answered(said("a", NOW))
    late = said("old", NOW - DONE_MS - 1)
    floor = replace(state, floor=NOW - DONE_MS)
    _, claimed = claim(floor, said("a", NOW), late, said("b", NOW + 1))
    assert (claimed.dropped, claimed.duplicates) == (1, 1)


def test_only_what_is_done_is_a_duplicate() -> None:
    """What waits already is on its way, and what was never there is new."""
    assert claim(held(said()), said(), owner="other")[1].duplicates == 0
    assert claim(Conversation(), said())[1].duplicates == 0
    assert claim(answered(said()), said())[1].duplicates == 1


def test_notices_do_not_pile_up() -> None:
    """As long as one is still to be sent there is no second, whatever the time."""
    before, _ = claim(many(PENDING_EVENTS), said())
    before = replace(before, lease=Lease("other", NOW + REFUSAL_MS + LEASE))
    state, _ = claim(before, said("b"), now=NOW + REFUSAL_MS)
    assert [pending.kind for pending in state.pending].count("refused") == 1


def test_too_large() -> None:
    """The texts that wait are bounded by their size as well."""
    state, _ = claim(stored(), said(text="あ" * (PENDING_BYTES // 3)))
    assert [pending.kind for pending in state.pending] == ["refused"]


def test_too_many_in_half_an_hour() -> None:
    """So many ids must be remembered, and no more are taken in; older ones do not count."""
    recent = {f"d-{n}": NOW - 10 * MINUTE_MS for n in range(DONE_EVENTS)}
    assert [p.kind for p in claim(stored(done=recent), said())[0].pending] == ["refused"]
    old = dict.fromkeys(recent, NOW - DONE_MS - 1)
    assert [p.kind for p in claim(stored(done=old), said())[0].pending] == ["text"]


def test_too_many_in_a_minute() -> None:
    """A conversation's messages a minute are bounded."""
    recent = {f"d-{n}": NOW - 1000 for n in range(PER_MINUTE)}
    assert [p.kind for p in claim(stored(done=recent), said())[0].pending] == ["refused"]


def test_outgoing_reply_comes_before_pending() -> None:
    """The oldest answer that is not known to be delivered is the next to send."""
    first, second = Outgoing("x", (part(),), "reply"), Outgoing("y", (part(),), "push")
    assert deliverable(stored(outbox=(waiting(), first, second))) == first
