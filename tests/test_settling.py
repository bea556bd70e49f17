"""Settle and delivered: an answer is kept before it is shown, and shown once."""

from dataclasses import replace

import pytest

from bot import settling
from bot.conversation import (
    Conversation,
    Lease,
    Outgoing,
    Preferences,
    Source,
    Token,
    Usage,
)
from bot.document import size
from bot.events import Event
from bot.limits import (
    ANSWER_BYTES,
    BUBBLES,
    DEAD_LETTER_BYTES,
    DEAD_LETTERS,
    MINUTE_MS,
    PENDING_EVENTS,
    ROLL_TURNS,
    ROUNDS,
    STORED_BYTES,
    TOKEN_MS,
    WAITING,
    WAITING_BYTES,
    WINDOW_BYTES,
    WINDOW_TURNS,
    WINDOW_TURNS_AT_MOST,
)
from bot.outbox import Disposition
from bot.results import Result
from bot.segments import deliverable, next_segment
from bot.settling import Hold, Step
from bot.spending import spent_today
from bot.window import roll_out
from tests.states import (
    ANSWER,
    LEASE,
    NOTICE,
    NOW,
    POLICY,
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

LONG = Result(tuple(f"bubble {number}" for number in range(7)), answer="long", remembered=True)
LATE = NOW + TOKEN_MS


def outgoing_of(state: Conversation) -> Outgoing:
    outgoing = deliverable(state)
    assert outgoing is not None
    return outgoing


# --- settle ---


def test_settle() -> None:
    """One write: the messages are done, the turn is remembered, its answer lies in the outbox, the lease is new."""
    used = replace(ANSWER, usage=Usage(1, 10, 0, 5, 700))
    change = settle(held(said("a"), said("b", NOW + 1)), used, now=NOW + 5)
    state = change.conversation
    assert change.outcome is Step.GO_ON
    assert (state.pending, dict(state.done)) == ((), {"e-a": NOW, "e-b": NOW + 1})
    assert [(t.message_ids, t.answer) for t in state.turns] == [(("m-a", "m-b"), "the answer")]
    assert state.lease == Lease("me", NOW + 5 + LEASE)
    assert state.usage == Usage(1, 10, 0, 5, 700)
    assert spent_today(state, NOW + 5) == state.usage
    outgoing = outgoing_of(state)
    assert (outgoing.bubbles, outgoing.way) == (("the answer",), "reply")
    assert [token.value for token in outgoing.tokens] == ["t-b", "t-a"]


def test_settle_after_another_took_over() -> None:
    """Whoever was frozen past its lease discards its answer."""
    frozen = held(said())
    taken = held(said(), before=frozen, owner="other", now=NOW + LEASE)
    change = settle(taken, segment=next_segment(frozen))
    assert (change.conversation, change.outcome) == (taken, Step.LOST)


def test_settle_after_everything_was_erased() -> None:
    """The late answer brings nothing back."""
    before = held(said())
    erased, _ = claim(before, erasing(at=NOW + 1), owner="other")
    change = settle(erased, segment=next_segment(before))
    assert (change.conversation, change.outcome) == (erased, Step.LOST)


def test_settle_with_an_expired_lease() -> None:
    """It is valid as long as nobody else has taken over."""
    assert settle(held(said()), now=NOW + 5 * LEASE).outcome is Step.GO_ON


@pytest.mark.parametrize("result", [ANSWER, Result(("sorry",), quiet=True), Result()])
def test_lost_acknowledgement_of_settle(result: Result) -> None:
    """The turn is there once, and the holder goes on to send it."""
    before = held(said())
    state = settle(before, result).conversation
    again = settle(state, result, segment=next_segment(before))
    assert (again.conversation, again.outcome, again.archive) == (state, Step.GO_ON, ())


def test_unsent_during_the_turn() -> None:
    """The answer is discarded, and what is left is looked at anew."""
    before = held(said("a"), said("b", NOW + 1))
    withdrawn, _ = claim(before, unsent("a"), owner="other")
    change = settle(withdrawn, segment=next_segment(before))
    assert (change.conversation, change.outcome) == (withdrawn, Step.AGAIN)
    assert [pending.text for pending in next_segment(withdrawn)] == ["text-b"]


def test_all_of_it_unsent_during_the_turn() -> None:
    """Nothing is settled and nothing sent; the holder goes on to what else there is."""
    before = held(said())
    withdrawn, _ = claim(before, unsent(), owner="other")
    change = settle(withdrawn, segment=next_segment(before))
    assert (change.conversation, change.outcome) == (withdrawn, Step.GO_ON)
    assert deliverable(withdrawn) is None


def test_quoted_message_unsent_during_the_turn() -> None:
    """A page of history that shows it is made anew."""
    before = held(command("/history", NOW + 1), before=stored(turns=(turn(),)))
    page = Result(("text-a",), quotes=before.turns)
    withdrawn, _ = claim(before, unsent(), owner="other")
    assert settle(withdrawn, page, segment=next_segment(before)).outcome is Step.AGAIN


def test_other_message_unsent_during_the_turn() -> None:
    """What was overheard or quoted is in the answer too: it is discarded, and made once more without it."""
    state, _ = claim(held(said("a")), unsent("quoted", NOW + 1), owner="other")
    assert settle(state, replace(ANSWER, read=("m-quoted",))).outcome is Step.AGAIN
    assert settle(state, replace(ANSWER, read=("m-other",))).outcome is Step.GO_ON


def test_persona_unsent_while_something_else_is_set() -> None:
    """Setting the model does not bring back the words that were withdrawn meanwhile."""
    wish = Preferences(persona="a pirate", persona_id="m-wish")
    before = held(command("/model large", NOW + 1), before=stored(preferences=wish))
    chosen = Result(("set",), preferences=replace(wish, model="large"))
    assert settle(before, chosen).conversation.preferences.persona == "a pirate"
    withdrawn, _ = claim(before, unsent("wish", NOW + 2), owner="other")
    change = settle(withdrawn, chosen, segment=next_segment(before))
    assert (change.conversation, change.outcome) == (withdrawn, Step.AGAIN)
    assert withdrawn.preferences == Preferences()


def test_edited_during_the_turn() -> None:
    """The answer was to other words: it is discarded, and the new words are looked at."""
    before = held(said("a"))
    edited, _ = claim(before, said("new", NOW + 1, message_id="m-a", edited=True), owner="other")
    change = settle(edited, segment=next_segment(before))
    assert (change.conversation, change.outcome) == (edited, Step.AGAIN)
    assert [pending.text for pending in next_segment(edited)] == ["text-new"]


def in_group(*events: Event, before: Conversation | None = None) -> Conversation:
    group = Source("group", "C" + "2" * 32)
    return held(*(replace(event, source=group) for event in events), before=replace(before or stored(), source=group))


def test_the_answer_quotes() -> None:
    """In a group the newest message that it answers; not when an older answer rides in front, nor in private."""
    asked = [said("a", quote_token="q-a"), said("b", NOW + 1, quote_token="q-b"), said("c", NOW + 2)]
    assert outgoing_of(settle(in_group(*asked)).conversation).quote_token == "q-b"
    riding = in_group(*asked, before=stored(outbox=(waiting("x"),)))
    assert outgoing_of(settle(riding).conversation).quote_token == ""
    assert outgoing_of(settle(held(*asked)).conversation).quote_token == ""


def test_what_is_refused_does_not_quote_again() -> None:
    """LINE may have refused the quotation, and not the token."""
    state = settle(in_group(said("a", quote_token="q-a"))).conversation
    state, _ = change_way(state, outgoing_of(state).tokens[0])
    assert (outgoing_of(state).way, outgoing_of(state).quote_token) == ("push", "")


def test_redelivered_during_the_turn() -> None:
    """The token's new life is used."""
    before = held(said())
    renewed, _ = claim(before, said(received_at=NOW + 9_000), owner="other", now=NOW + 9_000)
    assert outgoing_of(settle(renewed, now=LATE, segment=next_segment(before)).conversation).way == "reply"


def test_late_message() -> None:
    """It takes its place in the window, before what was answered already."""
    state = settle(held(said("late", NOW - 5), before=answered(said()))).conversation
    assert [t.message_ids for t in state.turns] == [("m-late",), ("m-a",)]


def test_fixed_sentence_is_not_remembered() -> None:
    """Help and apologies for stickers are no part of the conversation."""
    state = settle(held(command("/help")), Result(("help",))).conversation
    assert state.turns == ()
    assert outgoing_of(state).bubbles == ("help",)


# --- the way ---


def test_dead_tokens() -> None:
    """An answer that took too long goes by push."""
    state = settle(held(said()), now=LATE).conversation
    assert (outgoing_of(state).way, outgoing_of(state).tokens) == ("push", ())


def test_quiet_result_without_a_token() -> None:
    """It is not worth a push: it waits for the next token."""
    state = settle(held(said()), Result(("sorry",), quiet=True), now=LATE).conversation
    assert [(outgoing.way, outgoing.bubbles) for outgoing in state.outbox] == [("wait", ("sorry",))]


def test_waiting_answers_ride_on_the_next_token() -> None:
    """The oldest first, in front of the new answer, each still known as its own turn's."""
    before = stored(outbox=(waiting("x"), waiting("y")))
    state = settle(held(said(), before=before)).conversation
    assert [outgoing.bubbles for outgoing in state.outbox] == [("answer-x", "answer-y", "the answer")]
    assert [part.turn_id for part in outgoing_of(state).parts] == ["turn-x", "turn-y", "turn-e-a"]


def test_waiting_answers_do_not_ride_on_a_push() -> None:
    """They would only cost again."""
    state = settle(held(said(), before=stored(outbox=(waiting("x"),))), now=LATE).conversation
    assert [(outgoing.way, outgoing.bubbles) for outgoing in state.outbox] == [
        ("wait", ("answer-x",)),
        ("push", ("the answer",)),
    ]


def test_long_answer() -> None:
    """Five bubbles go at once; the rest is stored, in front of what was left of older answers."""
    state = settle(held(said(), before=stored(rest=(part("old"),))), LONG).conversation
    assert outgoing_of(state).bubbles == LONG.bubbles[:BUBBLES]
    assert [part.bubbles for part in state.rest] == [LONG.bubbles[BUBBLES:], ("answer-old",)]


def test_serving_the_rest() -> None:
    """It is shown under the turns it belongs to, and stored no more."""
    rest = (part("x", NOW, *LONG.bubbles), part("y"))
    state = settle(
        held(command("/more"), before=stored(rest=rest)), Result(("nothing",), serves_rest=True)
    ).conversation
    assert outgoing_of(state).bubbles == LONG.bubbles[:BUBBLES]
    assert [part.bubbles for part in state.rest] == [LONG.bubbles[BUBBLES:], ("answer-y",)]


def test_rest_withdrawn_before_it_is_served() -> None:
    """The user is told that there is nothing more."""
    before = held(command("/more", NOW + 1), before=stored(rest=(part("a"),)))
    withdrawn, _ = claim(before, unsent("a"), owner="other")
    state = settle(withdrawn, Result(("nothing",), serves_rest=True)).conversation
    assert outgoing_of(state).bubbles == ("nothing",)


def change_way(before: Conversation, dead: Token, owner: str = "me", now: int = NOW) -> tuple[Conversation, Step]:
    outgoing = outgoing_of(before)
    change = settling.change_way(before, Hold(owner, now, POLICY), outgoing.id, dead)
    return change.conversation, change.outcome


def test_dead_token() -> None:
    """The next live one is named in the document before it is tried, then the push."""
    state = settle(held(said("a"), said("b", NOW + 1))).conversation
    first, second = outgoing_of(state).tokens
    state, step = change_way(state, first)
    assert (step, outgoing_of(state).way, outgoing_of(state).tokens) == (Step.GO_ON, "reply", (second,))
    state, step = change_way(state, second)
    assert (step, outgoing_of(state).way, outgoing_of(state).tokens) == (Step.GO_ON, "push", ())


def test_lost_acknowledgement_of_a_change_of_way() -> None:
    """No token is skipped."""
    state = settle(held(said("a"), said("b", NOW + 1))).conversation
    first, second = outgoing_of(state).tokens
    once, _ = change_way(state, first)
    twice, _ = change_way(once, first)
    assert outgoing_of(twice).tokens == (second,)


def test_next_token_has_died_meanwhile() -> None:
    """It is not named any more."""
    state = settle(held(said("a"), said("b", NOW + 1))).conversation
    state, _ = change_way(state, outgoing_of(state).tokens[0], now=LATE)
    assert outgoing_of(state).way == "push"


def test_change_of_way_after_another_took_over() -> None:
    """The frozen worker may not choose a second way for an answer that another sends."""
    state = settle(held(said())).conversation
    token = outgoing_of(state).tokens[0]
    taken = held(said(), before=state, owner="other", now=NOW + LEASE)
    assert change_way(taken, token) == (taken, Step.LOST)


# --- delivered ---


def test_shown() -> None:
    """Nothing is left to do: the lease is free, and quoting the bubble is recognised."""
    change = delivered(settle(held(said())).conversation, sent_ids=["s-1"])
    assert change.outcome is Step.RELEASED
    assert (change.conversation.outbox, change.conversation.lease) == ((), None)
    assert change.conversation.turns[0].sent_ids == ("s-1",)


def test_shown_with_others() -> None:
    """Each turn gets the ids of its own bubbles."""
    before = stored(turns=(turn("x", NOW - 1),), outbox=(waiting("x", NOW - 1, "one", "two"),))
    state = delivered(settle(held(said(), before=before)).conversation, sent_ids=["s-1", "s-2", "s-3"]).conversation
    assert [t.sent_ids for t in state.turns] == [("s-1", "s-2"), ("s-3",)]


def test_unsure() -> None:
    """It is kept for 「続き」, in front of its own rest."""
    state = delivered(settle(held(said()), LONG).conversation, "unsure").conversation
    assert state.outbox == ()
    assert [bubble for part in state.rest for bubble in part.bubbles] == list(LONG.bubbles)


def test_push_refused() -> None:
    """The answer waits, and the lease is free: nobody has to work on it."""
    change = delivered(settle(held(said()), now=LATE).conversation, "wait", now=LATE)
    assert [(o.way, o.bubbles) for o in change.conversation.outbox] == [("wait", ("the answer",))]
    assert (change.outcome, change.conversation.lease) == (Step.RELEASED, None)


def test_three_answers_wait_at_most() -> None:
    """The oldest leaves, and a notice takes its place in front of the next; one notice is enough."""
    state = stored(outbox=tuple(waiting(name) for name in "xyz"))
    for name in "ab":
        state = delivered(settle(held(said(name, LATE), before=state), now=2 * LATE).conversation, "wait").conversation
    assert [outgoing.bubbles for outgoing in state.outbox] == [(NOTICE, "answer-z"), *[("the answer",)] * 2]
    assert len(state.outbox) == WAITING


def test_what_line_refuses_for_good() -> None:
    """Refused by token and push time and again, it makes room: a notice stands for it, and the next answer is shown."""
    refused = replace(waiting("x", NOW, "poison"), refused=1)
    again = settle(held(said("a"), before=stored(outbox=(refused,)))).conversation
    assert again.outbox[0].bubbles == ("poison", "the answer")
    state = delivered(again, "refused").conversation
    after = settle(held(said("b", NOW + 1), before=state)).conversation
    assert [(o.bubbles, o.refused) for o in after.outbox] == [((NOTICE, "the answer"), 0)]


def test_large_answers_wait_alone() -> None:
    """What waits is bounded by its size too."""
    state = stored(outbox=(waiting("x", NOW, "あ" * (WAITING_BYTES // 3)),))
    state = delivered(settle(held(said(), before=state), now=LATE).conversation, "wait").conversation
    assert [outgoing.bubbles for outgoing in state.outbox] == [(NOTICE, "the answer")]


def test_line_does_not_take_it() -> None:
    """The answer stays in the outbox as it is, and the lease is free for who tries again."""
    before = settle(held(said())).conversation
    change = delivered(before, "later")
    assert change.conversation.outbox == before.outbox
    assert (change.outcome, change.conversation.lease) == (Step.RELEASED, None)


def test_message_during_the_turn() -> None:
    """Another round begins in the same write, its try counted."""
    before, _ = claim(settle(held(said())).conversation, said("b", NOW + 1), owner="other")
    change = delivered(before, now=NOW + 5)
    assert change.outcome is Step.GO_ON
    assert change.conversation.lease == Lease("me", NOW + 5 + LEASE)
    assert [pending.tries for pending in change.conversation.pending] == [1]


def test_rounds_are_limited() -> None:
    """Then the lease is free, and somebody has to be woken for what is pending."""
    before, _ = claim(settle(held(said())).conversation, said("b", NOW + 1), owner="other")
    change = delivered(before, rounds=ROUNDS)
    assert (change.outcome, change.conversation.lease) == (Step.RELEASED, None)
    assert [pending.tries for pending in change.conversation.pending] == [0]


def test_delivered_after_another_took_over() -> None:
    """Whoever was frozen leaves the record to the other."""
    taken = held(said(), before=settle(held(said())).conversation, owner="other", now=NOW + LEASE)
    change = delivered(taken)
    assert (change.conversation, change.outcome) == (taken, Step.LOST)


def test_unsent_while_it_is_sent() -> None:
    """Its outbox entry is gone; the holder goes on."""
    before = settle(held(said())).conversation
    withdrawn, _ = claim(before, unsent(), owner="other")
    assert delivered(withdrawn).outcome is Step.RELEASED


# --- leases ---


def test_release_and_renew() -> None:
    """Only the holder can."""
    state = held(said())
    renewed = settling.renew(state, Hold("me", NOW + 5, POLICY))
    assert (renewed.outcome, renewed.conversation.lease) == (Step.GO_ON, Lease("me", NOW + 5 + LEASE))
    released = settling.release(state, Hold("me", NOW + 5, POLICY))
    assert (released.outcome, released.conversation.lease) == (Step.RELEASED, None)
    assert settling.renew(state, Hold("other", NOW, POLICY)).outcome is Step.LOST
    assert settling.release(state, Hold("other", NOW, POLICY)).outcome is Step.LOST


# --- the window ---


def full_window(count: int = WINDOW_TURNS) -> Conversation:
    return stored(turns=tuple(turn(f"x{n}", NOW - 1000 + n) for n in range(count)))


def rolled(before: Conversation, seen: Conversation, summary: str, rounds: int = 1) -> tuple[Conversation, Step, int]:
    change = settling.rolled(before, Hold("me", NOW, POLICY), roll_out(seen), seen.summary, summary, rounds)
    return change.conversation, change.outcome, sum(len(batch.turns) for batch in change.archive)


def test_full_window() -> None:
    """Once the answer is shown, its holder keeps the lease to make a summary."""
    change = delivered(settle(held(said(), before=full_window())).conversation)
    assert change.outcome is Step.SUMMARISE
    assert change.conversation.lease == Lease("me", NOW + LEASE)


def test_roll_over() -> None:
    """The summarised turns move to the archive together with the summary, and the lease is free."""
    before = delivered(settle(held(said(), before=full_window())).conversation).conversation
    change = settling.rolled(before, Hold("me", NOW, POLICY), roll_out(before), "", "in short", 1)
    state = change.conversation
    assert (state.summary, state.turns, state.archived) == ("in short", before.turns[ROLL_TURNS:], 1)
    assert [(batch.number, batch.turns) for batch in change.archive] == [(0, before.turns[:ROLL_TURNS])]
    assert change.archive[0].expire_at == NOW + POLICY.retention_ms
    assert (change.outcome, state.lease) == (Step.RELEASED, None)


def test_lost_acknowledgement_of_a_roll_over() -> None:
    """The turns leave once."""
    before = delivered(settle(held(said(), before=full_window())).conversation).conversation
    before, _ = claim(before, said("b", NOW + 1), owner="other")
    once, step, count = rolled(before, before, "in short")
    assert (step, count) == (Step.GO_ON, ROLL_TURNS)
    assert rolled(once, before, "in short")[2] == 0


@pytest.mark.parametrize("summary", ["", "in short"])
def test_summary_that_cannot_be_used(summary: str) -> None:
    """None was made, or it was made of what has been withdrawn since: the turns stay for next time."""
    before = delivered(settle(held(said(), before=full_window())).conversation).conversation
    now = claim(before, unsent("x3"), owner="other")[0] if summary else before
    state, step, count = rolled(now, before, summary)
    assert (state.summary, state.turns, count, step) == ("", now.turns, 0, Step.RELEASED)


def test_summary_of_a_summary_that_is_gone() -> None:
    """It would bring back what a message withdrawn from the archive had left in the older one."""
    before = replace(held(said(), before=full_window()), summary="with a secret")
    state, _, count = rolled(settling.redacted(before, NOW, POLICY), before, "still with a secret")
    assert (state.summary, count) == ("", 0)


def test_summaries_that_always_fail() -> None:
    """Turns leave the window without one before it grows for ever."""
    change = settle(held(said(), before=full_window(WINDOW_TURNS_AT_MOST)))
    assert [len(batch.turns) for batch in change.archive] == [ROLL_TURNS]
    assert len(change.conversation.turns) == WINDOW_TURNS_AT_MOST + 1 - ROLL_TURNS


def test_large_turns() -> None:
    """The oldest leave until the window is small enough; the newest stay."""
    large = tuple(turn(f"x{n}", NOW - 10 + n, "あ" * 20_000) for n in range(3))
    change = settle(held(said(), before=stored(turns=large)), replace(ANSWER, answer="い" * 20_000))
    assert size(change.conversation.turns) <= WINDOW_BYTES
    assert [t.id for batch in change.archive for t in batch.turns] == ["turn-x0"]
    assert [t.message_ids for t in change.conversation.turns] == [("m-x1",), ("m-x2",), ("m-a",)]


def test_reset() -> None:
    """The window moves to the archive and the summary goes; the old talk can still be read."""
    before = replace(full_window(3), summary="in short")
    change = settle(held(command("/reset"), before=before), Result(("fresh",), reset=True))
    assert (change.conversation.turns, change.conversation.summary) == ((), "")
    assert [batch.turns for batch in change.archive] == [before.turns]


# --- bounds ---


def test_endless_answer() -> None:
    """A runaway model cannot break the document: the answer is cut at a character, and the rest at its bound."""
    bubbles = tuple("あ" * 5_000 for _ in range(100))
    state = settle(held(said()), Result(bubbles, answer="".join(bubbles), remembered=True)).conversation
    assert ANSWER_BYTES - 3 < len(state.turns[0].answer.encode()) <= ANSWER_BYTES
    assert size(state.outbox) + size(state.rest) <= STORED_BYTES
    assert len(state.rest[0].bubbles) >= 4


def test_dead_letters() -> None:
    """They keep what could not be answered; the newest, few enough to be kept."""
    dead = Result(("sorry",), remembered=True, dead="too many tries")
    state = Conversation()
    for n in range(DEAD_LETTERS + 2):
        state = settle(held(said(str(n), NOW + n), before=replace(state, lease=None)), dead).conversation
        state = replace(state, outbox=())
    assert [letter.said[0].message_id for letter in state.dead_letters] == [
        f"m-{n}" for n in range(2, DEAD_LETTERS + 2)
    ]
    large = settle(held(said("z", text="あ" * 30_000), before=replace(state, lease=None)), dead).conversation
    assert size(large.dead_letters) <= DEAD_LETTER_BYTES
    assert large.dead_letters[-1].reason == "too many tries"


def test_document_stays_small() -> None:
    """Below 700 KB, whatever comes: the largest messages, answers that wait or are doubtful, floods, withdrawals."""
    state, sizes = Conversation(), []
    for minute in range(0, 60, 5):
        now = NOW + minute * MINUTE_MS
        late = now + (LATE - NOW) * (minute % 2)
        names = [f"{minute}-{n}-{'x' * 150}" for n in range(PENDING_EVENTS)]
        flood = [said(name, now + n, text="あ" * 5_000, token="t" * 200) for n, name in enumerate(names)]
        dead = "too many tries" if minute % 15 == 0 else ""
        answer = Result(("い" * 5_000,) * 9, answer="い" * 45_000, remembered=True, dead=dead)
        state, _ = claim(state, *flood, now=now)
        assert state.pending
        fates: tuple[Disposition, ...] = ("wait", "unsure", "wait")
        for rounds, fate in enumerate(fates, 1):
            settled = settle(state, answer, now=late).conversation
            state = delivered(settled, fate, rounds=rounds, now=late).conversation
            state, _ = claim(state, *flood, unsent(names[-rounds], now), now=now)
            sizes += [size(settled), size(state)]
    assert 500_000 < max(sizes) < 700_000
