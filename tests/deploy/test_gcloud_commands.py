"""Every gcloud command that the project writes down is one that gcloud accepts."""

import re
from pathlib import Path

import pytest

from tests.deploy import gcloud
from tests.deploy.commands import in_build, in_markdown

DOCUMENTS = sorted([*gcloud.ROOT.glob("*.md"), *gcloud.ROOT.glob("docs/**/*.md")])

IN_A_SENTENCE = re.compile(r"`(gcloud [^`\n]+)`")
README_COMMANDS = 30
"""So many the README has: none is overlooked."""

MARKDOWN = r"""
Run `gcloud inline` never.

```sh
REGION=asia-northeast1
export NAME="kaiwa"
# gcloud commented out
gcloud tasks queues create "$NAME" \
  --location=${REGION} --max-attempts=5  # gcloud trailing
printf %s secret | gcloud secrets create key --data-file=- && gcloud info > file
URL=$(gcloud functions describe kaiwa --format='value(url)')
echo "use gcloud"; CLOUDSDK_CONFIG=x gcloud topic cli
```

1. In a list:
   ```
   $ gcloud services enable \
       run.googleapis.com
   ```
"""


def test_commands_are_found_wherever_a_shell_would_run_them() -> None:
    """Continued lines, pipes, `$(...)`, prompts and assignments are read; comments, texts and inline code are not."""
    assert in_markdown(MARKDOWN) == [
        "gcloud tasks queues create kaiwa --location=asia-northeast1 --max-attempts=5",
        "gcloud secrets create key --data-file=-",
        "gcloud info",
        "gcloud functions describe kaiwa '--format=value(url)'",
        "gcloud topic cli",
        "gcloud services enable run.googleapis.com",
    ]


@pytest.mark.parametrize("flag", ["--regoin=asia-northeast1", "--concurrency=many", "--cpu=1"])
def test_the_lint_refuses_what_gcloud_would_refuse(flag: str, tmp_path: Path) -> None:
    """An unknown flag, a word for a number, and a flag without its companion do not pass."""
    (verdict,) = gcloud.lint([f"gcloud functions deploy kaiwa {flag}"], tmp_path)
    assert not verdict["success"]


def test_every_documented_command_is_accepted(tmp_path: Path) -> None:
    """A reader can copy any gcloud command out of the documents, also out of a sentence: names and flags exist."""
    commands = [command for document in DOCUMENTS for command in _written_in(document)]
    assert len(_written_in(gcloud.ROOT / "README.md")) == README_COMMANDS
    _all_accepted(list(dict.fromkeys(commands)), tmp_path)


def test_both_languages_tell_the_same_commands() -> None:
    """The Japanese README deploys exactly what the English one does."""
    assert _written_in(gcloud.ROOT / "README.md") == _written_in(gcloud.ROOT / "README.ja.md")


def test_every_command_of_the_build_is_accepted(tmp_path: Path) -> None:
    """The build's own deployment, its scripts, and the command that starts the build are what gcloud knows."""
    commands = in_build(gcloud.ROOT / "cloudbuild.yaml")
    assert [" ".join(command.split()[1:4]) for command in commands] == [
        "functions deploy kaiwa",
        *("run services list", "run services update-traffic"),
        *("run services update-traffic", "info '--format=value(basic.python_location)'"),
        *("run services update-traffic", "run services describe", "run services update-traffic"),
        "builds submit --ignore-file=.gitignore",
    ]
    _all_accepted(list(dict.fromkeys(commands)), tmp_path)


def _written_in(document: Path) -> list[str]:
    text = document.read_text()
    return in_markdown(text) + IN_A_SENTENCE.findall(text)


def _all_accepted(commands: list[str], folder: Path) -> None:
    verdicts = gcloud.lint(commands, folder)
    assert len(verdicts) == len(commands)
    assert [
        (verdict["command_string"], verdict["error_message"]) for verdict in verdicts if not verdict["success"]
    ] == []
