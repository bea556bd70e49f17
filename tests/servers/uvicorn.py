"""Real HTTP for tests: `async with serving(app) as base_url` runs uvicorn on a free loopback port."""

from bot.local.server import serving

__all__ = ["serving"]
