"""What one message takes: the figures that the bill is reckoned from, all in one place.

The first part is measured. To do it again: `make bench` on a machine with nothing else to do, and write the column
"kaiwa" in here; each figure names its row. CPU is that of the machine that measured: Google's may be slower, for which
`cost` has options. A test compares what is counted with the bench's committed baseline.
The second part nobody can measure without Google, OpenAI and people; it is assumed, and rather too high.
"""

from dataclasses import dataclass

from bot.conversation import Usage


@dataclass(frozen=True, slots=True)
class Work:
    """Seconds, of a whole CPU where it is CPU; of one message, where nothing else is said."""

    cpu: float = 0.023
    """Both requests together: row "CPU a message, 500 a minute"."""
    start_cpu: float = 0.56
    """From a container's start to its first answer: row "CPU to first 200"."""
    load_cpu: float = 1.16
    """More of it until its first reply: rows "CPU to first reply" less "CPU to first 200"."""
    reads: float = 1.0
    writes: float = 3.2
    """Of Firestore: rows "reads, mean of a long conversation" and "writes, ..."."""
    tasks: float = 1.0
    """Row "tasks a message"."""
    model_calls: float = 1.1
    """Summaries too: row "model calls, mean of a long conv."."""
    input_tokens: int = 5_009
    """Row "input tokens a turn, long conversation"."""
    paid_tokens: int = 1_185
    """The same within one talk, where most is in OpenAI's cache: row "the same, with what is cached at a tenth"."""

    intake_part: float = 0.25
    """Of `cpu`, for LINE's own request: it checks the signature and makes the task."""
    intake_wait: float = 0.1
    """For Cloud Tasks."""
    dispatch: float = 0.05
    """From a task's making to its delivery."""
    task_wait: float = 0.3
    """Four operations of Firestore, and LINE's reply."""
    placing: float = 0.4
    """Until Google has found a place for a new container: not billed."""
    thinking: float = 3.0
    """Until the model has answered, on average; logarithms are spread by `thinking_spread` around their mean."""
    thinking_spread: float = 0.6
    longest_thinking: float = 40.0
    """The bot's own deadline (MODEL_DEADLINE_SECONDS)."""
    output_tokens: int = 300
    talk: int = 3
    """So many messages people write in a talk, on average; and so many seconds apart."""
    talk_pause: float = 45.0
    burst_part: float = 0.05
    """So many of all users write in one minute of each day."""

    conversation_bytes: int = 16_000
    archive_bytes: int = 28_000
    archived: float = 0.05
    """A batch for every twentieth message, kept for `archive_months`."""
    archive_months: int = 3
    log_bytes: int = 4_500
    """A turn's line, and the two that Cloud Run writes for its requests."""
    reply_bytes: int = 5_000
    """Out of Google's network to LINE, and what goes around it; tokens have three bytes each (`tests/bench`)."""
    metrics_mib: float = 45.0
    """In a month, of those made out of the log: a sample a minute, 80 bytes of a distribution, at the most."""
    secrets: int = 3
    secret_seconds: float = 600.0
    """Each is read again after so long, by each instance that is used (`bot/secrets.py`)."""

    @property
    def intake_cpu(self) -> float:
        return self.cpu * self.intake_part

    @property
    def task_cpu(self) -> float:
        return self.cpu - self.intake_cpu

    @property
    def sent_bytes(self) -> float:
        """Out of Google's network: questions to OpenAI, and the reply."""
        return self.model_calls * self.input_tokens * 3 + self.reply_bytes

    @property
    def tokens(self) -> Usage:
        """Of one call of the model, on average: a talk's first message finds nothing in the cache."""
        cached_in_a_talk = (self.input_tokens - self.paid_tokens) / 0.9
        return Usage(1, self.input_tokens, round(cached_in_a_talk * (1 - 1 / self.talk)), self.output_tokens)


MEASURED = Work()
