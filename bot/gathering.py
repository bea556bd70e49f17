"""Waiting a moment after an image: more of its album, or words about it, are on their way as webhooks of their own.

LINE sends the parts of an album in any order.
Source: https://developers.line.biz/en/reference/messaging-api/#wh-image
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence

from bot.conversation import Pending
from bot.lease import Held
from bot.limits import ALBUM_MS, GATHER_MS, GATHER_MS_AT_MOST
from bot.ports import Clock
from bot.segments import next_segment

Sleep = Callable[[float], Awaitable[None]]


async def gathered(held: Held, clock: Clock, sleep: Sleep = asyncio.sleep) -> tuple[Pending, ...]:
    """The next segment, once what belongs to its images has had time to come. For words alone it costs nothing.

    The lease is held meanwhile: what comes joins `pending`, and is seen by looking anew. Empty when nothing is left, or
    the lease is lost.
    """
    segment = next_segment(held.state)
    while segment and (wait := patience(segment, clock())) > 0:
        await sleep(wait / 1000)
        segment = next_segment(held.state) if await held.look() else ()
    return segment


def patience(segment: Sequence[Pending], now: int) -> int:
    """Milliseconds to wait for what belongs to the images of a segment; 0 or less: not at all."""
    images = [pending for pending in segment if _is_image(pending)]
    if not images:
        return 0
    latest = min(image.received_at for image in images) + GATHER_MS_AT_MOST
    ends = [received_at + ALBUM_MS for received_at in _incomplete(images)]
    if _is_image(segment[-1]):
        ends.append(max(image.received_at for image in images) + GATHER_MS)
    return min(max(ends, default=0), latest) - now


def _incomplete(images: Sequence[Pending]) -> Iterator[int]:
    """For each album with parts missing: when the newest of those that are there was received."""
    albums: dict[str, list[Pending]] = defaultdict(list)
    for image in images:
        if image.media and image.media.album:
            albums[image.media.album].append(image)
    for parts in albums.values():
        if len(parts) < max(part.media.album_size for part in parts if part.media):
            yield max(part.received_at for part in parts)


def _is_image(pending: Pending) -> bool:
    return pending.media is not None and pending.media.kind == "image"
