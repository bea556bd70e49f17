"""A token of the process's own credentials with every call. Loaded where there is no emulator: fetching tokens takes
`requests`, which is as much to import as grpc itself.
"""

import asyncio

import grpc
from google.auth.credentials import Credentials
from google.auth.transport.grpc import AuthMetadataPlugin
from google.auth.transport.requests import Request

from bot.adapters.google_rpc import SECONDS, default_credentials


def with_token(credentials: Credentials) -> grpc.ChannelCredentials:
    """TLS, and a token that is fetched at the first call and again before it ends."""
    tokens = AuthMetadataPlugin(credentials, Request())  # type: ignore[no-untyped-call]  # the library has none
    return grpc.composite_channel_credentials(grpc.ssl_channel_credentials(), grpc.metadata_call_credentials(tokens))


async def check_credentials() -> str:
    """Whose they are, once Google has really given a token for them. Raises one of rpc's FAILURES."""
    credentials, _ = await default_credentials()
    refreshed = asyncio.to_thread(credentials.refresh, Request())
    await asyncio.wait_for(refreshed, SECONDS)
    return getattr(credentials, "service_account_email", None) or getattr(credentials, "account", None) or "a user"
