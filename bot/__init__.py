"""Kaiwa, a LINE chatbot on Google Cloud."""
