"""The gateway: masks between any client and any language model, at one port.

masking serve                               # echo model, UserInfo, 127.0.0.1:8000
masking serve --config gateway.yaml

with Server(Settings()) as server:          # in a test: a thread, a free port
    openai.OpenAI(base_url=f"{server.url}/v1", api_key="none")

incoming      one request as it arrived
family        which API it speaks: how it is refused, how its stream is spelled
conversation  the session of the exchange, found again in later turns
upstream      who answers: the API itself, a server that speaks OpenAI's API, or the echo model
body          its reply, read where it arrives
outlet        the way to the client, for who cannot wait
exchange      one request and its reply
app           the ASGI application around them; server runs it
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from masking.gateway.app import Gateway
    from masking.gateway.server import Server
    from masking.gateway.settings import Settings

__all__ = ["Gateway", "Server", "Settings"]

_HOMES = {"Gateway": "app", "Server": "server", "Settings": "settings"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"masking.gateway.{_HOMES[name]}"), name)
