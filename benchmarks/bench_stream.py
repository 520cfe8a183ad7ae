"""What an answer costs token by token, against a bare loop that joins the same tokens, in the same run.

    python benchmarks/bench_stream.py            a table, in about a minute
    python benchmarks/bench_stream.py --peers    with other packages' streams, where they are installed (peers.py)
    python benchmarks/bench_stream.py --json     one JSON object
    MASKING_COMPILED=0 python benchmarks/bench_stream.py  streams in Python, where they are compiled otherwise

Every figure is the median of interleaved rounds, in thread time. Ratios hold from machine to machine, nanoseconds do not.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from peers import REDACTORS, RESTORERS, Peer

from masking import Answers, Masker, Session
from masking.core.reader import COMPILED
from masking.core.stream import Stream
from masking.files import category_names

CORE = "compiled" if COMPILED else "in Python"
ROUNDS = 15
PEER_ROUNDS = 5
TOKENS = 2_000
PEER_TOKENS = 600


class Floor:
    """An identity stream: what any object with a `feed` costs."""

    def feed(self, text: str) -> str:
        return text

    def flush(self) -> str:
        return ""


def seconds(make: Callable[[], object], tokens: Sequence[str]) -> float:
    """Thread seconds per token to feed and join them."""
    stream: object = make()
    run = getattr(stream, "all", None)  # a stream that is a generator
    said: list[str] = []
    collect = said.append
    if run is not None:
        begun = time.thread_time_ns()
        for piece in run(tokens):
            collect(piece)
    else:
        feed = stream.feed  # type: ignore[attr-defined]
        begun = time.thread_time_ns()
        for token in tokens:
            collect(feed(token))
    "".join(said)
    return (time.thread_time_ns() - begun) / len(tokens) / 1e9


def compare(floor: Callable[[], object], other: Callable[[], object], tokens: Sequence[str]) -> dict[str, float]:
    """Medians of interleaved rounds: nanoseconds of the floor and of the other, and their ratio."""
    seconds(other, tokens)
    pairs = [(seconds(floor, tokens), seconds(other, tokens)) for _ in range(ROUNDS)]
    base, cost = (statistics.median(column) for column in zip(*pairs, strict=True))
    return {"floor_ns": base * 1e9, "ns": cost * 1e9, "ratio": statistics.median(b / a for a, b in pairs)}


def unseen(category: str) -> dict[str, dict[str, float]]:
    """As `compare`, on texts that nothing has seen, another one in each round; by what the process has read before."""
    other = loaded(Masker(category, names="off").session(), 20)._stream
    generator = random.Random()
    rows: dict[str, dict[str, float]] = {}
    for name, draw in (("mixed", mixed), ("table of numbers", table)):
        for before in (20_000, 200_000):
            done = 20_000 + ROUNDS * TOKENS if before > 20_000 else 0
            for _ in range((before - done) // TOKENS):
                seconds(other, draw(generator))
            pairs = [
                (seconds(Floor, tokens), seconds(other, tokens)) for tokens in (draw(generator) for _ in range(ROUNDS))
            ]
            base, cost = (statistics.median(column) for column in zip(*pairs, strict=True))
            rows[f"restore + redact, {name}, never seen, after {before:,} tokens, {category}"] = {
                "floor_ns": base * 1e9,
                "ns": cost * 1e9,
                "ratio": statistics.median(b / a for a, b in pairs),
            }
    return rows


def unseen_alone(category: str) -> dict[str, dict[str, float]]:
    """`unseen` in a process that has done nothing else."""
    made = subprocess.run([sys.executable, __file__, "--unseen", category], check=True, capture_output=True, text=True)
    rows: dict[str, dict[str, float]] = json.loads(made.stdout)
    return rows


def withheld(stream: Stream, tokens: Sequence[str]) -> dict[str, float]:
    """Characters that wait after each token, and tokens that say nothing."""
    waits: list[int] = []
    silent = run = 0
    for token in tokens:
        said = stream.feed(token)
        waits.append(len(stream.waiting))
        run = 0 if said or not token else run + 1
        silent = max(silent, run)
    waits.sort()
    return {
        "mean": statistics.mean(waits),
        "p50": waits[len(waits) // 2],
        "p99": waits[len(waits) * 99 // 100],
        "max": waits[-1],
        "longest_silence_tokens": silent,
    }


def pieces(text: str, generator: random.Random) -> list[str]:
    """A text cut as a tokeniser cuts it: words with the blank before them, one to three Han characters, signs alone."""
    import re

    found = re.findall(r" ?[A-Za-z]+|[\u4e00-\u9fff]{1,3}|\d{1,3}|\s+|.", text, re.DOTALL)
    return [piece for piece in found if piece or generator]


ENGLISH = (
    "The report describes how the team planned the migration, what went wrong on the second day, and why the results "
    "were better than expected. Nobody had written down the order of the steps, so the plan was changed twice. "
)
CHINESE = (
    "我们今天讨论了三个方案，其中第二个最合适，因为它不需要改动现有的系统。大家都认为时间还够，可以先做一个小的试验，"
    "看看用户的反应，再决定下一步怎么走。如果结果不好，就回到原来的办法。"
)
CODE = "def total(items, rate=0.2):\n    return sum(item.price * (1 + rate) for item in items if item.ok)  # net\n\n"
PERSONAL = (
    "Contact Dana at dana.smith@example.com or +1 212-555-0142, card 4111 1111 1111 1111. "
    "客户的手机是13912345678，邮箱是li.na@example.org，身份证11010519491231002X。"
)


def drawn(generator: random.Random) -> str:
    """PERSONAL with other values: what shapes they have in common is all that can be remembered of them."""

    def digits(count: int) -> str:
        return "".join(generator.choice("0123456789") for _ in range(count))

    def word(least: int, most: int) -> str:
        return "".join(generator.choice("abcdefghilmnorstu") for _ in range(generator.randrange(least, most)))

    card = "4" + digits(14)
    doubled = sum(sum(divmod(int(digit) * 2, 10)) for digit in card[::-2]) + sum(map(int, card[-2::-2]))
    card += str(-doubled % 10)
    born = f"19{generator.randrange(50, 100)}{generator.randrange(1, 13):02}{generator.randrange(1, 29):02}"
    number = f"11010{generator.randrange(1, 10)}{born}{digits(3)}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    number += "10X98765432"[sum(int(digit) * weight for digit, weight in zip(number, weights, strict=True)) % 11]
    return (
        f"Contact Dana at {word(3, 8)}.{word(4, 9)}@example.com or +1 212-555-01{digits(2)}, "
        f"card {card[:4]} {card[4:8]} {card[8:12]} {card[12:]}. "
        f"客户的手机是139{digits(8)}，邮箱是{word(2, 9)}@example.org，身份证{number}。"
    )


def mixed(generator: random.Random) -> list[str]:
    """TOKENS tokens with a value in about every 60, each value another one."""
    text = "".join((ENGLISH + CHINESE) * 3 + drawn(generator) for _ in range(40))
    return pieces(text, generator)[:TOKENS]


def table(generator: random.Random) -> list[str]:
    """TOKENS tokens of a table of numbers."""
    rows = (
        f"{generator.randrange(10**6):>8}  {generator.random() * 1000:10.3f}  {generator.randrange(10**11)}\n"
        for _ in range(400)
    )
    return pieces("".join(rows), generator)[:TOKENS]


def texts(generator: random.Random) -> dict[str, list[str]]:
    """Token lists of the kinds that answers are made of, TOKENS each."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    blob = "".join(generator.choice(alphabet) for _ in range(8_000))
    sources = {
        "English prose": ENGLISH * 60,
        "Chinese prose": CHINESE * 60,
        "code": CODE * 120,
        "mixed, a value in every 60 tokens": ((ENGLISH + CHINESE) * 3 + PERSONAL) * 40,
        "base64": blob,
    }
    kinds = {name: pieces(text, generator)[:TOKENS] for name, text in sources.items()}
    return kinds | {"mixed, other values each time": mixed(generator), "table of numbers": table(generator)}


def cut(text: str) -> list[str]:
    """A text cut after three and after four characters in turn, wherever that is."""
    return [text[start:end] for at in range(0, len(text), 7) for start, end in ((at, at + 3), (at + 3, at + 7))]


def loaded(session: Session, entries: int) -> Session:
    session.load(dict(zip(PLACEHOLDERS, VALUES[:entries], strict=False)))
    return session


VALUES = [f"1{number + 3_000_000_000}" for number in range(5_000)]
PLACEHOLDERS = [f"<PHONE_NUMBER_{number}>" for number in range(1, 5_001)]


def marked(words: Sequence[str], placeholders: Sequence[str]) -> list[str]:
    """Every 40th token gives way to a placeholder, cut in three."""
    made: list[str] = []
    for at, word in enumerate(words):
        one = placeholders[at * 7 % len(placeholders)]
        made += [one[:6], one[6:13], one[13:]] if at % 40 == 0 else [word]
    return made


HOSTILE = {
    "digits": "1",
    "digits and blanks": "1 ",
    "letters": "a",
    "almost mail addresses": "a.b@",
    "almost IPv4": "192.0.2.",
    "IPv4 again and again": "192.0.2.45 ",
    "almost IPv6": "2001:db8:",
    "almost cards": "4111 1111 1111 11 ",
    "almost telephone numbers": "+1 212-555-",
    "almost plates": "京A123",
    "a label again and again": "微信号：",
    "brackets": "<",
    "almost placeholders": "<PHONE_NUMBER_",
    "placeholders of nobody": "<PHONE_NUMBER_77777> ",
    "escaped almost placeholders": "\\u003cPHONE",
    "escapes without end": "%4&#6",
    "a tag without end": "<a b=' <PHONE_NUMBER_1",
    "a link without end, placeholders in it": "](https://example.net/?<PHONE_NUMBER_1>",
}


def growth(make: Callable[[], Stream], unit: str) -> dict[str, float]:
    """Nanoseconds per character for a long text and for one of twice the length, and how the totals grow: 2 is linear."""
    costs: list[float] = []
    for size in (8_000, 16_000):
        text = (unit * (size // len(unit) + 1))[:size]
        tokens = [text[at : at + 4] for at in range(0, size, 4)]
        costs.append(min(seconds(make, tokens) for _ in range(3)) * len(tokens))
    return {
        "ns_per_character": costs[0] / 8e-6,
        "twice_ns_per_character": costs[1] / 16e-6,
        "growth": costs[1] / costs[0],
    }


def against(
    peers: Sequence[Peer], ours: Callable[[], object], kinds: dict[str, list[str]], entries: int
) -> list[dict[str, object]]:
    """Peers, ourselves and the floor on the same texts, a round of each in turn; 0 placeholders where they redact."""
    rows: list[dict[str, object]] = []
    for peer in peers:
        ready = peer.ready(VALUES[:entries])
        if isinstance(ready, str):
            rows.append({"peer": peer.name, "note": ready})
            continue
        for name, words in kinds.items():
            tokens = words[:PEER_TOKENS]
            with_marks = "placeholder" in name
            theirs = marked(tokens, ready.placeholders) if with_marks else tokens
            own = marked(tokens, PLACEHOLDERS[:entries]) if with_marks else tokens
            for _ in range(ROUNDS):
                seconds(ours, own)  # what is found once in a process, and then remembered
            seconds(ready.make, theirs)
            rounds = [
                (seconds(Floor, own), seconds(ours, own), seconds(ready.make, theirs)) for _ in range(PEER_ROUNDS)
            ]
            rows.append(
                {
                    "peer": f"{peer.name} {peer.release}",
                    "text": name + (f", {entries} entries" if entries else ""),
                    "floor_ns": statistics.median(row[0] for row in rounds) * 1e9,
                    "ours_ns": statistics.median(row[1] for row in rounds) * 1e9,
                    "ns": statistics.median(row[2] for row in rounds) * 1e9,
                    "ratio": statistics.median(row[2] / row[0] for row in rounds),
                    "to_ours": statistics.median(row[2] / row[1] for row in rounds),
                }
            )
    return rows


def measure(*, peers: bool) -> dict[str, object]:
    """Every figure."""
    generator = random.Random(7)
    begun = time.thread_time()
    masker = Masker("UserInfo", names="off")
    made = time.thread_time()
    masker.session().stream_object().feed("1")
    planned = time.thread_time()
    restorer = Masker("UserInfo", names="off", answers=Answers(redact=False))
    everything = Masker("Everything", names="off") if "Everything" in category_names() else masker
    kinds = texts(generator)
    words = kinds["English prose"]

    def restoring(entries: int) -> Callable[[], Stream]:
        return loaded(restorer.session(), entries)._stream

    def redacting(masker: Masker) -> Callable[[], Stream]:
        return loaded(masker.session(), 20)._stream

    small = restoring(20)
    figures = {
        "restore, ordinary token": compare(Floor, small, words),
        "restore, ordinary Chinese token": compare(Floor, small, kinds["Chinese prose"]),
        "restore, 100,000 tokens": compare(Floor, small, words * 50),
    }
    for entries in (20, 200, 5_000):
        name = f"restore, {entries:,} entries"
        figures[name] = compare(Floor, restoring(entries), words)
        tokens = marked(words, PLACEHOLDERS[:entries])
        figures[f"{name}, a placeholder in every 40 tokens"] = compare(Floor, restoring(entries), tokens)
    for name, tokens in kinds.items():
        figures[f"restore + redact, {name}"] = compare(Floor, redacting(masker), tokens)
    for name in ("English prose", "mixed, a value in every 60 tokens", "table of numbers"):
        row = compare(Floor, redacting(everything), kinds[name])
        figures[f"restore + redact, {name}, {everything.category.name}"] = row
    for name in ("UserInfo", everything.category.name):
        figures |= unseen_alone(name)
    stream = redacting(masker)
    halves = {f"{name}, 3.5 characters a token": cut("".join(tokens)) for name, tokens in kinds.items()}
    result: dict[str, object] = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}, streams {CORE}",
        "per_token": figures,
        "withheld_characters": {name: withheld(stream(), tokens) for name, tokens in (kinds | halves).items()},
        "hostile": {name: growth(stream, unit) for name, unit in HOSTILE.items()},
        "stream": {
            "milliseconds_to_load_the_category": (made - begun) * 1e3,
            "milliseconds_to_the_first_stream": (planned - made) * 1e3,
            "restore": footprint(small),
            "restore + redact": footprint(stream),
        },
    }
    if peers:
        ordinary = {"ordinary token": words, "a placeholder in every 40 tokens": words}
        two = {name: kinds[name] for name in ("English prose", "Chinese prose", "mixed, a value in every 60 tokens")}
        result["peers"] = [
            *against(RESTORERS, small, ordinary, 20),
            *against(RESTORERS, restoring(200), {"ordinary token": words}, 200),
            *against(REDACTORS, stream, two, 0),
        ]
    return result


def footprint(make: Callable[[], Stream]) -> dict[str, float]:
    """What a gateway pays for one of a thousand streams that each wait on half a value."""
    make().feed(" 1390013")
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = [make() for _ in range(1_000)]
    for stream in kept:
        stream.feed(" 1390013")
    memory = (tracemalloc.get_traced_memory()[0] - before) / len(kept)
    tracemalloc.stop()
    begun = time.thread_time_ns()
    for _ in range(1_000):
        make()
    return {"bytes": memory, "microseconds_to_make": (time.thread_time_ns() - begun) / 1e6}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--json", action="store_true", help="print one JSON object")
    arguments.add_argument("--peers", action="store_true", help="measure other packages' streams, too")
    arguments.add_argument("--unseen", metavar="CATEGORY", help="measure texts never seen alone, as one JSON object")
    chosen = arguments.parse_args()
    if chosen.unseen:
        print(json.dumps(unseen(chosen.unseen)))
        return
    result: dict[str, Any] = measure(peers=chosen.peers)
    if chosen.json:
        print(json.dumps(result, indent=2))
        return
    print(f"{result['machine']}\n")
    print(f"{'per token':78} {'floor ns':>9} {'ns':>9} {'ratio':>7}")
    for name, row in result["per_token"].items():
        print(f"{name:78} {row['floor_ns']:9.0f} {row['ns']:9.0f} {row['ratio']:6.1f}x")
    print(f"\n{'characters that wait after a token':58} {'mean':>6} {'p50':>5} {'p99':>5} {'max':>5}   silent tokens")
    for name, row in result["withheld_characters"].items():
        cells = f"{row['mean']:6.1f} {row['p50']:5} {row['p99']:5} {row['max']:5}   {row['longest_silence_tokens']}"
        print(f"{name:58} {cells}")
    print(f"\n{'text made to be slow, ns per character':40} {'8,000':>8} {'16,000':>8}   grows (2: linear)")
    for name, row in result["hostile"].items():
        print(f"{name:40} {row['ns_per_character']:8.0f} {row['twice_ns_per_character']:8.0f}   {row['growth']:.1f}")
    stream = result["stream"]
    print(f"\ncategory loaded in {stream['milliseconds_to_load_the_category']:.0f} ms, ", end="")
    print(f"its first stream made in {stream['milliseconds_to_the_first_stream']:.0f} ms, of processor time")
    for name in ("restore", "restore + redact"):
        print(
            f"one more stream, {name}: {stream[name]['bytes']:.0f} bytes, {stream[name]['microseconds_to_make']:.1f} µs"
        )
    if "peers" in result:
        print(
            f"\n{'peers, per token':32} {'text':48} {'floor ns':>8} {'ours':>7} {'theirs':>9} {'to floor':>9} {'to ours':>8}"
        )
    for row in result.get("peers", ()):
        if "note" in row:
            print(f"{row['peer']:32} {row['note']}")
            continue
        print(f"{row['peer']:32} {row['text']:48} {row['floor_ns']:8.0f} {row['ours_ns']:7.0f} ", end="")
        print(f"{row['ns']:9.0f} {row['ratio']:8.0f}x {row['to_ours']:7.1f}x")


if __name__ == "__main__":
    main()
