"""The settings: what the function cannot do its work well without."""

from bot.admin.checks.check import Outcome, check, ok, wrong
from bot.admin.checks.installation import Installation

DESCRIBE = (
    "set what the function has: gcloud functions describe kaiwa --gen2 --region=asia-northeast1 "
    "--format='value(serviceConfig.environmentVariables)'"
)


@check("settings")
async def settings(of: Installation) -> Outcome:
    """That they are well formed shows by there being any."""
    missing = [
        name
        for name, value in {"SERVICE_URL": of.settings.service_url, "TASKS_QUEUE": of.settings.tasks_queue}.items()
        if not value
    ]
    if missing:
        seen = f"not set: {', '.join(missing)}; without a queue LINE waits for the model, longer than it does"
        return wrong(seen, DESCRIBE)
    return ok("well formed")
