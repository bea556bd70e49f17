"""What operators set: read from the environment once, checked at start, all problems named at once. No secrets here."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bot.limits import DAY_MS, Policy
from bot.spending import Limit, Limits

DEFAULT_MODEL = "gpt-6-luna"
DEFAULT_TRANSCRIPTION_MODEL = "gpt-transcribe"
DEFAULT_IMAGE_MODEL = "gpt-image-2.5-flare"
DEFAULT_SYSTEM_PROMPT = "You are Kaiwa, a friendly, honest and helpful conversation partner."
SECRETS = {
    "LINE_CHANNEL_SECRET": "line-channel-secret",
    "LINE_CHANNEL_ACCESS_TOKEN": "line-channel-access-token",
    "OPENAI_API_KEY": "openai-api-key",
}

WORD = re.compile(r"[^\s/]+")
MODEL = re.compile(r"\S+")
MODELS = re.compile(r"\s*[^\s,]+(\s*,\s*[^\s,]+)*\s*,?\s*")
BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
HOST = re.compile(r"[^\s/:\[\]]+|\[[0-9a-fA-F:]+\]")
SECRET_VERSION = re.compile(r"projects/[^/\s]+/secrets/[^/\s]+/versions/[^/\s]+")
QUEUE = re.compile(r"inprocess|projects/[^/\s]+/locations/[^/\s]+/queues/[^/\s]+")
STORE = re.compile(r"firestore|sqlite:.+")
DATABASE = re.compile(r"\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]")
YES, NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
PRICE = r"\s*[^\s,=]+=\d{1,6}(\.\d{1,9})?(/\d{1,6}(\.\d{1,9})?){2}\s*"
PRICES = re.compile(rf"{PRICE}(,{PRICE})*,?\s*")
EFFORT = re.compile(r"none|minimal|low|medium|high|xhigh|max")


LEAST = 0.001
"""In milliseconds it is still something."""


class Malformed(Exception):
    """One line that names every variable that is wrong, and what it should be."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Empty text means not set; times are in milliseconds where their name says so.

    `other_models`: what people may choose instead, with the reasoning effort of each. `cheaper_model`: what answers
    when little of a limit is left. `prices`: USD per million tokens of input, of cached input, and of output.
    `push_reserve`: so many of the month's pushes are left to the operator.
    """

    project: str = ""
    secret_versions: Mapping[str, str] = field(default_factory=dict)
    model: str = DEFAULT_MODEL
    reasoning_effort: str = ""
    transcription_model: str = DEFAULT_TRANSCRIPTION_MODEL
    other_models: Mapping[str, str] = field(default_factory=dict)
    line_api_base_url: str = "https://api.line.me"
    line_data_api_base_url: str = "https://api-data.line.me"
    store: str = "firestore"
    firestore_database: str = "(default)"
    secret_manager_emulator: str = ""
    tasks_emulator: str = ""
    tasks_queue: str = ""
    service_url: str = ""
    system_prompt: str = DEFAULT_SYSTEM_PROMPT
    model_deadline_ms: int = 40_000
    web_search: bool = False
    moderation: bool = False
    tracing: bool = False
    policy: Policy = field(default_factory=Policy)
    media_bucket: str = ""
    image_model: str = DEFAULT_IMAGE_MODEL
    cheaper_model: str = DEFAULT_MODEL
    cheaper_effort: str = ""
    prices: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    push_reserve: int = 10

    @property
    def models(self) -> tuple[str, ...]:
        """All that people may choose from, the operator's own first."""
        return (self.model, *self.other_models)

    @property
    def sqlite_path(self) -> str:
        """The file, or `:memory:`; empty when the store is Firestore."""
        return self.store.removeprefix("sqlite:") if self.store.startswith("sqlite:") else ""


def read(environment: Mapping[str, str]) -> Settings:
    """The settings in `environment`. Raises Malformed."""
    reader = _Reader({name: value for name, value in environment.items() if value})
    model = reader.matching("OPENAI_MODEL", MODEL, "a model's name", DEFAULT_MODEL)
    queue = reader.matching("TASKS_QUEUE", QUEUE, "projects/P/locations/L/queues/Q or inprocess")
    cheaper = reader.matching("OPENAI_CHEAPER_MODEL", MODEL, "a model's name", DEFAULT_MODEL)
    settings = Settings(
        project=reader.matching("GOOGLE_CLOUD_PROJECT", WORD, "a project id"),
        secret_versions=_secret_versions(reader),
        model=model,
        reasoning_effort=_effort(reader, model),
        other_models={name: _effort(reader, name) for name in reader.listed("OPENAI_MODELS") if name != model},
        transcription_model=reader.matching(
            "OPENAI_TRANSCRIPTION_MODEL", MODEL, "a model's name", DEFAULT_TRANSCRIPTION_MODEL
        ),
        media_bucket=reader.matching("MEDIA_BUCKET", BUCKET, "a bucket's name"),
        image_model=reader.matching("OPENAI_IMAGE_MODEL", MODEL, "a model's name", DEFAULT_IMAGE_MODEL),
        line_api_base_url=reader.url("LINE_API_BASE_URL", "https://api.line.me"),
        line_data_api_base_url=reader.url("LINE_DATA_API_BASE_URL", "https://api-data.line.me"),
        store=reader.matching("STORE", STORE, "firestore, sqlite:PATH or sqlite::memory:", "firestore"),
        firestore_database=reader.matching("FIRESTORE_DATABASE", DATABASE, "a database id", "(default)"),
        secret_manager_emulator=reader.address("SECRET_MANAGER_EMULATOR_HOST"),
        tasks_emulator=reader.address("CLOUD_TASKS_EMULATOR_HOST"),
        tasks_queue=queue,
        service_url=reader.url("SERVICE_URL"),
        system_prompt=reader.text("SYSTEM_PROMPT", DEFAULT_SYSTEM_PROMPT),
        model_deadline_ms=round(reader.number("MODEL_DEADLINE_SECONDS", 40, most=3_000) * 1000),
        web_search=reader.flag("ENABLE_WEB_SEARCH"),
        moderation=reader.flag("ENABLE_MODERATION"),
        tracing=reader.flag("ENABLE_TRACING"),
        policy=Policy(
            lease_ms=round(reader.number("LEASE_SECONDS", 20, most=3_000) * 1000),
            retention_ms=round(reader.number("RETENTION_DAYS", 90, most=36_500) * DAY_MS),
        ),
        cheaper_model=cheaper,
        cheaper_effort=_effort(reader, cheaper),
        prices=reader.prices("OPENAI_PRICES"),
        limits=Limits(
            Limit(reader.count("DAILY_TOKENS_PER_USER"), reader.yen("DAILY_YEN_PER_USER")),
            Limit(reader.count("MONTHLY_TOKENS"), reader.yen("MONTHLY_YEN")),
        ),
        push_reserve=reader.count("PUSH_RESERVE", 10, least=0),
    )
    reader.address("FIRESTORE_EMULATOR_HOST")
    reader.url("STORAGE_EMULATOR_HOST")
    reader.url("OPENAI_BASE_URL")
    reader.url("OTEL_EXPORTER_OTLP_ENDPOINT")
    if queue not in ("", "inprocess") and not reader.text("SERVICE_URL"):
        reader.problems.append(
            "SERVICE_URL must be this function's public URL when TASKS_QUEUE names a Cloud Tasks queue"
        )
    if reader.problems:
        raise Malformed("Kaiwa cannot start: " + "; ".join(reader.problems))
    return settings


def _effort(reader: "_Reader", model: str) -> str:
    """The default model would think for long before it answers a greeting; of others nothing is known."""
    default = "low" if model == DEFAULT_MODEL else ""
    return reader.matching("OPENAI_REASONING_EFFORT", EFFORT, "one of " + EFFORT.pattern, default)


def _secret_versions(reader: "_Reader") -> dict[str, str]:
    wanted = "projects/P/secrets/S/versions/V"
    return {name: reader.matching(f"{name}_NAME", SECRET_VERSION, wanted) for name in SECRETS}


class _Reader:
    """Reads variables and collects what is wrong; their values are not repeated, they may be misplaced secrets."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        return self._environment.get(name, default)

    def matching(self, name: str, pattern: re.Pattern[str], wanted: str, default: str = "") -> str:
        return self._checked(name, default, wanted, lambda value: pattern.fullmatch(value) is not None)

    def listed(self, name: str) -> list[str]:
        """Words between commas."""
        given = self._checked(
            name, "", "names with commas between them", lambda value: MODELS.fullmatch(value) is not None
        )
        return given.replace(",", " ").split()

    def url(self, name: str, default: str = "") -> str:
        return self._checked(name, default, "an http or https URL", _is_url).rstrip("/")

    def address(self, name: str) -> str:
        return self._checked(name, "", "host:port", _is_address)

    def number(self, name: str, default: float, *, most: float) -> float:
        wanted = f"a number from {LEAST:g} to {most:g}"
        return float(self._checked(name, str(default), wanted, lambda value: _is_number(value, most)) or default)

    def count(self, name: str, default: int = 0, *, least: int = 1) -> int:
        """The default may be less than the least: 0 where nothing is set."""
        wanted = f"a whole number from {least}"
        is_good = re.compile(r"[0-9]{1,15}").fullmatch
        return int(
            self._checked(name, str(default), wanted, lambda value: bool(is_good(value)) and int(value) >= least)
        )

    def yen(self, name: str) -> int:
        """Millionths of a yen; 0 where nothing is set."""
        return round(self.number(name, 0, most=1e9) * 1_000_000)

    def prices(self, name: str) -> dict[str, tuple[float, float, float]]:
        wanted = "model=input/cached/output in USD per million tokens, with commas between"
        given = self._checked(name, "", wanted, lambda value: PRICES.fullmatch(value) is not None)
        pairs = (one.strip().rpartition("=") for one in given.split(",") if one.strip())
        figures = ((model, tuple(float(figure) for figure in price.split("/"))) for model, _, price in pairs)
        return {model: (price[0], price[1], price[2]) for model, price in figures}

    def flag(self, name: str) -> bool:
        value = self._checked(name, "", "true or false", lambda value: value.strip().casefold() in (*YES, *NO))
        return value.strip().casefold() in YES

    def _checked(self, name: str, default: str, wanted: str, is_good: Callable[[str], bool]) -> str:
        value = self._environment.get(name)
        if value is None:
            return default
        if is_good(value):
            return value
        problem = f"{name} must be {wanted}"
        self.problems += [problem] if problem not in self.problems else []
        return default


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        is_http = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        return is_http and not re.search(r"\s", value)
    except ValueError:
        return False


def _is_address(value: str) -> bool:
    host, _, port = value.rpartition(":")
    return bool(HOST.fullmatch(host)) and port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536


def _is_number(value: str, most: float) -> bool:
    try:
        return LEAST <= float(value) <= most
    except ValueError:
        return False
