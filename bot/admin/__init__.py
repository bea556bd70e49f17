"""The operator's command: `python -m bot.admin`. It reads the same environment as the function."""
