"""Delivery: what LINE does with a message, and what follows from it, so that people see each answer once."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from bot.conversation import Conversation, Lease, Outgoing, Part, QuickReply, Said, Source, Token, Turn
from bot.delivery import Courier, Delivered, retry_key
from bot.lease import Held
from bot.limits import PUSH_MS, Policy
from bot.ports import Sent
from bot.quota import Quota
from tests.fakes import FakeClock, FakeMessenger, FakeStore
from tests.pipeline import conversation_id
from tests.test_quota import FakeChannel
from tests.webhooks import NOW, USER

ID = conversation_id()
PART = Part("turn", NOW, ("m",), ("Hi!",))
TRIES = 4


class Post:
    """An answer in the outbox of a conversation whose lease is held, and the courier that brings it."""

    def __init__(self, tokens: Iterable[str] = ("token",), age: int = 0, rest: bool = False) -> None:
        self.clock, self.messenger, self.store = FakeClock(NOW), FakeMessenger(), FakeStore()
        self.channel = FakeChannel(None)
        live = tuple(Token(value, NOW - age, NOW - age) for value in tokens)
        self.outgoing = Outgoing("turn", (PART,), "reply" if live else "push", live)
        self.state = Conversation(
            source=Source("user", USER),
            generation=1,
            lease=Lease("me", NOW + 20_000),
            outbox=(self.outgoing,),
            rest=(PART,) if rest else (),
            expire_at=NOW + 10**9,
        )

    async def deliver(self, *, tried_before: bool = False) -> Delivered:
        seen = await self.store.write(ID, await self.store.read(ID), self.state)
        self.held = Held(self.store, ID, "me", seen, self.clock, Policy())
        courier = Courier(self.messenger, self.clock, (0, 0, 0), Quota(self._channel, 10, self.clock))
        return await courier.deliver(self.held, self.outgoing, tried_before=tried_before)

    async def _channel(self) -> FakeChannel:
        return self.channel

    @property
    def ways(self) -> list[str]:
        return ["push" if call.retry_key else call.to for call in self.messenger.calls]

    @property
    def stored(self) -> Outgoing:
        return self.held.state.outbox[0]


async def test_by_reply() -> None:
    """Rule 1: by the named token, and the ids of what was shown are told."""
    post = Post()
    assert await post.deliver() == Delivered("shown", ("sent-1-0",))
    assert post.ways == ["token"]


async def test_by_push() -> None:
    """Rule 1: where no token lives, to the person."""
    post = Post(())
    assert await post.deliver() == Delivered("shown", ("sent-1-0",))
    assert [(call.to, call.retry_key) for call in post.messenger.calls] == [(USER, retry_key(ID, "turn"))]


async def test_an_ambiguous_reply_that_was_lost() -> None:
    """Rule 2: the same token again; 200 means that the first was lost."""
    post = Post()
    post.messenger.fail_next(Sent.AMBIGUOUS, times=2)
    assert (await post.deliver()).disposition == "shown"
    assert post.ways == ["token"] * 3


async def test_an_ambiguous_reply_that_had_arrived() -> None:
    """Rule 2: the same token again; 400 while it is young means that the first had arrived."""
    post = Post(["token", "other"])
    post.messenger.fail_next(Sent.AMBIGUOUS, shown=True)
    assert await post.deliver() == Delivered("shown")
    assert post.ways == ["token"] * 2
    assert len(post.messenger.shown) == 1


async def test_an_ambiguous_reply_on_an_old_token() -> None:
    """Rule 2: a later 400 tells nothing: taken as arrived, and marked unsure."""
    post = Post(age=50_000)
    post.messenger.fail_next(Sent.AMBIGUOUS)
    post.messenger.fail_next(Sent.REFUSED)
    assert await post.deliver() == Delivered("unsure")


@pytest.mark.parametrize("shown", [True, False])
async def test_never_a_push_after_an_ambiguous_reply(shown: bool) -> None:
    """Rule 2: whether or not it arrived, what stays ambiguous waits for another try with the same token."""
    post = Post(["token", "other"])
    post.messenger.fail_next(Sent.AMBIGUOUS, times=TRIES, shown=shown)
    assert await post.deliver() == Delivered("later")
    assert post.ways == ["token"] * TRIES
    assert post.stored == post.outgoing


@pytest.mark.parametrize("outcome", [Sent.LIMITED, Sent.REFUSED])
async def test_doubt_stays(outcome: Sent) -> None:
    """Rule 2: after one ambiguous try a definite no on the next does not open another way."""
    post = Post(["token", "other"])
    post.messenger.fail_next(Sent.AMBIGUOUS)
    post.messenger.fail_next(outcome, times=TRIES)
    assert (await post.deliver()).disposition in ("later", "shown")
    assert set(post.ways) == {"token"}


async def test_a_dead_token() -> None:
    """Rule 3: a definite 400 on a fresh token: the next live token of the turn, and the change is written first."""
    post = Post(["dead", "alive"])
    post.messenger.fail_next(Sent.REFUSED)
    assert (await post.deliver()).disposition == "shown"
    assert post.ways == ["dead", "alive"]
    assert [token.value for token in post.stored.tokens] == ["alive"]


async def test_all_tokens_dead() -> None:
    """Rule 3: then the push, named as the way before it is gone."""
    post = Post(["dead", "dead too"])
    post.messenger.fail_next(Sent.REFUSED, times=2)
    assert (await post.deliver()).disposition == "shown"
    assert post.ways == ["dead", "dead too", "push"]
    assert (post.stored.way, post.stored.tokens) == ("push", ())


async def test_a_token_that_died_meanwhile() -> None:
    """Rule 3: tokens that are too old by now are not tried."""
    post = Post(["dead"])
    old = Token("old", NOW - 60_000, NOW - 60_000)
    post.outgoing = replace(post.outgoing, tokens=(*post.outgoing.tokens, old))
    post.state = replace(post.state, outbox=(post.outgoing,))
    post.messenger.fail_next(Sent.REFUSED)
    await post.deliver()
    assert post.ways == ["dead", "push"]


async def test_a_token_that_was_perhaps_used() -> None:
    """A 400 for an answer found in the outbox: it had arrived before the crash; nothing else is tried."""
    post = Post(["token", "other"])
    post.messenger.fail_next(Sent.REFUSED)
    assert await post.deliver(tried_before=True) == Delivered("shown")
    assert post.ways == ["token"]


async def test_replies_that_are_limited() -> None:
    """Too fast for long, or the access token refused: nothing was shown, and the token will not live longer."""
    post = Post()
    post.messenger.fail_next(Sent.LIMITED, times=TRIES)
    assert (await post.deliver()).disposition == "shown"
    assert post.ways == ["token"] * TRIES + ["push"]


@pytest.mark.parametrize("outcome", [Sent.AMBIGUOUS, Sent.LIMITED])
async def test_a_push_is_only_retried_as_itself(outcome: Sent) -> None:
    """Rule 4: with the same key each time, then later again."""
    post = Post(())
    post.messenger.fail_next(outcome, times=TRIES, shown=outcome is Sent.AMBIGUOUS)
    assert await post.deliver() == Delivered("later")
    assert (await post.deliver(tried_before=True)).disposition == "shown"
    assert {call.retry_key for call in post.messenger.calls} == {retry_key(ID, "turn")}
    assert len(post.messenger.shown) == 1


def test_the_retry_key_is_the_turns_own() -> None:
    """Rule 4: the same for whoever sends it, another for every turn and conversation, and a UUID for LINE."""
    assert retry_key(ID, "turn") == retry_key(ID, "turn")
    keys = {retry_key(ID, "turn"), retry_key(ID, "turn2"), retry_key("1" * 64, "turn")}
    assert {len(key) for key in keys} == {36}
    assert len(keys) == 3


@pytest.mark.parametrize("outcome", [Sent.REFUSED, Sent.QUOTA])
async def test_a_push_that_is_refused(outcome: Sent, capsys: pytest.CaptureFixture[str]) -> None:
    """Rule 5: it waits for the person's next token; the operator can read why."""
    post = Post(())
    post.messenger.fail_next(outcome)
    assert await post.deliver() == Delivered("refused" if outcome is Sent.REFUSED else "wait")
    assert len(post.ways) == 1
    line = capsys.readouterr().out
    assert f'"why": "{outcome.name}"' in line
    assert "Hi!" not in line
    assert USER not in line


async def test_a_push_that_nobody_remembers() -> None:
    """LINE forgets retry keys after a day: what may have been shown by then waits under 「続き」."""
    post = Post(())
    outgoing = replace(post.state.outbox[0], settled_at=NOW - PUSH_MS - 1)
    post.state = replace(post.state, outbox=(outgoing,))
    assert await post.deliver(tried_before=True) == Delivered("unsure")
    assert not post.ways


async def test_more_is_offered() -> None:
    """When something is left, the last bubble carries 「続き」, in front of its own buttons."""
    own = QuickReply("Earlier", "/history @.x")
    post = Post(rest=True)
    post.outgoing = replace(post.outgoing, quick_replies=(own,))
    post.state = replace(post.state, outbox=(post.outgoing,))
    await post.deliver()
    assert post.messenger.shown[0].quick_replies == (QuickReply("続き", "/more"), own)


async def test_nothing_more_to_offer() -> None:
    """Without a rest there is no such button."""
    post = Post()
    await post.deliver()
    assert post.messenger.shown[0].quick_replies == ()


async def test_an_answer_can_be_had_anew() -> None:
    """Under a model's answer there are buttons for another and a shorter one, after 「続き」 and before its own."""
    own = QuickReply("Earlier", "/history @.x")
    post = Post(rest=True)
    post.outgoing = replace(post.outgoing, quick_replies=(own,))
    answer = Turn("turn", (Said("m", "hello", NOW),), "Hi!")
    post.state = replace(post.state, outbox=(post.outgoing,), turns=(answer,))
    await post.deliver()
    data = [button.data for button in post.messenger.shown[0].quick_replies]
    assert data == ["/more", "/again turn", "/shorter turn", "/history @.x"]


async def test_never_too_many_buttons() -> None:
    """LINE takes thirteen; the answer's own give way."""
    post = Post(rest=True)
    post.outgoing = replace(post.outgoing, quick_replies=(QuickReply("x", "/help"),) * 13)
    post.state = replace(post.state, outbox=(post.outgoing,), turns=(Turn("turn", (Said("m", "a", NOW),), "b"),))
    await post.deliver()
    buttons = post.messenger.shown[0].quick_replies
    assert (len(buttons), buttons[0].data) == (13, "/more")


async def test_somebody_else_took_over() -> None:
    """Frozen past the lease, and another owns the document by now: nothing is sent."""
    post = Post()
    post.clock.advance(30)
    post.state = replace(post.state, lease=Lease("another", NOW + 50_000))
    assert await post.deliver() == Delivered("lost")
    assert not post.messenger.calls


async def test_taken_over_while_sending() -> None:
    """A change of way is checked for the owner: whoever took over sends instead."""
    post = Post(["dead", "alive"])

    class Frozen(FakeMessenger):
        async def reply(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
            taken = replace(post.state, lease=Lease("another", NOW + 50_000))
            await post.store.write(ID, await post.store.read(ID), taken)
            return await super().reply(*args, **kwargs)  # type: ignore[arg-type]

    post.messenger = Frozen()
    post.messenger.fail_next(Sent.REFUSED)
    assert await post.deliver() == Delivered("lost")
    assert post.ways == ["dead"]


async def test_withdrawn_while_sending() -> None:
    """The message was unsent between a refused try and the next: the answer is not sent, and nothing fails."""
    post = Post(["dead", "alive"])

    class Meanwhile(FakeMessenger):
        async def reply(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
            await post.store.write(ID, await post.store.read(ID), replace(post.state, outbox=()))
            return await super().reply(*args, **kwargs)  # type: ignore[arg-type]

    post.messenger = Meanwhile()
    post.messenger.fail_next(Sent.REFUSED)
    assert await post.deliver() == Delivered("shown")
    assert post.ways == ["dead"]


async def test_an_expired_lease_that_is_still_mine() -> None:
    """Nobody took over: the answer goes out after all."""
    post = Post()
    post.clock.advance(30)
    assert (await post.deliver()).disposition == "shown"


async def test_a_damaged_document() -> None:
    """Nobody to push to: the answer waits for the next token."""
    post = Post(())
    post.state = replace(post.state, source=None)
    assert await post.deliver() == Delivered("wait")


async def test_the_reserve_of_pushes() -> None:
    """A reply asks nothing about it; what would be a push below the reserve waits for the next token."""
    post = Post()
    post.channel = FakeChannel(200, 190)
    assert (await post.deliver()).disposition == "shown"
    assert post.channel.asked == 0
    post = Post(tokens=())
    post.channel = FakeChannel(200, 190)
    assert await post.deliver() == Delivered("wait")
    assert post.ways == []
    post = Post(tokens=())
    post.channel = FakeChannel(200, 189)
    assert (await post.deliver()).disposition == "shown"


async def test_a_push_in_doubt_ignores_the_reserve() -> None:
    """It may be shown already: waiting for a token it would be shown twice, the same push again shows it once."""
    post = Post(tokens=())
    post.channel = FakeChannel(200, 199)
    assert (await post.deliver(tried_before=True)).disposition == "shown"
    assert post.ways == ["push"]
