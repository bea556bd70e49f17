"""Webhook bodies that went wrong on their way: wrong types at every level, cut, mixed up, random. Seeded."""

import json
import random
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from bot.local.chats import Json
from bot.local.webhook import Events, Speaker, standby

TEXTS = ("こんにちは", "@Kaiwa 明日は?", "/help", "/history 話", "/history @3.x 話", "/reset", "/forget", "続き", "")
NUMBERS: list[Any] = [0, -1, 1, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 2**70, 10**400, 0.5, -0.0, 1e308]
STRINGS = [
    *("", " ", "x", "0", "null", "U1", "/forget", "__proto__", "text", "message", "user", "group", "kaiwa.wake"),
    *(
        "\x00",
        "\ud800",
        "\udc00\ud800",
        "\ufffe",
        "\u202e\u200b",
        "e" + "\u0301" * 99,
        "👨\u200d👩\u200d👧",
        "あ" * 5000,
    ),
    *("a" * 200, "a" * 201, "{}", "[", '"', "\\", "%00", "../..", "x\r\ny: z"),
]
OTHERS: list[Any] = [None, True, False, [], {}, [None], [[]], {"": None}, {"type": []}, [0] * 2000]


class Mutations:
    """`body()` makes one body after the other, the same for the same seed but for ids, times and tokens."""

    def __init__(self, events: Events, seed: int, people: list[Speaker]) -> None:
        self._events = events
        self._random = random.Random(seed)
        self._people = people

    def body(self) -> bytes:
        """One mutated body: many are no webhook any more, some still hold an event that means something."""
        chance = self._random
        tree: Any = {"destination": self._events.bot_id, "events": self._some_events()}
        for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
            tree = self._changed(tree)
        raw = self._encoded(tree)
        if chance.random() < 0.35:
            raw = chance.choice(self._breakages())(raw)
        return raw

    def _some_events(self) -> list[Json]:
        return [self._event() for _ in range(self._random.choice((1, 1, 1, 2, 5)))]

    def _event(self) -> Json:
        chance, events = self._random, self._events
        who = chance.choice(self._people)
        group = Speaker(who.user_id, "C" + who.user_id[1:])
        text = chance.choice(TEXTS)
        makers: list[Callable[[], Json]] = [
            lambda: events.text(who, text),
            lambda: events.text(group, text),
            lambda: events.text(group, text, quoted="1"),
            lambda: events.message(who, {"type": "sticker", "id": "1", "packageId": "1", "stickerId": "2"}),
            lambda: events.message(who, {"type": "file", "id": "1", "fileName": "x", "fileSize": 1}),
            lambda: events.postback(who, chance.choice(("/more", "/retry x", "other"))),
            lambda: events.unsend(who, "1"),
            lambda: events.follow(who.user_id),
            lambda: events.unfollow(who.user_id),
            lambda: events.join(group.group_id),
            lambda: events.leave(group.group_id),
            lambda: standby(events.text(who, text)),
        ]
        return chance.choice(makers)()

    def _changed(self, tree: Any) -> Any:
        """With one place changed, anywhere, the root included."""
        chance = self._random
        inner = list(tree) if isinstance(tree, dict) else list(range(len(tree))) if isinstance(tree, list) else []
        if not inner or chance.random() < 0.12:
            return self._odd(tree)
        key = chance.choice(inner)
        what = chance.random()
        if what < 0.1:
            del tree[key]
        elif what < 0.15 and isinstance(tree, dict):
            tree[chance.choice(STRINGS)] = self._odd(tree[key])
        elif what < 0.2 and isinstance(tree, list):
            tree.append(deepcopy(tree[key]))
        else:
            tree[key] = self._changed(tree[key])
        return tree

    def _odd(self, value: Any) -> Any:
        chance = self._random
        deep: Any = value
        for _ in range(chance.choice((1, 40, 60, 200))):
            deep = [deep] if chance.random() < 0.5 else {"x": deep}
        # A copy: what is changed later must not hold itself.
        return deepcopy(chance.choice((*NUMBERS, *STRINGS, *OTHERS, deep, [value], {"x": value}, str(value)[:999])))

    def _encoded(self, tree: Any) -> bytes:
        try:
            return json.dumps(tree, ensure_ascii=self._random.random() < 0.5).encode()
        except UnicodeEncodeError:
            return json.dumps(tree).encode()

    def _breakages(self) -> list[Callable[[bytes], bytes]]:
        chance = self._random
        return [
            lambda raw: raw[: chance.randrange(len(raw) + 1)],
            lambda raw: raw[chance.randrange(len(raw) + 1) :],
            lambda raw: chance.randbytes(chance.randrange(300)),
            self._with_bytes_changed,
            lambda raw: raw + raw[: chance.randrange(len(raw) + 1)],
            lambda raw: raw.replace(b"null", b"NaN").replace(b"true", b"Infinity").replace(b"1", b"1e999"),
            lambda raw: raw.replace(b'"', b"'"),
            lambda raw: b"\xef\xbb\xbf" + raw,
            lambda raw: raw.replace(b"1", b"9" * 5000, 1),
            lambda raw: raw.decode().encode("utf-16"),
            lambda raw: b"[" * chance.choice((10, 1000, 100_000)) + raw,
        ]

    def _with_bytes_changed(self, raw: bytes) -> bytes:
        changed = bytearray(raw)
        for _ in range(self._random.choice((1, 2, 10)) if changed else 0):
            changed[self._random.randrange(len(changed))] = self._random.randrange(256)
        return bytes(changed)
