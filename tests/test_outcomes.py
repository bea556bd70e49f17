"""Every event and message that LINE sends, or may come to send, has the outcome that was decided for it."""

import json
from typing import Any

import pytest

from bot.events import _READERS, IGNORED
from bot.gate import Gate
from tests.pipeline import SECRET, Pipeline, secret
from tests.samples import SILENT, Outcome, samples
from tests.webhooks import body, signed

SAMPLES = list(samples())
NAMES = [name for name, _, _ in SAMPLES]


def outcome_of(pipeline: Pipeline) -> Outcome:
    """What came of one event in a conversation that was new."""
    states = [document for _, document in pipeline.store.documents.values()]
    if pipeline.model.prompts:
        return "answered"
    if pipeline.messenger.calls:
        return "told"
    if any(state.get("erased_at") for state in states):
        return "erased"
    return "withdrawn" if any(state.get("unsent") for state in states) else "silent"


@pytest.mark.parametrize(("raw", "outcome"), [sample[1:] for sample in SAMPLES], ids=NAMES)
async def test_outcome(raw: dict[str, Any], outcome: Outcome) -> None:
    """200, no crash, and what the table says; what is silent leaves nothing behind."""
    pipeline = Pipeline()
    gate = Gate(secret(), pipeline.inbox.take, pipeline.inbox.take, pipeline.clock)
    response = await gate.answer(signed(body(raw), SECRET))
    assert response.status == 200
    assert outcome_of(pipeline) == outcome
    if outcome == "silent":
        assert pipeline.store.calls("write") == 0
        assert pipeline.profiles.asked == []


async def test_what_is_ignored_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for a body, with the number of events that were left out, and not a word of them."""
    raws = [raw for name, raw, _ in SAMPLES if name in SILENT]
    pipeline = Pipeline()
    gate = Gate(secret(), pipeline.inbox.take, pipeline.inbox.take, pipeline.clock)
    await gate.answer(signed(body(*raws), SECRET))
    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (line["event"], line["count"]) == ("events_skipped", len(raws))
    assert pipeline.store.log == []


def test_every_type_was_decided_upon() -> None:
    """Each that LINE documents is read, or ignored by name; and each is among these samples."""
    documented = {raw["type"] for _, raw, _ in SAMPLES} - {"telepathy"}
    assert documented == (_READERS.keys() - {"kaiwa.wake"}) | IGNORED
    assert not _READERS.keys() & IGNORED
