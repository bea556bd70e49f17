"""The floor: the framework alone. No bot on it can be faster."""

import functions_framework.aio
from starlette.requests import Request


@functions_framework.aio.http
async def webhook(request: Request) -> str:
    """Read what was sent and answer 200, nothing else."""
    await request.body()
    return "ok"
