"""The local run: stand-ins for LINE and for the model, and a chat page. Never part of a deployment."""
