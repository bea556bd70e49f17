"""LINE: the access token, the webhook, the chat, and the month's pushes."""

from bot.adapters.line_channel import Bot, LineChannel, LineRefused, Webhook, WebhookTest
from bot.admin.checks.check import Outcome, check, hidden, ok, skipped, wrong
from bot.admin.checks.function import function, logs, own_request
from bot.admin.checks.installation import Installation
from bot.admin.checks.secrets import ACCESS_TOKEN, access_token, value

CONSOLE = "https://developers.line.biz/console/ > your channel > Messaging API"
MANAGER = "https://manager.line.biz/ > your account > Settings"
ISSUE = f"issue a channel access token ({CONSOLE} > Channel access token) and make it the secret's new version"


def register(of: Installation) -> str:
    return f"python -m bot.admin register-webhook {of.settings.service_url}"


async def channel(of: Installation) -> LineChannel:
    """With the access token. Raises Stopped."""
    return of.channel(await value(of, ACCESS_TOKEN))


async def _bot(of: Installation) -> Bot:
    return await (await of.once(channel)).bot()


async def _webhook(of: Installation) -> Webhook | None:
    return await (await of.once(channel)).webhook()


@check("LINE", access_token)
async def line(of: Installation) -> Outcome:
    try:
        bot = await of.once(_bot)
    except LineRefused as refused:
        return wrong(f"LINE does not accept the access token: {refused.status} {refused.text}", ISSUE)
    return ok(f"the token belongs to {bot.name} ({bot.basic_id})")


@check("webhook address", line)
async def webhook_address(of: Installation) -> Outcome:
    registered, wanted = await of.once(_webhook), of.settings.service_url
    if not wanted:
        return skipped("SERVICE_URL is not set")
    if registered is None or not registered.url:
        return wrong("no webhook is registered", register(of))
    if registered.url.rstrip("/") != wanted.rstrip("/"):
        return wrong(f"LINE sends to {registered.url}, SERVICE_URL is {wanted}", register(of))
    return ok(registered.url)


@check("webhook in use", line)
async def webhook_in_use(of: Installation) -> Outcome:
    registered = await of.once(_webhook)
    if registered is None or not registered.url:
        return skipped("no webhook is registered")
    if not registered.active:
        return wrong("LINE sends nothing: Use webhook is off", f'{CONSOLE} > switch on "Use webhook"')
    return ok("Use webhook is on")


@check("webhook answers", line, function, patience=3.0)
async def webhook_answers(of: Installation) -> Outcome:
    test = await (await of.once(channel)).test_webhook(of.settings.service_url)
    if test.success:
        return ok("LINE's own signed test gets 200: the function has this channel's secret")
    if test.status > 0 and await of.once(own_request) == test.status:
        return skipped(f"LINE's test gets {test.status}, as a webhook from here does: see signature")
    seen = f"LINE's test of {of.settings.service_url}: {told(test)}"
    return wrong(seen, _secret_remedy() if test.status == 401 else f"{register(of)}; {logs(of)}")


def told(test: WebhookTest) -> str:
    """What LINE says of its test, on one line."""
    return f"{test.reason or 'no reason told'}, status {test.status}" + (f", {test.detail}" if test.detail else "")


def _secret_remedy() -> str:
    return (
        "the channel secret is another channel's: copy it (https://developers.line.biz/console/ > your channel > "
        "Basic settings > Channel secret) and add it: gcloud secrets versions add line-channel-secret --data-file=-"
    )


@check("redelivery")
async def redelivery(of: Installation) -> Outcome:
    seen = "LINE's API does not tell whether what was missed is sent again"
    return hidden(seen, f'{CONSOLE} > look that "Webhook redelivery" is on')


@check("automatic replies")
async def automatic_replies(of: Installation) -> Outcome:
    seen = "LINE's API does not tell whether the account answers beside the bot"
    return hidden(seen, f"{MANAGER} > Response settings > look that greeting and auto-response messages are off")


@check("chat mode", line)
async def chat_mode(of: Installation) -> Outcome:
    bot = await of.once(_bot)
    modes = f"chatMode {bot.chat_mode}, markAsReadMode {bot.read_mode}"
    if bot.chat_mode == "chat":
        return ok(f"{modes}: people can answer in LINE's manager, too, and the bot goes on answering beside them")
    return ok(f"{modes}: the bot alone answers")


@check("push quota", line)
async def push_quota(of: Installation) -> Outcome:
    api, reserve = await of.once(channel), of.settings.push_reserve
    quota, used = await api.quota(), await api.consumption()
    if quota is None:
        return ok(f"{used:,} pushed this month, without a limit")
    left = max(0, quota - used)
    seen = f"{left:,} of {quota:,} pushes are left this month; {reserve:,} are kept (PUSH_RESERVE)"
    remedy = (
        f"{MANAGER} > Usage and billing: take a larger plan, or wait for the next month; or set a lower PUSH_RESERVE"
    )
    return ok(seen) if left > reserve else wrong(seen, remedy)
