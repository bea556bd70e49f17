"""Bounds of one conversation, in one place. Times in milliseconds, sizes in bytes as Firestore counts them.

Together they keep a document below 700 KB, whatever comes; Firestore takes 1 MiB.
"""

from dataclasses import dataclass

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS

DONE_MS = 30 * MINUTE_MS
"""So long every event id is remembered; LINE redelivers for about 20 minutes."""
DONE_EVENTS = 500
DONE_BYTES = 35_000
UNSENT_BYTES = 15_000
PENDING_EVENTS = 50
PENDING_BYTES = 200_000
SEGMENT_BYTES = 100_000
"""What is merged into one turn: with its answer it must leave room in the window for what came before."""
PER_MINUTE = 60
"""Events of one conversation in a minute, a group's all together."""
REFUSAL_MS = 10 * MINUTE_MS
"""Beyond the bounds the user is told once in this time."""

WINDOW_TURNS = 20
WINDOW_BYTES = 200_000
ANSWER_BYTES = 75_000
ROLL_TURNS = 10
"""So many turns leave the window together, for the archive and the summary."""
WINDOW_TURNS_AT_MOST = WINDOW_TURNS + ROLL_TURNS
"""Where summaries keep failing, turns leave without one."""

OVERHEARD = 30
OVERHEARD_BYTES = 20_000
"""What a listening group says among itself, of which the bot keeps the latest."""
PROFILES = 50
PROFILE_MS = DAY_MS
"""A person's name and language are looked up once a day at most."""

SHOWN_IDS = 100
"""So many bubbles of its own the bot recognises when somebody in a group quotes them."""
STORED_BYTES = 150_000
"""Outbox and stored rest together."""
REFUSALS = 2
"""What LINE refused so often, by token and by push, it refuses for its content: it would hold up what follows."""
PUSH_MS = 23 * 60 * MINUTE_MS
"""LINE knows a retry key for 24 hours; after that the same push would be shown again."""
WAITING = 3
WAITING_BYTES = 75_000
DEAD_LETTERS = 10
DEAD_LETTER_BYTES = 20_000

TRIES = 3
ROUNDS = 3
ROUND_SECONDS = 30
"""Another round begins only so soon after the first, so that a request ends within its 120 seconds."""
SUMMARY_SECONDS = 15
LEASE_MS_AT_MOST = 60 * MINUTE_MS
"""What a setting may ask for, and room for clocks that differ."""

TOKEN_MS = 50_000
"""LINE: a reply token lives about a minute from receipt; ten seconds are left for the call."""
TOKEN_EVENT_MS = 20 * MINUTE_MS
"""LINE: and never longer than 20 minutes after its event."""

QUICK_REPLIES = 13
POSTBACK_CHARACTERS = 300
BUBBLES = 5
BUBBLE_UNITS = 5_000


@dataclass(frozen=True, slots=True)
class Policy:
    """What operators set: how long a lease and a conversation last."""

    lease_ms: int = 20_000
    retention_ms: int = 90 * DAY_MS
