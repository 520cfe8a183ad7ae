"""`masking demo`: a short bilingual conversation through the whole chain, offline."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click
import orjson
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from masking import Finding, Masker
from masking.cli.options import category_options, masker_for
from masking.core.rule import ModelSource, PatternSource, Rule

__all__ = ["command"]

# Invented, in ranges that belong to nobody where such ranges exist: a birth date with the sequence number 002 and its
# right check digit, test cards, example.com, 555-01xx.
TURNS = (
    "客户王建国要改预约：手机13800138000，身份证11010519491231002X，邮箱wang.jianguo@example.com，"
    "付款卡6222 0212 3456 7890 128，地址上海市浦东新区世纪大道100号3号楼1502室。请帮我写一封确认信。",
    "Please copy his colleague Emily Carter, phone +1 212-555-0142, emily.carter@example.org, "
    "742 Evergreen Terrace, Springfield, IL 62704.",
)
_WIDE = 72  # columns of a terminal that take two panels side by side
_PAUSE = 0.012  # seconds between tokens on a terminal, so that an eye can follow


@dataclass
class _Exchange:
    """One turn as it went: what was written, what left, the model's tokens, what was read, and the time in seconds."""

    wrote: str
    left: str
    tokens: list[str]
    read: list[str]
    findings: list[Finding]
    plain: float
    masked: float


@click.command("demo")
@category_options
@click.option("--json", "as_json", is_flag=True, help="The same as one JSON object (the values are invented).")
def command(categories: tuple[str, ...], names: str, *, as_json: bool) -> None:
    """Mask a short bilingual conversation, stream it back, show what happened.

    Everything happens on this machine: the model is `echo`, a stand-in that quotes what it was sent. All people in the
    conversation are invented.
    """
    started = time.perf_counter()
    masker = masker_for(categories, names)
    masker.scan("赵敏在 Lisbon 见了 Anna Smith。")  # the models load with their first text: start-up, told apart below
    ready = time.perf_counter() - started
    exchanges = list(_converse(masker))
    if as_json:
        click.echo(
            orjson.dumps(_plain(exchanges, ready), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE), nl=False
        )
        return
    console = Console(highlight=False)
    console.print(f"[bold]{masker.category.name}[/bold]: {masker.category.about.get('en', '')}")
    for number, exchange in enumerate(exchanges, 1):
        _show(console, number, exchange)
    _show_findings(console, masker, exchanges)
    _show_time(console, exchanges, ready)


def _converse(masker: Masker) -> Iterator[_Exchange]:
    """Send the turns as an application would: the whole conversation again with every turn."""
    import httpx

    from masking.echo import EchoTransport

    plain_messages: list[dict[str, str]] = []
    messages: list[dict[str, str]] = []
    echo = EchoTransport()
    with masker.client(transport=echo) as client, httpx.Client(transport=EchoTransport()) as bare:
        _ask(bare, [{"role": "user", "content": "hello"}])  # warm, so that the two times below compare
        _ask(client, [{"role": "user", "content": "hello"}])
        for turn in TURNS:
            plain_messages.append({"role": "user", "content": turn})
            messages.append({"role": "user", "content": turn})
            begun = time.perf_counter()
            plain = _ask(bare, plain_messages)
            between = time.perf_counter()
            read = _ask(client, messages)
            ended = time.perf_counter()
            sent = orjson.loads(echo.requests[-1])["messages"]
            yield _Exchange(
                turn, sent[-1]["content"], _tokens(sent), read, masker.scan(turn), between - begun, ended - between
            )
            plain_messages.append({"role": "assistant", "content": "".join(plain)})
            messages.append({"role": "assistant", "content": "".join(read)})


def _tokens(messages: list[dict[str, str]]) -> list[str]:
    from masking.echo import answer, tokens

    return list(tokens(answer(messages)))


def _ask(client: Any, messages: list[dict[str, str]]) -> list[str]:
    """The pieces of a streamed OpenAI-shape answer, as they come."""
    pieces: list[str] = []
    request = {"model": "echo", "stream": True, "messages": messages}
    with client.stream("POST", "http://echo/v1/chat/completions", json=request) as response:
        for line in response.iter_lines():
            if line.startswith("data: {"):
                choices = orjson.loads(line[6:])["choices"]
                pieces += [choice["delta"]["content"] for choice in choices if choice["delta"].get("content")]
    return pieces


def _show(console: Console, number: int, exchange: _Exchange) -> None:
    console.rule(f"turn {number}")
    wrote = Panel(_marked(exchange.wrote, exchange.findings), title="you wrote")
    left = Panel(_placeholders(exchange.left), title="left the machine", border_style="green")
    if console.width < _WIDE:
        console.print(wrote, left, sep="\n")
    else:
        beside = Table.grid(expand=True)
        beside.add_column(ratio=1)
        beside.add_column(ratio=1)
        beside.add_row(wrote, left)
        console.print(beside)
    console.print("[dim]the model streams, token by token:[/dim]")
    _type(console, exchange.tokens, ("black on cyan", "black on white"))
    console.print("[dim]you read, piece by piece:[/dim]")
    _type(console, exchange.read, ("bold", "not bold"))


def _type(console: Console, pieces: list[str], styles: tuple[str, str]) -> None:
    """Print the pieces as they would come; where there is no colour to tell them apart, a bar does."""
    for index, piece in enumerate(pieces):
        bar = "" if console.color_system else "|"
        console.print(piece + bar, style=styles[index % 2], end="", markup=False, soft_wrap=True)
        if console.is_terminal:
            time.sleep(_PAUSE)
    console.print()


def _marked(text: str, findings: list[Finding]) -> Text:
    marked = Text(text, overflow="fold")
    for finding in findings:
        marked.stylize("bold red", finding.start, finding.end)
    return marked


def _placeholders(text: str) -> Text:
    marked = Text(text, overflow="fold")
    marked.highlight_regex(r"<[A-Z_]+_[0-9]+>", "bold green")
    return marked


def _show_findings(console: Console, masker: Masker, exchanges: list[_Exchange]) -> None:
    rules = {rule.id: rule for rule in masker.category.rules}
    table = Table(title="findings (without values)", title_justify="left")
    for heading in ("turn", "entity", "characters", "score", "rule", "found by"):
        table.add_column(heading, justify="right" if heading in {"turn", "score"} else "left")
    for number, exchange in enumerate(exchanges, 1):
        for one in exchange.findings:
            place = f"{one.start}-{one.end}"
            table.add_row(str(number), one.entity, place, f"{one.score:g}", one.rule, _found_by(rules[one.rule], one))
    console.print(table)


def _found_by(rule: Rule, finding: Finding) -> str:
    if isinstance(rule.source, ModelSource):
        return f"model {rule.source.model}"
    if isinstance(rule.source, PatternSource):
        return "pattern, checked" if finding.checked else "pattern"
    return "Presidio" if hasattr(rule.source, "recogniser") else "spaCy"


def _show_time(console: Console, exchanges: list[_Exchange], ready: float) -> None:
    table = Table(title="time", title_justify="left")
    for heading in ("turn", "without masking", "with masking", "added", "tokens"):
        table.add_column(heading, justify="right")
    for number, one in enumerate(exchanges, 1):
        added = one.masked - one.plain
        table.add_row(
            str(number),
            *(f"{seconds * 1e3:.1f} ms" for seconds in (one.plain, one.masked, added)),
            str(len(one.tokens)),
        )
    console.print(table)
    console.print(f"[dim]rules and models were ready after {ready:.1f} s; nothing left this machine[/dim]")


def _plain(exchanges: list[_Exchange], ready: float) -> dict[str, object]:
    return {
        "ready_seconds": ready,
        "turns": [
            {
                "wrote": one.wrote,
                "left": one.left,
                "tokens": one.tokens,
                "read": one.read,
                "findings": [
                    {"entity": f.entity, "start": f.start, "end": f.end, "score": f.score, "rule": f.rule}
                    for f in one.findings
                ],
                "seconds_without_masking": one.plain,
                "seconds_with_masking": one.masked,
            }
            for one in exchanges
        ],
    }
