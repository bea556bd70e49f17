"""The three secrets: whether they can be read, and what is in the way."""

from bot.adapters.google_rpc import Refused
from bot.admin.checks.check import Check, Outcome, Stopped, check, ok, wrong
from bot.admin.checks.google import SECRET_MANAGER, call, explain
from bot.admin.checks.installation import Installation

CHANNEL_SECRET, ACCESS_TOKEN, API_KEY = "LINE_CHANNEL_SECRET", "LINE_CHANNEL_ACCESS_TOKEN", "OPENAI_API_KEY"


async def value(of: Installation, name: str) -> str:
    """The secret, from where the function has it. Raises Stopped, with how to mend it."""
    return of.given(name) or await of.once(_read, name)


async def _read(of: Installation, name: str) -> str:
    version = await of.version(name)
    try:
        answer = await call(of, SECRET_MANAGER, "AccessSecretVersion", version)
        read: str = answer.payload.data.decode().strip()
    except Refused as refused:
        raise Stopped(_refusal(of, refused, version)) from None
    except UnicodeDecodeError:
        raise Stopped(wrong(f"{version} is not UTF-8 text", _add(version))) from None
    if not read:
        raise Stopped(wrong(f"{version} is empty", _add(version)))
    return read


def _refusal(of: Installation, refused: Refused, version: str) -> Outcome:
    _, project, _, secret, _, number = version.split("/")
    if refused.code.name == "FAILED_PRECONDITION":
        # `latest` is no number that could be enabled; the newest version may be a mistake, too.
        enable = f"gcloud secrets versions enable {number} --secret={secret} --project={project}"
        return wrong(f"{version} is disabled or destroyed", _add(version) if number == "latest" else enable)
    if refused.code.name == "PERMISSION_DENIED" and "SERVICE_DISABLED" not in refused.details:
        role = f"--member=user:YOU@EXAMPLE.COM --role={SECRET_MANAGER.role}"
        grant = f"gcloud secrets add-iam-policy-binding {secret} --project={project} {role}"
        return wrong(f"{version} may not be read by you: PERMISSION_DENIED", grant)
    return explain(of, SECRET_MANAGER, refused, version, _make(version))


def _make(version: str) -> str:
    _, project, _, secret, _, _ = version.split("/")
    return f"gcloud secrets create {secret} --data-file=- --project={project}"


def _add(version: str) -> str:
    _, project, _, secret, _, _ = version.split("/")
    return f"gcloud secrets versions add {secret} --data-file=- --project={project}"


def _readable(title: str, name: str) -> Check:
    @check(title)
    async def readable(of: Installation) -> Outcome:
        await value(of, name)
        where = "the environment has it" if of.given(name) else f"{await of.version(name)} can be read by you"
        return ok(where)

    return readable


channel_secret = _readable("channel secret", CHANNEL_SECRET)
access_token = _readable("access token", ACCESS_TOKEN)
api_key = _readable("OpenAI key", API_KEY)
