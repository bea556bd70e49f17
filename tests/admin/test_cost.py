"""The command that tells what a month is expected to cost."""

import json
import re
from pathlib import Path

import pytest

from bot import prices
from bot.admin.__main__ import main
from bot.admin.bill import Size, bill, month
from bot.admin.cost import MAX_INSTANCES
from bot.admin.measured import MEASURED
from bot.admin.simulation import Setting

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs no project and no database."""
    monkeypatch.setenv("STORE", "sqlite::memory:")
    monkeypatch.setenv("OPENAI_MODEL", "gpt-5.6-luna")


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["cost", *arguments]) == 0
    return capsys.readouterr().out


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, float]]:
    return [json.loads(line) for line in told(capsys, *arguments, "--json").splitlines()]


def test_programs_get_a_line_for_each_size_and_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """Sizes, messages, CPU and memory are taken as given."""
    found = rows(capsys, "--users", "10", "--users", "2000", "--messages", "40", "--memory", "1Gi", "--cpu", "1")
    assert [(row["users"], row["messages"], row["at_once"], row["gib"]) for row in found] == [
        (10, 40, 80, 1.0),
        (2_000, 40, 80, 1.0),
    ]
    expected = bill(month(Size(2_000, 40)), Setting(1.0, 1.0, 80), prices.PRICES["gpt-5.6-luna"])
    assert (found[1]["function"], found[1]["total"]) == (expected.function, expected.total)


def test_parts_of_a_cpu_and_a_whole_one_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    """Five settings, each with what it costs and how long it makes people and LINE wait."""
    found = rows(capsys, "--users", "3000", "--messages", "30", "--messages", "60")
    assert [row["cpu"] for row in found] == [0.167, 0.25, 0.333, 0.5, 1.0] * 2
    assert [row["at_once"] for row in found] == [1, 1, 1, 1, 80] * 2
    assert [row["messages"] for row in found] == [30] * 5 + [60] * 5
    assert found[0]["added_p95"] > found[4]["added_p95"] > 0


def test_people_get_a_table_and_the_cheapest_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """For each size; in words, as `make deploy` takes it, with what a quicker one would cost."""
    title, table, sentences, *more = told(capsys, "--users", "10000", "--users", "10").split("\n\n")
    assert title == "10,000 users with 30 messages each, yen a month:"
    assert [line.split()[0] for line in table.splitlines()] == ["CPU", "0.167", "0.25", "0.333", "0.5", "1"]
    assert sentences.startswith("CPU=0.167 CONCURRENCY=1 is cheapest: ")
    assert "CPU=1 CONCURRENCY=80 answers 0." in sentences
    assert more[0] == "10 users with 30 messages each, yen a month:"


def test_a_deployment_gets_three_sizes_of_its_own_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """In one table, without being asked for any."""
    table = told(capsys, "--cpu", "0.333", "--memory", "512Mi", "--concurrency", "1")
    assert [line.split()[0] for line in table.splitlines()] == ["Users", "100", "1,000", "10,000"]


def test_what_costs_the_same_is_told_by_who_is_quicker(capsys: pytest.CaptureFixture[str]) -> None:
    """A small bot is free with every setting: the quickest is as cheap as any."""
    sentences = told(capsys, "--users", "10").split("\n\n")[2]
    assert sentences.startswith("CPU=1 CONCURRENCY=80 is cheapest: ")
    assert "sooner" not in sentences


def test_who_has_measured_better_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """A slower model, more CPU and longer answers cost more; a slower start is told."""
    arguments = ["--users", "10000", "--cpu", "0.333"]
    [usual] = rows(capsys, *arguments)
    assert rows(capsys, *arguments, "--thinking", "6")[0]["function"] > 1.5 * usual["function"]
    assert rows(capsys, *arguments, "--cpu-ms", "300")[0]["function"] > usual["function"]
    assert rows(capsys, *arguments, "--output-tokens", "600")[0]["model"] > usual["model"]
    half = MEASURED.input_tokens // 2
    assert rows(capsys, *arguments, "--input-tokens", str(half))[0]["model"] < usual["model"]
    assert rows(capsys, *arguments, "--model", "gpt-6-astra")[0]["model"] > 10 * usual["model"]
    assert "LINE gives up waiting" in told(capsys, *arguments, "--start-ms", "2500")


def test_more_than_is_deployed_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Else people would wait in the queue at the busiest minute: for an instance, or for the queue itself."""
    assert "unless" not in told(capsys, "--users", "10000", "--cpu", "0.333")
    both = r"unless MAX_INSTANCES is \d+ and DISPATCHES is \d+\."
    assert re.search(both, told(capsys, "--users", "18000", "--cpu", "0.333"))
    assert re.search(r"unless DISPATCHES is \d+\.", told(capsys, "--users", "18000", "--cpu", "1"))


def test_large_memory_leaves_what_is_possible(capsys: pytest.CaptureFixture[str]) -> None:
    """Cloud Run gives a part of a CPU little memory."""
    assert [row["cpu"] for row in rows(capsys, "--users", "10", "--memory", "1Gi")] == [0.5, 1.0]
    assert [row["cpu"] for row in rows(capsys, "--users", "10", "--memory", "2Gi")] == [1.0]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--cpu", "0.25", "--memory", "1Gi"),
        ("--cpu", "0.5", "--memory", "2Gi"),
        ("--cpu", "0.333", "--concurrency", "80"),
        ("--cpu", "1.5"),
        ("--cpu", "0.05"),
        ("--cpu", "3"),
        ("--cpu", "16"),
        ("--cpu", "4", "--memory", "1Gi"),
        ("--cpu", "1", "--memory", "5Gi"),
        ("--memory", "64Mi"),
    ],
)
def test_what_cloud_run_does_not_take(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused here, with what would be possible, and not after a deployment."""
    assert main(["cost", *arguments]) == 1
    assert "Cloud Run does not take that" in capsys.readouterr().err


def test_memory_must_be_written_as_google_writes_it(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong size is told, with an example."""
    with pytest.raises(SystemExit):
        main(["cost", "--memory", "big"])
    assert "write it like 512Mi or 1Gi" in capsys.readouterr().err


def test_the_readmes_show_what_it_prints(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever measures anew, or changes a price, prints the table again."""
    monkeypatch.delenv("OPENAI_MODEL")
    printed = told(capsys, "--users", "10000", "--messages", "30", "--messages", "100").strip()
    for name in ("README.md", "README.ja.md"):
        assert printed in (ROOT / name).read_text()


def test_the_readmes_tell_what_a_slower_model_costs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the words below the table: as deployed, with 30 and with 100 messages each."""
    monkeypatch.delenv("OPENAI_MODEL")
    sizes = ("--users", "10000", "--messages", "30", "--messages", "100")
    few, many = rows(capsys, *sizes, "--cpu", "0.333", "--thinking", "6")
    for name in ("README.md", "README.ja.md"):
        shown = (ROOT / name).read_text()
        assert (f"{few['function']:,}" in shown, f"{many['function']:,}" in shown) == (True, True)
    assert min(few["instances"], many["instances"]) > MAX_INSTANCES
