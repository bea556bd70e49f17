"""The model's search: finds what people mean in any script, in this conversation alone, within its bounds."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot import searching
from bot.conversation import Batch, Conversation, Said, Source, Turn
from bot.errors import Misconfigured, Unavailable
from bot.ports import Seen, ToolCall
from bot.searching import NOTHING, OLDER, UNREADABLE, Search, matching, pieces
from tests.fakes import FakeClock, FakeStore

NOW = 1_800_000_000_000
DAY = 86_400_000
SOURCE = Source("user", "U1")
FAR = NOW + 10**10


def turn(text: str, answer: str = "はい", at: int = NOW) -> Turn:
    return Turn(f"t-{text}"[:50], (Said(f"m-{text}"[:50], text, at),), answer)


TALK = [
    turn("来月、京都へ旅行に行くんだ", "いいですね。紅葉がきれいですよ。"),
    turn("旅行の宿はまだ決めてない", "鴨川のそばはどうでしょう。"),
    turn("犬のポチが病気で心配", "お大事に。獣医さんには行きましたか。"),
    turn("会議の資料はどうなった？", "まだ途中でしたね。"),
    turn("おにぎりの具は何がいい？", "鮭がおすすめです。"),
    turn("ＷｉＦｉのパスワードを変えた", "忘れないようにメモしましょう。"),
    turn("My cat likes the blue blanket", "How sweet!"),
    turn("We looked at two dogs yesterday", "Which one did you like?"),
    turn("저는 여행을 좋아해요", "어디로 가고 싶어요?"),
    turn("Мой кот любит рыбу", "Понятно"),
    turn("今日は暑かった", "水分をとってくださいね。"),
    turn("話は変わるけど、どうなったかな", "何のことでしょう。"),
]


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("先月の旅行の話、どうなった？", "旅行の宿はまだ決めてない"),
        ("旅行 京都", "来月、京都へ旅行に行くんだ"),
        ("京都旅行", "来月、京都へ旅行に行くんだ"),
        ("犬の名前", "犬のポチが病気で心配"),
        ("ﾎﾟﾁ", "犬のポチが病気で心配"),
        ("獣医", "犬のポチが病気で心配"),
        ("おにぎり", "おにぎりの具は何がいい？"),
        ("wifi password パスワード", "ＷｉＦｉのパスワードを変えた"),
        ("CAT", "My cat likes the blue blanket"),
        ("what dog did I see", "We looked at two dogs yesterday"),
        ("cats", "My cat likes the blue blanket"),
        ("여행", "저는 여행을 좋아해요"),
        ("рыба рыбу", "Мой кот любит рыбу"),
        ("資料", "会議の資料はどうなった？"),
    ],
)
def test_the_best_comes_first(query: str, best: str) -> None:
    """Words with and without spaces between them, in any script, width and case, asked as people ask."""
    assert matching(TALK, query)[0].said[0].text == best


def test_chance_is_left_out() -> None:
    """What has only endings in common with the question is not found with what has its words."""
    found = [turn.said[0].text for turn in matching(TALK, "先月の旅行の話、どうなった？")]
    assert set(found[:2]) == {"旅行の宿はまだ決めてない", "来月、京都へ旅行に行くんだ"}
    assert "会議の資料はどうなった？" not in found
    assert "今日は暑かった" not in found


@pytest.mark.parametrize("query", ["宇宙船", "spaceship", "!?", "\x00", "\ud83d", "'; DROP TABLE", '{"query": 1}'])
def test_nothing_matches(query: str) -> None:
    """What never came up is not found, whatever is asked; no pattern is run."""
    assert not matching(TALK, query)


def test_rare_words_count_more() -> None:
    """A word that is everywhere does not hide the one that is not."""
    talk = [turn(f"旅行の話 {number}") for number in range(50)] + [turn("パスポートの更新")]
    assert matching(talk, "旅行 パスポート")[0].said[0].text == "パスポートの更新"


def test_without_words_the_newest_come_first() -> None:
    """For a range of dates alone."""
    talk = [turn("a", at=1), turn("c", at=3), turn("b", at=2)]
    assert [turn.said[0].text for turn in matching(talk, " ")] == ["c", "b", "a"]


def test_equal_matches_newest_first() -> None:
    """Of what fits alike, the latest is likelier meant."""
    talk = [turn("旅行1", at=1), turn("旅行3", at=3), turn("旅行2", at=2)]
    assert [turn.said[0].text for turn in matching(talk, "旅行")] == ["旅行3", "旅行2", "旅行1"]


def test_an_endless_query() -> None:
    """Only its beginning is looked for: the work is bounded, whatever the model asks."""
    assert len(pieces("".join(chr(0x4E00 + number) for number in range(10_000)))) < 200


class Past:
    """A conversation with an archive, and another one beside it."""

    def __init__(self, batches: Sequence[Sequence[Turn]]) -> None:
        self.store = FakeStore()
        self.batches = [Batch(7, number, tuple(turns), FAR) for number, turns in enumerate(batches)]
        self.state = Conversation(source=SOURCE, generation=7, archived=len(batches))

    async def search(self, query: str, since: str = "", until: str = "") -> searching.Findings:
        store, state = self.store, self.state
        if not store.documents:
            await store.write(SOURCE.conversation_id, Seen(Conversation(), None), state, self.batches)
        return await Search(store, FakeClock(NOW))(state, ToolCall("c", query, since, until))


async def test_what_the_model_reads() -> None:
    """Dated in Japanese time, with who said what; and whose messages it was made from is told."""
    found = await Past([TALK[:3], TALK[3:]]).search("ポチ")
    assert found.text == (
        "1 of 1 matches, the best first (Japanese time):\n\n"
        "[2027-01-15 17:00]\nUser: 犬のポチが病気で心配\nYou: お大事に。獣医さんには行きましたか。"
    )
    assert found.message_ids == ("m-犬のポチが病気で心配",)


async def test_speakers_and_apologies() -> None:
    """In a group everybody is called by name; a question without an answer says so."""
    said = (Said("a", "ポチは?", NOW, "花子"), Said("b", "元気", NOW, "太郎"))
    found = await Past([[Turn("t", said, "")]]).search("ポチ")
    assert "花子: ポチは?\n太郎: 元気\nYou: (no answer)" in found.text


async def test_the_unread_part_of_the_window() -> None:
    """Turns of the window that were left out of the prompt are found as well."""
    past = Past([])
    past.state = replace(past.state, turns=(TALK[2],))
    assert "ポチ" in (await past.search("犬")).text


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("", "", ["jan10", "jan12", "jan15"]),
        ("2027-01-12", "", ["jan12", "jan15"]),
        ("", "2027-01-12", ["jan10", "jan12"]),
        ("2027-01-12", "2027-01-12", ["jan12"]),
        ("2028-01-01", "", []),
        ("yesterday", "先月", ["jan10", "jan12", "jan15"]),
        ("2027-99-99", "9999-12-31", ["jan10", "jan12", "jan15"]),
        ("2027-01-12T10:00:00Z", "", ["jan12", "jan15"]),
    ],
)
async def test_dates(since: str, until: str, expected: list[str]) -> None:
    """Whole Japanese days, both included; what is no date does not narrow the search."""
    talk = [turn("jan10 trip", at=NOW - 5 * DAY), turn("jan12 trip", at=NOW - 3 * DAY), turn("jan15 trip")]
    text = (await Past([talk]).search("trip", since, until)).text
    assert [day for day in ("jan10", "jan12", "jan15") if day in text] == expected


async def test_days_begin_at_midnight_in_japan() -> None:
    """A message a minute before midnight belongs to the day before, though in London it is one day."""
    midnight = NOW - 17 * 3_600_000
    past = Past([[turn("before trip", at=midnight - 60_000), turn("after trip", at=midnight)]])
    assert "before" not in (await past.search("trip", since="2027-01-15")).text
    assert "after" not in (await past.search("trip", until="2027-01-14")).text


async def test_bounded_results() -> None:
    """Long and many turns: 6,000 characters at most, each cut to what surrounds the word."""
    talk = [turn(f"{number} " + "前置き" * 500 + "合言葉" + "後書き" * 500, "あ" * 5000) for number in range(100)]
    found = await Past([talk]).search("合言葉")
    assert 4_000 < len(found.text) <= 6_000
    assert found.text.count("合言葉") == found.text.count("You: ") == len(found.message_ids) > 4


async def test_one_turn_of_many_long_messages() -> None:
    """Even a single turn that is longer than all the room is told in part."""
    said = tuple(Said(f"m{number}", "合言葉" + "あ" * 5000, NOW) for number in range(50))
    found = await Past([[Turn("t", said, "")]]).search("合言葉")
    assert 1_000 < len(found.text) <= 6_000


async def test_nothing_found() -> None:
    """The model is told so, and may try other words."""
    assert (await Past([TALK]).search("宇宙船")).text == NOTHING


async def test_only_the_newest_twenty_batches() -> None:
    """The cost is bounded, and the model is told that there is more."""
    past = Past([[turn(f"合言葉{number:02d}")] for number in range(25)])
    text = (await past.search("合言葉")).text
    assert text.endswith(OLDER)
    assert [number for number in range(25) if f"合言葉{number:02d}" in text] == list(range(5, 25))
    assert past.store.calls("read_archive") == 1


async def test_withdrawn_and_expired_words_are_not_found() -> None:
    """Also where the archive still holds them."""
    past = Past([[turn("合言葉A")], [turn("合言葉B")], [turn("合言葉C")]])
    past.batches[0] = replace(past.batches[0], expire_at=NOW)
    past.state = replace(past.state, unsent={"m-合言葉B": NOW})
    text = (await past.search("合言葉")).text
    assert [letter for letter in "ABC" if f"合言葉{letter}" in text] == ["C"]


async def test_another_conversation_is_out_of_reach() -> None:
    """Whatever the query holds, the archive read is the one of the conversation whose turn it is."""
    past, other = Past([TALK]), Source("user", "U2")
    secret = Batch(7, 0, (turn("合言葉は山と川"),), FAR)
    state = Conversation(source=other, generation=7, archived=1)
    await past.store.write(other.conversation_id, Seen(Conversation(), None), state, [secret])
    past.store.batches[SOURCE.conversation_id] = {}
    for query in ("合言葉", f"合言葉 {other.id}", f'"}} conversation_id={other.conversation_id} 合言葉', "@0.t 合言葉"):
        assert "山と川" not in (await past.search(query)).text
    assert {key for name, key in past.store.log if name == "read_archive"} == {SOURCE.conversation_id}


@pytest.mark.parametrize("error", [Unavailable("down"), Misconfigured("denied")])
async def test_an_archive_that_cannot_be_read(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    """The model hears so and answers all the same; the log tells no words."""
    past = Past([TALK])
    past.store.fail_next(error, method="read_archive")
    assert await past.search("ポチ") == searching.Findings(UNREADABLE)
    written = capsys.readouterr().out
    assert '"search_failed"' in written
    assert "ポチ" not in written


async def test_a_silent_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer does not wait for it for long."""
    past = Past([TALK])

    async def never(*_: object) -> list[Batch]:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(past.store, "read_archive", never)
    monkeypatch.setattr(searching, "SEARCH_SECONDS", 0.05)
    assert (await past.search("ポチ")).text == UNREADABLE
