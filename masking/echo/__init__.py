"""A stand-in for a language model: it quotes what it was sent, the same way every time, and needs no network.

`answer` is what it says, `tokens` how it cuts it: into pieces of two to four characters, so that every placeholder
arrives in several. `EchoTransport` puts it behind httpx, in the shape of every API that ships a descriptor:

    client = openai.OpenAI(api_key="none", http_client=masker.client(transport=EchoTransport()))

It answers in Chinese when the last user message holds a Chinese character. When the request offers tools and the last
user message says `call NAME` or `调用NAME` with a tool's name, it calls that tool with `{"text": <the message>}`; when
the tool's result has come, it quotes that. Where the request asks for thinking, it thinks before it answers. A `Manner`
makes it misbehave: it cuts its text elsewhere, mangles placeholders, invents personal data, breaks off.
"""

from __future__ import annotations

from masking.echo.model import Manner, answer, tokens
from masking.echo.routes import reply
from masking.echo.transport import EchoTransport
from masking.echo.wire import Reply

__all__ = ["EchoTransport", "Manner", "Reply", "answer", "reply", "tokens"]
