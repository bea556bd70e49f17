"""The function itself: that it answers, and that it has the channel secret that is here."""

import json
import re
from base64 import b64encode

import aiohttp

from bot.admin.checks.check import Outcome, Stopped, check, ok, skipped, wrong
from bot.admin.checks.installation import Installation, Page
from bot.admin.checks.secrets import CHANNEL_SECRET, channel_secret, value
from bot.signature import sign

EMPTY = json.dumps({"destination": "U" + "0" * 32, "events": []}).encode()
FORGED = b64encode(bytes(32)).decode()
ADDRESS = re.compile(r"https://(?P<name>[a-z0-9-]+)-(?P<number>\d+)\.(?P<region>[a-z0-9-]+)\.run\.app(/.*)?")
OLD_ADDRESS = re.compile(r"https://(?P<region>[a-z]+-[a-z]+\d)-(?P<project>[^.]+)\.cloudfunctions\.net/(?P<name>[^/]+)")


def region_of(url: str) -> str:
    """As Google's addresses tell it; empty where they do not."""
    found = ADDRESS.fullmatch(url) or OLD_ADDRESS.fullmatch(url)
    return found["region"] if found else ""


def name_of(url: str) -> str:
    found = ADDRESS.fullmatch(url) or OLD_ADDRESS.fullmatch(url)
    return found["name"] if found else "kaiwa"


def where(of: Installation) -> str:
    """The flags that name the function's project and region."""
    region = region_of(of.settings.service_url) or "asia-northeast1"
    return f"--region={region} --project={of.settings.project or 'PROJECT'}"


def logs(of: Installation) -> str:
    return f"read the log: gcloud functions logs read {name_of(of.settings.service_url)} --gen2 {where(of)} --limit=50"


@check("function")
async def function(of: Installation) -> Outcome:
    page = await front(of)
    if page.status == 200 and isinstance(page.told, dict) and page.told.get("name") == "kaiwa":
        return ok(f"GET {of.settings.service_url} answers 200")
    seen = f"GET {of.settings.service_url} answers {page.status}, not 200 with Kaiwa's status"
    return wrong(seen, _remedy(of, page.status))


def _remedy(of: Installation, status: int) -> str:
    name = name_of(of.settings.service_url)
    if status in (401, 403):
        grant = f"gcloud run services add-iam-policy-binding {name} {where(of)}"
        return f"{grant} --member=allUsers --role=roles/run.invoker"
    if status < 500:
        return f"compare SERVICE_URL with: gcloud run services describe {name} {where(of)} --format='value(status.url)'"
    return logs(of)


async def front(of: Installation) -> Page:
    """What GET answers. Raises Stopped."""
    return await of.once(_front)


async def _front(of: Installation) -> Page:
    url = of.settings.service_url
    if not url:
        raise Stopped(skipped("SERVICE_URL is not set"))
    try:
        return await of.get(url)
    except (aiohttp.ClientError, TimeoutError, OSError) as trouble:
        seen = f"GET {url} comes to nothing: {type(trouble).__name__}"
        raise Stopped(wrong(seen, _remedy(of, 404))) from None


async def own_request(of: Installation) -> int:
    """The status that a webhook signed here gets: it holds no events, and nothing comes of it."""
    return await _post(of, sign(await value(of, CHANNEL_SECRET), EMPTY))


async def _post(of: Installation, signature: str) -> int:
    url = of.settings.service_url
    try:
        return (await of.post(url, EMPTY, {"X-Line-Signature": signature})).status
    except (aiohttp.ClientError, TimeoutError, OSError) as trouble:
        raise Stopped(wrong(f"POST {url} comes to nothing: {type(trouble).__name__}", logs(of))) from None


@check("signature", function, channel_secret)
async def signature(of: Installation) -> Outcome:
    own, forged = await of.once(own_request), await _post(of, FORGED)
    if own == 401:
        seen = "the function answers 401 to a webhook signed with the channel secret that is read here"
        return wrong(seen, "give the function the same secret: it reads a new version within a minute of a mismatch")
    if own != 200:
        seen = f"the function answers {own} to a webhook that is signed here, not 200"
        return wrong(seen, f"its account may not read its secrets, or its queue is missing; {logs(of)}")
    if forged != 401:
        return wrong(f"a forged signature gets {forged}, not 401", "deploy Kaiwa again: this is another program")
    return ok("signed here: 200; forged: 401")
