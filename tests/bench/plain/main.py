"""The bot that most people write: imports at the top, one document a message, all inside the webhook.

It does what it should while nothing goes wrong: it checks the signature, remembers, asks the model once, and replies.
"""

import os
from functools import cache
from typing import Any

import functions_framework.aio
from google.cloud import firestore, secretmanager
from linebot.v3 import WebhookParser
from linebot.v3.exceptions import InvalidSignatureError
from linebot.v3.messaging import AsyncApiClient, AsyncMessagingApi, Configuration, ReplyMessageRequest, TextMessage
from linebot.v3.webhooks import MessageEvent, TextMessageContent
from openai import AsyncOpenAI
from starlette.requests import Request

INSTRUCTIONS = "You are a friendly, honest and helpful conversation partner. Answer in the language of the question."
REMEMBERED = 20


@functions_framework.aio.http
async def webhook(request: Request) -> tuple[str, int]:
    body = (await request.body()).decode()
    try:
        events = WebhookParser(secret("LINE_CHANNEL_SECRET")).parse(body, request.headers.get("x-line-signature", ""))
    except InvalidSignatureError:
        return "invalid signature", 401
    for event in events:
        if isinstance(event, MessageEvent) and isinstance(event.message, TextMessageContent):
            await answer(event.source.user_id, event.message.text, event.reply_token)
    return "ok", 200


async def answer(user_id: str, text: str, reply_token: str) -> None:
    messages = database().collection("users").document(user_id).collection("messages")
    await messages.add({"role": "user", "content": text, "at": firestore.SERVER_TIMESTAMP})
    newest = messages.order_by("at", direction=firestore.Query.DESCENDING).limit(REMEMBERED)
    said = [message.to_dict() async for message in newest.stream()]
    lines: Any = [{"role": one["role"], "content": one["content"]} for one in reversed(said)]
    response = await model().responses.create(
        model=os.environ["OPENAI_MODEL"], instructions=INSTRUCTIONS, input=lines, store=False
    )
    reply = TextMessage(text=response.output_text)
    await line().reply_message(ReplyMessageRequest(reply_token=reply_token, messages=[reply]))
    await messages.add({"role": "assistant", "content": response.output_text, "at": firestore.SERVER_TIMESTAMP})


@cache
def database() -> firestore.AsyncClient:
    return firestore.AsyncClient(project=os.environ["GOOGLE_CLOUD_PROJECT"])


@cache
def model() -> AsyncOpenAI:
    return AsyncOpenAI(api_key=secret("OPENAI_API_KEY"))


@cache
def line() -> AsyncMessagingApi:
    host = os.environ["LINE_API_BASE_URL"]
    return AsyncMessagingApi(AsyncApiClient(Configuration(host, access_token=secret("LINE_CHANNEL_ACCESS_TOKEN"))))


@cache
def secret(name: str) -> str:
    """Given in the environment, or read from Secret Manager."""
    if name in os.environ:
        return os.environ[name]
    version = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/secrets/{name.lower().replace('_', '-')}/versions/latest"
    client = secretmanager.SecretManagerServiceClient()
    return str(client.access_secret_version(name=version).payload.data.decode())
