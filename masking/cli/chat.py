"""`masking chat`: talk to a model, masked on the way out and restored on the way back."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import click
import httpx
from rich.console import Console

from masking import ConfigurationError, Masker
from masking.cli.options import category_options, masker_for
from masking.echo import EchoTransport

if TYPE_CHECKING:
    from masking.clients import Conversation

__all__ = ["command"]

PROVIDERS = ("echo", "openai", "dashscope-app", "dashscope", "dms", "rdsai")
_MODELS = {"echo": "echo", "openai": "gpt-4o-mini", "dashscope": "qwen-plus", "dms": "qwen-plus"}
_APP = "`--model` is the application's id"
_INSTANCE = "the DMS instance is read from DMS_INSTANCE_ID; set it to the number of yours"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the options say; empty where they say nothing."""

    provider: str
    model: str
    base_url: str
    transport: httpx.BaseTransport

    @property
    def named(self) -> str:
        return self.model or _MODELS.get(self.provider, "")


@click.command("chat")
@click.argument("prompt", required=False)
@click.option(
    "-p", "--provider", type=click.Choice(PROVIDERS), default="echo", show_default=True,
    help="Who answers. echo: a stand-in on this machine that quotes what it was sent.",
)  # fmt: skip
@click.option("-m", "--model", default="", metavar="NAME", help="The model; for dashscope-app the application's id.")
@click.option("--base-url", default="", metavar="URL", help="Another address than the provider's own.")
@category_options
@click.option("--show-wire", is_flag=True, help="Print, dimmed and on standard error, what left this machine.")
def command(
    prompt: str | None,
    provider: str,
    model: str,
    base_url: str,
    categories: tuple[str, ...],
    names: str,
    *,
    show_wire: bool,
) -> None:
    """Talk to a model: once with PROMPT or standard input, otherwise turn by turn.

    What you write is masked before it leaves, and the answer is restored while it streams. All turns are one
    conversation, in which a value keeps its placeholder. Ctrl-D ends it.

    \b
    Keys are read from the environment:
      openai                       OPENAI_API_KEY
      dashscope, dashscope-app     DASHSCOPE_API_KEY
      dms, rdsai                   ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET
      dms                          DMS_INSTANCE_ID, the instance whose rules apply

    \b
    Examples:
      masking chat --show-wire "我的手机号是13800138000"
      masking chat -p dashscope -m qwen-plus
      masking chat -p dashscope-app -m APP_ID < question.txt
    """
    from masking.clients import ClientError

    masker = masker_for(categories, names)
    wire = _Wire(_innermost(provider), Console(stderr=True, highlight=False) if show_wire else None)
    wanted = _Wanted(provider, model, base_url, wire)
    is_dialogue = prompt is None and sys.stdin.isatty()
    try:
        with wire, _conversation(wanted, masker) as turns:
            for said in _asked() if is_dialogue else _once(prompt):
                _answer(turns, said, wire, is_dialogue=is_dialogue)
    except ClientError as error:
        raise ConfigurationError(f"{provider}: {error}{_words_of(error, masker)}") from None


def _words_of(error: Exception, masker: Masker) -> str:
    """What the server said, in one line; it may quote the request, so values in it are masked."""
    message = getattr(error, "message", "")
    return f": {' '.join(masker.mask(message).text.split())[:200]}" if message else ""


def _once(prompt: str | None) -> Iterator[str]:
    if prompt is None:
        try:
            prompt = sys.stdin.buffer.read().decode("utf-8").rstrip("\n")
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"standard input is not UTF-8 (byte {error.start}); convert it first") from None
    if not prompt.strip():
        raise ConfigurationError("nothing was asked; give a PROMPT, or text on standard input")
    yield prompt


def _asked() -> Iterator[str]:
    """What is typed, line by line, until Ctrl-D or Ctrl-C."""
    click.echo("Ctrl-D ends the conversation.", err=True)
    while True:
        try:
            said = input("> ")
        except (EOFError, KeyboardInterrupt):
            click.echo(err=True)
            return
        if said.strip():
            yield said


def _answer(turns: Conversation, said: str, wire: _Wire, *, is_dialogue: bool) -> None:
    events = turns.stream(said)
    begun = False
    try:
        with events:
            for event in events:
                wire.show()
                if event.text:
                    click.echo(event.text, nl=False)
                    sys.stdout.flush()
                    begun = True
    except KeyboardInterrupt:
        if not is_dialogue:
            raise click.exceptions.Abort from None
        click.echo(" (stopped)", err=True)  # this answer, not the conversation
    finally:
        wire.show()
        if begun:
            click.echo()


def _conversation(wanted: _Wanted, masker: Masker) -> Any:
    """The conversation that the options describe. Raises ConfigurationError, ClientError's kin among them."""
    from masking import clients

    options: dict[str, Any] = {"masker": masker, "transport": wanted.transport}
    if wanted.provider == "echo" and wanted.base_url:
        raise ConfigurationError("echo is on this machine and has no address; name another --provider")
    match wanted.provider:
        case "echo" | "openai":
            key = "none" if wanted.provider == "echo" else _environment("OPENAI_API_KEY")
            own = "http://127.0.0.1/v1" if wanted.provider == "echo" else "https://api.openai.com/v1"
            chat = clients.OpenAICompatible(api_key=key, base_url=wanted.base_url or own, **options)
            return chat.conversation(model=wanted.named)
        case "dashscope":
            generation = clients.DashScopeGeneration(**_addressed("base_url", wanted, options))
            return generation.conversation(model=wanted.named, incremental_output=True)
        case "dashscope-app":
            if not wanted.model:
                raise ConfigurationError(f"{_APP}; give it")
            return clients.DashScopeApp(wanted.model, **_addressed("base_url", wanted, options)).conversation(
                incremental_output=True
            )
        case "dms":
            instance = _environment("DMS_INSTANCE_ID", _INSTANCE)
            if not instance.isdecimal():
                raise ConfigurationError(_INSTANCE)
            dms = clients.DMS(int(instance), **_addressed("endpoint", wanted, options))
            return dms.conversation(model=wanted.named)
    return clients.RdsAI(**_addressed("endpoint", wanted, options)).conversation()


def _addressed(name: str, wanted: _Wanted, options: Mapping[str, Any]) -> dict[str, Any]:
    return {**options, name: wanted.base_url} if wanted.base_url else {**options}


def _environment(name: str, missing: str = "") -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ConfigurationError(missing or f"{name} is not set; put the provider's key there")
    return value


def _innermost(provider: str) -> httpx.BaseTransport:
    if provider == "echo":
        return EchoTransport()
    return httpx.HTTPTransport()


class _Wire(httpx.BaseTransport):
    """Notes what leaves this machine: where the bytes leave, not where they were masked."""

    def __init__(self, inner: httpx.BaseTransport, console: Console | None) -> None:
        self._inner = inner
        self._console = console
        self._left: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self._console is not None:
            self._left.append(_spelled(request))
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()

    def show(self) -> None:
        """Print what has left since the last time."""
        while self._left and self._console is not None:
            self._console.print(self._left.pop(0), style="dim", markup=False, soft_wrap=True)


def _spelled(request: httpx.Request) -> str:
    """Path, query and body, readable; no headers, which hold the key."""
    body = request.read()
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False) if body else ""
    except ValueError:
        text = unquote_plus(body.decode("utf-8", "replace"))
    query = unquote_plus(request.url.query.decode("ascii"))
    head = f"{request.method} {request.url.path}" + (f"?{query}" if query else "")
    return f"{head}\n{text}" if text else head
