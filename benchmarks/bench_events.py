"""Time per stream event of each shipped descriptor, against passing its bytes on and against an orjson round trip.

    python benchmarks/bench_events.py [--events 2000] [--json] [--category UserInfo]

Columns, in microseconds per event (the best of five rounds): `pass` hands the bytes on unread; `orjson` reads and
writes the JSON; `quiet` is a turn whose events hold nothing to restore, `changed` one in which every event holds a
placeholder; `redact` is `quiet` with the rules of a category looking at the answer. Compare columns of one run only.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import orjson

from masking import Masker
from masking.core.descriptor import Descriptor
from masking.core.lane import Held
from masking.core.samples import CONTENT_TYPES, session_of
from masking.core.turn import Turn
from masking.files import read_descriptors

VALUES = {"<PERSON_1>": "Ann Lee", "<EMAIL_ADDRESS_1>": "ann@example.com"}
QUIET = ("Here ", "is what ", "I think, ", "and ", "why: ")
CHANGED = ("Dear <PERSON_1>, ", "at <EMAIL_ADDRESS_1>. ")
ROUNDS = 5


def template(descriptor: Descriptor) -> Any:
    """An event of a sample in which as few lanes as possible speak, and none of them closes."""
    found = []
    for event in (event for sample in descriptor.samples for event in sample.stream or ()):
        held = Held(None, copy.deepcopy(event))
        spoken = pieces(descriptor, held)
        closes: list[Any] = []
        descriptor.find(held.doc, [], closes)
        own = [close for close in closes if close[0] in {piece[0][0] for piece in spoken}]
        for _, container, name, _ in spoken[1:]:
            container[name] = None
        held._touched = [(container, name, was) for _, container, name, was in spoken]
        held.close_strings()
        if spoken:
            found.append(((bool(own), spoken[0][0][0], len(spoken)), held.doc))
    return min(found, key=lambda one: one[0])[1]


def first(descriptor: Descriptor, event: Any) -> int:
    """The number of the lane that speaks first."""
    return int(pieces(descriptor, Held(None, copy.deepcopy(event)))[0][0][0])


def pieces(descriptor: Descriptor, held: Held[None]) -> list[Any]:
    held.open_strings(descriptor.opens)
    found: list[Any] = []
    descriptor.find(held.doc, found, [])
    return found


def written(descriptor: Descriptor, event: Any, text: str) -> Any:
    held = Held(None, copy.deepcopy(event))
    _, container, name, was = pieces(descriptor, held)[0]
    container[name] = text
    held._touched = [(container, name, was)]
    held.close_strings()
    return held.doc


def chunks(descriptor: Descriptor, texts: Sequence[str], count: int) -> list[bytes]:
    """One event a chunk; texts of a cumulative lane grow to at most 400 characters and begin again."""
    event = template(descriptor)
    cumulative = descriptor.lanes[first(descriptor, event)].mode == "cumulative"
    said = ""
    events = []
    for number in range(count):
        text = texts[number % len(texts)]
        said = text if not cumulative or len(said) > 400 else said + text
        events.append(written(descriptor, event, said))
    return [spelled(descriptor, number, event) for number, event in enumerate(events, 1)]


def spelled(descriptor: Descriptor, number: int, event: Any) -> bytes:
    """The event's bytes with the lines that its API sends beside the data."""
    data = orjson.dumps(event)
    if "ndjson" in descriptor.framings:
        return data + b"\n"
    if descriptor.id.startswith(("dashscope", "aliyun")):
        return b"id:%d\nevent:result\n:HTTP_STATUS/200\ndata:%s\n\n" % (number, data)
    named = descriptor.id.startswith(("anthropic", "openai.responses"))
    return (b"event: %s\n" % event["type"].encode() if named else b"") + b"data: " + data + b"\n\n"


def run(descriptor: Descriptor, stream: Sequence[bytes], new_session: Callable[[], Any]) -> float:
    framing = "ndjson" if "ndjson" in descriptor.framings else "sse"

    def once() -> float:
        turn = Turn(descriptor, new_session())
        turn.open(200, CONTENT_TYPES[framing])
        receive = turn.receive
        start = perf_counter()
        for chunk in stream:
            receive(chunk)
        turn.close()
        return perf_counter() - start

    return best(once, len(stream))


def best(once: Callable[[], float], count: int) -> float:
    """Microseconds per event."""
    return min(once() for _ in range(ROUNDS)) / count * 1e6


def passed(stream: Sequence[bytes], count: int) -> float:
    def once() -> float:
        turn = Turn(next(iter(read_descriptors())), session_of({}))
        turn.open(200, "application/octet-stream")
        receive = turn.receive
        start = perf_counter()
        for chunk in stream:
            receive(chunk)
        return perf_counter() - start

    return best(once, count)


def round_trip(stream: Sequence[bytes], count: int) -> float:
    documents = [chunk[chunk.index(b"{") :].strip() for chunk in stream]

    def once() -> float:
        loads, dumps = orjson.loads, orjson.dumps
        start = perf_counter()
        for document in documents:
            dumps(loads(document))
        return perf_counter() - start

    return best(once, count)


def loaded() -> Any:
    session = session_of(VALUES)
    session.load(VALUES)
    return session


def measure(count: int, category: str) -> list[dict[str, Any]]:
    masker = Masker(category, names="off") if category else None
    rows = []
    for descriptor in sorted(read_descriptors(), key=lambda one: one.id):
        if not descriptor.lanes:
            continue
        quiet, changed = (chunks(descriptor, texts, count) for texts in (QUIET, CHANGED))
        row = {
            "descriptor": descriptor.id,
            "bytes": len(b"".join(quiet)) // count,
            "pass": passed(quiet, count),
            "orjson": round_trip(quiet, count),
            "quiet": run(descriptor, quiet, loaded),
            "changed": run(descriptor, changed, loaded),
        }
        if masker is not None:
            row["redact"] = run(descriptor, quiet, masker.session)
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--category", default="UserInfo", help="whose rules look at answers; '' for none")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    rows = measure(options.events, options.category)
    if options.json:
        json.dump({"python": sys.version.split()[0], "events": options.events, "rows": rows}, sys.stdout, indent=1)
        return
    names = list(rows[0])
    print(f"{names[0]:40}" + "".join(f"{name:>10}" for name in names[1:]))
    for row in rows:
        print(f"{row['descriptor']:40}{row['bytes']:>10}" + "".join(f"{row[name]:>10.2f}" for name in names[2:]))


if __name__ == "__main__":
    main()
