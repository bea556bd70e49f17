"""Settings: the contract's table, and one line that names everything that is wrong."""

import pytest

from bot import settings
from bot.limits import DAY_MS, Policy
from bot.settings import DEFAULT_MODEL, Malformed, Settings, read
from bot.spending import Limit, Limits

QUEUE = "projects/p/locations/asia-northeast1/queues/q"
EVERYTHING = {
    "GOOGLE_CLOUD_PROJECT": "my-project",
    "LINE_CHANNEL_SECRET": "s",
    "LINE_CHANNEL_ACCESS_TOKEN": "t",
    "OPENAI_API_KEY": "k",
    "LINE_CHANNEL_SECRET_NAME": "projects/p/secrets/a/versions/1",
    "LINE_CHANNEL_ACCESS_TOKEN_NAME": "projects/p/secrets/b/versions/latest",
    "OPENAI_API_KEY_NAME": "projects/1234/secrets/c/versions/3",
    "OPENAI_BASE_URL": "http://localhost:11434/v1",
    "OPENAI_MODEL": "vendor/model:tag",
    "OPENAI_MODELS": "vendor/model:tag, gpt-large,gpt-large",
    "OPENAI_REASONING_EFFORT": "high",
    "OPENAI_IMAGE_MODEL": "vendor/painter",
    "MEDIA_BUCKET": "my-pictures.example",
    "STORAGE_EMULATOR_HOST": "http://localhost:9199",
    "OPENAI_TRANSCRIPTION_MODEL": "whisper-1",
    "LINE_API_BASE_URL": "http://127.0.0.1:8001/",
    "LINE_DATA_API_BASE_URL": "http://127.0.0.1:8002",
    "STORE": "sqlite:/tmp/kaiwa.db",
    "FIRESTORE_EMULATOR_HOST": "[::1]:8080",
    "FIRESTORE_DATABASE": "kaiwa-test",
    "SECRET_MANAGER_EMULATOR_HOST": "localhost:9090",
    "CLOUD_TASKS_EMULATOR_HOST": "127.0.0.1:8123",
    "TASKS_QUEUE": QUEUE,
    "SERVICE_URL": "https://asia-northeast1-p.cloudfunctions.net/kaiwa",
    "SYSTEM_PROMPT": "Be kind.\nBe brief.",
    "MODEL_DEADLINE_SECONDS": "12.5",
    "LEASE_SECONDS": "3",
    "RETENTION_DAYS": "30",
    "OPENAI_CHEAPER_MODEL": "vendor/small",
    "OPENAI_PRICES": "vendor/model:tag=1/0.1/6, gpt-large=2.5/0.25/10,",
    "DAILY_YEN_PER_USER": "12.5",
    "DAILY_TOKENS_PER_USER": "100000",
    "MONTHLY_YEN": "10000",
    "MONTHLY_TOKENS": "50000000",
    "PUSH_RESERVE": "0",
}


def test_defaults() -> None:
    """With nothing set the function starts, and everything has the contract's default."""
    assert read({}) == Settings(
        secret_versions=dict.fromkeys(settings.SECRETS, ""),
        model=DEFAULT_MODEL,
        reasoning_effort="low",
        cheaper_effort="low",
        policy=Policy(lease_ms=20_000, retention_ms=90 * DAY_MS),
    )
    assert (read({}).store, read({}).sqlite_path, read({}).model_deadline_ms) == ("firestore", "", 40_000)


def test_every_variable() -> None:
    """Each one arrives where it belongs."""
    assert read(EVERYTHING) == Settings(
        project="my-project",
        secret_versions={
            "LINE_CHANNEL_SECRET": "projects/p/secrets/a/versions/1",
            "LINE_CHANNEL_ACCESS_TOKEN": "projects/p/secrets/b/versions/latest",
            "OPENAI_API_KEY": "projects/1234/secrets/c/versions/3",
        },
        model="vendor/model:tag",
        reasoning_effort="high",
        other_models={"gpt-large": "high"},
        image_model="vendor/painter",
        media_bucket="my-pictures.example",
        transcription_model="whisper-1",
        line_api_base_url="http://127.0.0.1:8001",
        line_data_api_base_url="http://127.0.0.1:8002",
        store="sqlite:/tmp/kaiwa.db",
        firestore_database="kaiwa-test",
        secret_manager_emulator="localhost:9090",
        tasks_emulator="127.0.0.1:8123",
        tasks_queue=QUEUE,
        service_url="https://asia-northeast1-p.cloudfunctions.net/kaiwa",
        system_prompt="Be kind.\nBe brief.",
        model_deadline_ms=12_500,
        policy=Policy(lease_ms=3_000, retention_ms=30 * DAY_MS),
        cheaper_model="vendor/small",
        cheaper_effort="high",
        prices={"vendor/model:tag": (1, 0.1, 6), "gpt-large": (2.5, 0.25, 10)},
        limits=Limits(Limit(100_000, 12_500_000), Limit(50_000_000, 10_000_000_000)),
        push_reserve=0,
    )


def test_empty_means_unset() -> None:
    """A variable that is set to nothing has its default."""
    assert read(dict.fromkeys(EVERYTHING, "")) == read({})


def test_no_secret_is_kept() -> None:
    """Settings may be printed."""
    secrets = {"LINE_CHANNEL_SECRET": "hush-1", "LINE_CHANNEL_ACCESS_TOKEN": "hush-2", "OPENAI_API_KEY": "hush-3"}
    assert "hush" not in repr(read(secrets))


def test_other_models_think_as_they_please() -> None:
    """An effort is only preset for the default model: another may not know the parameter."""
    assert read({"OPENAI_MODEL": "other"}).reasoning_effort == ""


@pytest.mark.parametrize(("value", "path"), [("sqlite::memory:", ":memory:"), ("sqlite:a b.db", "a b.db")])
def test_sqlite(value: str, path: str) -> None:
    """What follows `sqlite:` is the file."""
    assert read({"STORE": value}).sqlite_path == path


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("true", True),
        ("1", True),
        ("YES", True),
        (" On ", True),
        ("no", False),
        ("0", False),
        ("False", False),
        ("off", False),
        ("", False),
    ],
)
def test_what_can_be_switched_on(value: str, expected: bool) -> None:
    """In any usual word; what is not set is off."""
    given = read({"ENABLE_WEB_SEARCH": value, "ENABLE_MODERATION": value, "ENABLE_TRACING": value})
    assert (given.web_search, given.moderation, given.tracing) == (expected, expected, expected)
    assert not read({}).web_search
    assert not read({}).moderation
    assert not read({}).tracing


@pytest.mark.parametrize("name", ["ENABLE_WEB_SEARCH", "ENABLE_MODERATION", "ENABLE_TRACING"])
@pytest.mark.parametrize("value", ["maybe", "2", "tru", "\u3042"])
def test_what_is_neither_on_nor_off(name: str, value: str) -> None:
    """It is named at start: who wanted it on must not find it off."""
    with pytest.raises(Malformed, match=f"{name} must be true or false"):
        read({name: value})


def test_the_queue_inside_the_process() -> None:
    """For local runs no address is needed."""
    assert read({"TASKS_QUEUE": "inprocess"}).tasks_queue == "inprocess"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GOOGLE_CLOUD_PROJECT", "a/b"),
        ("LINE_CHANNEL_SECRET_NAME", "my-secret"),
        ("LINE_CHANNEL_ACCESS_TOKEN_NAME", "projects/p/secrets/s"),
        ("OPENAI_API_KEY_NAME", "projects/p/secrets/s/versions/1\n"),
        ("OPENAI_BASE_URL", "localhost:1234"),
        ("OPENAI_MODEL", "two words"),
        ("OPENAI_REASONING_EFFORT", "huge"),
        ("LINE_API_BASE_URL", "ftp://x"),
        ("LINE_API_BASE_URL", "https://"),
        ("LINE_API_BASE_URL", "https://x:99999"),
        ("LINE_DATA_API_BASE_URL", "https://a b"),
        ("LINE_DATA_API_BASE_URL", "https://x:0"),
        ("STORE", "postgres"),
        ("STORE", "sqlite:"),
        ("STORE", "Firestore"),
        ("FIRESTORE_EMULATOR_HOST", "localhost"),
        ("FIRESTORE_EMULATOR_HOST", "http://localhost:80"),
        ("FIRESTORE_DATABASE", "UPPER"),
        ("FIRESTORE_DATABASE", "default"[:2]),
        ("SECRET_MANAGER_EMULATOR_HOST", "localhost:99999"),
        ("SECRET_MANAGER_EMULATOR_HOST", "localhost:0"),
        ("CLOUD_TASKS_EMULATOR_HOST", ":8080"),
        ("CLOUD_TASKS_EMULATOR_HOST", "::1:8080"),
        ("CLOUD_TASKS_EMULATOR_HOST", "x:" + "9" * 5000),
        ("TASKS_QUEUE", "queue"),
        ("TASKS_QUEUE", "projects/p/locations/l/queues/q/tasks/t"),
        ("SERVICE_URL", "example.com/kaiwa"),
        ("MODEL_DEADLINE_SECONDS", "0"),
        ("MODEL_DEADLINE_SECONDS", "soon"),
        ("MODEL_DEADLINE_SECONDS", "nan"),
        ("MODEL_DEADLINE_SECONDS", "inf"),
        ("MODEL_DEADLINE_SECONDS", "1e9"),
        ("OPENAI_MODELS", "gpt-large;gpt small"),
        ("OPENAI_MODELS", ","),
        ("OPENAI_IMAGE_MODEL", "an image model"),
        ("MEDIA_BUCKET", "gs://pictures"),
        ("STORAGE_EMULATOR_HOST", "localhost:9199"),
        ("OPENAI_REASONING_EFFORT", "some"),
        ("LEASE_SECONDS", "-1"),
        ("LEASE_SECONDS", "0.0000001"),
        ("RETENTION_DAYS", "ninety"),
        ("RETENTION_DAYS", "36501"),
        ("OPENAI_CHEAPER_MODEL", "two words"),
        ("OPENAI_PRICES", "gpt-large"),
        ("OPENAI_PRICES", "gpt-large=1/2"),
        ("OPENAI_PRICES", "gpt-large=1/2/-3"),
        ("DAILY_YEN_PER_USER", "free"),
        ("DAILY_TOKENS_PER_USER", "0"),
        ("MONTHLY_YEN", "0"),
        ("MONTHLY_TOKENS", "1.5"),
        ("PUSH_RESERVE", "-1"),
    ],
)
def test_malformed(name: str, value: str) -> None:
    """One line that names the variable and what it should be."""
    with pytest.raises(Malformed) as caught:
        read({name: value})
    message = str(caught.value)
    assert message.startswith("Kaiwa cannot start: ")
    assert f"{name} must be " in message
    assert "\n" not in message


def test_values_are_not_repeated() -> None:
    """A value in the wrong place may be a secret: the message does not tell it."""
    everything = dict.fromkeys(EVERYTHING, "sk-hush hush/")
    with pytest.raises(Malformed) as caught:
        read(everything)
    assert "hush" not in str(caught.value)


def test_everything_at_once() -> None:
    """All problems are named together, so that one more start is enough."""
    names = ["STORE", "LEASE_SECONDS", "RETENTION_DAYS", "TASKS_QUEUE", "SERVICE_URL", "FIRESTORE_EMULATOR_HOST"]
    with pytest.raises(Malformed) as caught:
        read(dict.fromkeys(names, "?"))
    assert all(str(caught.value).count(f"{name} must be") == 1 for name in names)


def test_cloud_tasks_need_an_address() -> None:
    """Tasks have to be sent somewhere: a queue without SERVICE_URL stops the start."""
    with pytest.raises(Malformed, match="SERVICE_URL"):
        read({"TASKS_QUEUE": QUEUE})


def test_the_models_on_offer() -> None:
    """OPENAI_MODEL is always among them, first; an effort that nobody set is the default model's alone."""
    assert read({}).models == (DEFAULT_MODEL,)
    offered = read({"OPENAI_MODEL": "own", "OPENAI_MODELS": f"b,{DEFAULT_MODEL},own,b,"})
    assert offered.models == ("own", "b", DEFAULT_MODEL)
    assert (offered.reasoning_effort, offered.other_models) == ("", {"b": "", DEFAULT_MODEL: "low"})
