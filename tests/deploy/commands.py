"""gcloud commands as a person would run them: out of Markdown's code blocks and out of cloudbuild.yaml."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

BLOCK = re.compile(r"^[ \t]*(```+)[^\n`]*\n(.*?)^[ \t]*\1[ \t]*$", re.MULTILINE | re.DOTALL)
SUBSTITUTED = re.compile(r"\$\((gcloud [^()]*(?:\([^()]*\)[^()]*)*)\)")
ASSIGNMENT = re.compile(r"^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)=([^\s$;]+)[ \t]*$", re.MULTILINE)
VARIABLE = re.compile(r"\$\{?(\w+)\}?")
PREFIX = re.compile(r"\$|sudo|if|then|else|do|!|[A-Za-z_]\w*=.*")
BUILT_IN = {"PROJECT_ID": "my-project", "PROJECT_NUMBER": "123456789012"}


def in_markdown(text: str) -> list[str]:
    """The commands of every code block, continued lines joined, variables as the text sets them."""
    script = "\n".join(match[2] for match in BLOCK.finditer(text))
    return in_shell(script, {**BUILT_IN, **dict(ASSIGNMENT.findall(script))})


def in_shell(script: str, values: Mapping[str, str]) -> list[str]:
    """The commands of a shell script, those inside `$(...)` and behind pipes included."""
    found = []
    for line in script.replace("\\\n", " ").splitlines():
        found += [command for part in _unnested(line) for command in _in_line(expanded(part, values))]
    return found


def in_build(path: Path) -> list[str]:
    """The commands of a cloudbuild.yaml: those of its steps and of the scripts that they run, and those in comments.

    Substitutions have their default values.
    """
    build = load(path)
    values = {**BUILT_IN, **build["substitutions"]}
    steps = [step for step in build["steps"] if step.get("entrypoint") == "gcloud"]
    comments = re.findall(r"^#[ \t]*(.*)$", path.read_text(), re.MULTILINE)
    run = [shlex.join(["gcloud", *(expanded(str(argument), values) for argument in step["args"])]) for step in steps]
    scripts = [path.parent / step["args"][0] for step in build["steps"] if step["args"][0].endswith(".sh")]
    text = "\n".join([*(script.read_text() for script in scripts), *comments])
    return run + in_shell(text, values)


def load(path: Path) -> dict[str, Any]:
    """A YAML file as plain data."""
    loaded: dict[str, Any] = YAML(typ="safe").load(path)
    return loaded


def expanded(text: str, values: Mapping[str, str]) -> str:
    """`$NAME` and `${NAME}` replaced; a name without a value becomes the word `value`."""
    return VARIABLE.sub(lambda match: values.get(match[1], "value"), text)


def _unnested(line: str) -> Iterator[str]:
    for match in SUBSTITUTED.finditer(line):
        yield match[1]
    yield SUBSTITUTED.sub("value", line)


def _in_line(line: str) -> Iterator[str]:
    if "gcloud" not in line:  # anything else may be text that no shell could read
        return
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    command: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set("();<>|&"):
            if command[:1] == ["gcloud"]:
                yield shlex.join(command)
            command = []
        elif command or not PREFIX.fullmatch(word):
            command.append(word)
