"""The function with its SDKs imported before the server forks: a new worker is ready at once, which saves two seconds
of CPU for every worker that is killed. What the worker does is the same; the scenarios start the function as it is.
"""

import bot.adapters.cloud_tasks
import bot.adapters.firestore
import bot.adapters.line
import bot.adapters.openai  # noqa: F401
from main import webhook

__all__ = ["webhook"]
