"""The trace of a request: what is well-formed is carried on, what is not is as good as missing."""

import re

import pytest

from bot import trace
from bot.trace import Trace

ID, SPAN = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"traceparent": f"00-{ID}-{SPAN}-01"}, Trace(ID, SPAN, True, "p")),
        ({"traceparent": f"00-{ID}-{SPAN}-00"}, Trace(ID, SPAN, False, "p")),
        ({"traceparent": f"00-{ID}-{SPAN}-03"}, Trace(ID, SPAN, True, "p")),
        ({"x-cloud-trace-context": f"{ID.upper()}/67667974448284343;o=1"}, Trace(ID, SPAN, True, "p")),
        ({"x-cloud-trace-context": f"{ID}/0;o=0"}, Trace(ID, "", False, "p")),
        ({"x-cloud-trace-context": ID}, Trace(ID, "", False, "p")),
        ({"x-cloud-trace-context": f"{ID}/99999999999999999999"}, Trace(ID, "", False, "p")),
        ({"traceparent": "nonsense", "x-cloud-trace-context": f"{ID};o=1"}, Trace(ID, "", True, "p")),
    ],
)
def test_incoming(headers: dict[str, str], expected: Trace) -> None:
    """Google's two headers are read, the newer one first."""
    assert trace.incoming(headers, "p") == expected


@pytest.mark.parametrize(
    "header",
    [
        "",
        "x",
        f"00-{ID}-{SPAN}",
        f"00-{ID}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"ff-{ID}-{SPAN}-01",
        f"00-{ID.upper()}-{SPAN}-01",
        f"00-{ID}-{SPAN}-01\n",
        f"00-{ID}\n{SPAN}-01",
        ID[1:],
        "0" * 32,
        f"{ID}/x;o=1",
        f"{ID}/١;o=1",
        f"{ID}/1;o=1;",
        "9" * 10_000,
    ],
)
def test_malformed(header: str) -> None:
    """A header that is not what it should be is ignored, in either place."""
    assert trace.incoming({"traceparent": header}, "p") is None
    if not header.startswith("00-"):
        assert trace.incoming({"x-cloud-trace-context": header}, "p") is None


def test_fields() -> None:
    """Cloud Logging finds the trace by its full name; without a project there is the bare id, and no empty span."""
    assert Trace(ID, SPAN, True, "p").fields == {
        "logging.googleapis.com/trace": f"projects/p/traces/{ID}",
        "logging.googleapis.com/spanId": SPAN,
        "logging.googleapis.com/trace_sampled": True,
    }
    assert Trace(ID, "", False, "").fields == {
        "logging.googleapis.com/trace": ID,
        "logging.googleapis.com/trace_sampled": False,
    }


def test_carried_on() -> None:
    """What is sent on is read as the same trace, even where no span was known."""
    known = Trace(ID, SPAN, True, "p")
    assert trace.incoming({"traceparent": known.traceparent}, "p") == known
    carried = trace.incoming({"traceparent": Trace(ID, "", False, "p").traceparent}, "p")
    assert carried is not None
    assert (carried.id, carried.sampled) == (ID, False)
    assert re.fullmatch("[0-9a-f]{16}", carried.span_id)


def test_within() -> None:
    """A trace is current as long as its request is handled, and not a moment longer."""
    assert trace.current() is None
    with trace.within(Trace(ID, SPAN, True, "p")):
        with trace.within(trace.begun("p")):
            assert (trace.current() or Trace("", "", False, "")).id != ID
        assert trace.current() == Trace(ID, SPAN, True, "p")
    assert trace.current() is None
