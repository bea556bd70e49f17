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
"""A person's name and language are looked up once a day at most,"""
PROFILE_RETRY_MS = 10 * MINUTE_MS
"""and so soon again where LINE could not be asked."""

PERSONA_CHARACTERS = 500
EXPORT_MS = 60 * MINUTE_MS
EXPORT_BYTES = 8_000_000
"""A link to the whole conversation works for an hour; of more than this only the newest is written out."""

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

IMAGE_BYTES = 10_000_000
AUDIO_BYTES = 25_000_000
"""OpenAI takes no more to transcribe."""
FILE_BYTES = 20_000_000
MEDIA_BYTES = 25_000_000
"""What the messages of one turn bring, all together: it is in memory several times over on its way to the model."""
LOOKS = 5
"""So many quoted messages of one turn LINE is asked for."""
FETCH_SECONDS = 15.0
HEAR_SECONDS = 15.0
"""With the model's ten at least, and the wait for what belongs together, an answer still comes within 45 s."""
FILE_CHARACTERS = 40_000
TRANSCRIPT_CHARACTERS = 10_000
"""The transcripts of one turn, all together."""
NOTE_CHARACTERS = 500
GATHER_MS = 1_500
"""So long after an image a turn waits for what is sent with it: more images, or words."""
ALBUM_MS = 4_000
"""So long for the missing parts of an album."""
GATHER_MS_AT_MOST = 5_000
"""However many images follow each other."""

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
