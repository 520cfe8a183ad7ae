"""The chain of an audit log: how a line is hashed, and what a reader can tell from it.

A line is `{"seq":…,"time":…,…,"prev":"…","hash":"…"}`. `hash` covers every byte before `,"hash":`, and with them the
number and the hash of the line before: HMAC-SHA256 with the log's key, SHA-256 without one.

What a chain finds: a line that was removed, edited, exchanged or added, and, with the head, an end that was cut off.
What it cannot prove: without a key, whoever may write the file can compute a new chain from any line on; with one,
whoever may write file and head can put back an older state of both, and whoever has the key can do anything. So keep
the key away from those who could want that, and note the head elsewhere now and then: `masking audit head`.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from masking.core.errors import ConfigurationError

__all__ = ["FIRST", "Head", "Problem", "Verdict", "files_of", "line_of", "read_head", "tail_of", "verify"]

_HASH = b',"hash":"'
_END = b'"}\n'
_HEX = 64
_TAIL = len(_HASH) + _HEX + len(_END)
_SHOWN = 100  # problems that are told one by one


@dataclass(frozen=True, slots=True)
class Head:
    """How far a chain has come: the number and the hash of its last line."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """`NUMBER:HASH`, as `masking audit head` prints it. Raises ConfigurationError."""
        number, _, digest = text.strip().partition(":")
        is_hex = len(digest) == _HEX and all(one in "0123456789abcdef" for one in digest)
        if not number.isdecimal() or not is_hex:
            raise ConfigurationError("a head is NUMBER:HASH, as `masking audit head` prints it")
        return cls(int(number), digest)

    def dump(self, key: bytes | None) -> bytes:
        """The head as it stands in its file, sealed when there is a key."""
        line = f"{self}\n".encode()
        return line + (_digest(key, b"head " + line) + b"\n" if key else b"")


FIRST = Head(0, "0" * _HEX)
"""Before the first line."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong: the file, its line (from 1, 0 for the file as a whole) and what."""

    file: str
    line: int
    what: str


@dataclass(slots=True)
class Verdict:
    """What `verify` found: lines read, the numbers of the first and the last, and every problem."""

    lines: int = 0
    first: int = 0
    last: Head = FIRST
    problems: list[Problem] = field(default_factory=list)
    more: int = 0
    """Problems beyond those that are listed."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def add(self, file: str, line: int, what: str) -> None:
        """Note a problem."""
        if len(self.problems) < _SHOWN:
            self.problems.append(Problem(file, line, what))
        else:
            self.more += 1


def line_of(at: Head, now: float, fields: Mapping[str, Any], key: bytes | None) -> tuple[Head, bytes]:
    """The next line of a chain, and the chain's new head. Raises TypeError for what is not JSON."""
    seq = at.seq + 1
    time = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = orjson.dumps({"seq": seq, "time": time, **fields, "prev": at.hash})[:-1]
    digest = _digest(key, body)
    return Head(seq, digest.decode("ascii")), b"".join((body, _HASH, digest, _END))


def read_head(path: Path, key: bytes | None = None, *, check: bool = False) -> Head | None:
    """The head in a file, None where there is none. With `check`, raises ConfigurationError when the key did not seal
    it."""
    try:
        lines = path.read_text("ascii").splitlines()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        lines = []
    if not lines:
        raise ConfigurationError(f"{path} is damaged: it should hold NUMBER:HASH")
    head = Head.parse(lines[0])
    if check and key is not None:
        seal = lines[1].encode() if len(lines) > 1 else b""
        if not hmac.compare_digest(seal, _digest(key, f"head {lines[0]}\n".encode())):
            raise ConfigurationError(f"{path} was not written with this key")
    return head


def tail_of(path: Path) -> tuple[Head | None, int]:
    """The head that the last whole line makes, and how many bytes after it are an unfinished one. Raises OSError, and
    ConfigurationError for a file that is no audit log."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            block = 64 * 1024
            data = b""
            while len(data) < size and data.count(b"\n") < 2:
                at = max(0, size - block)
                file.seek(at)
                data = file.read(size - at)
                block *= 4
    except FileNotFoundError:
        return None, 0
    whole = data.rfind(b"\n") + 1
    torn = len(data) - whole
    if not whole:
        return None, torn
    start = data.rfind(b"\n", 0, whole - 1) + 1
    read = _fields(data[start:whole])
    if read is None:
        raise ConfigurationError(
            f"{path} ends in a line that is none of an audit log; move the file away to begin a new one"
        )
    return Head(read["seq"], read["hash"]), torn


def files_of(path: Path) -> list[Path]:
    """The files of a log in their order: those that were rotated, `<file>.<number>`, and the file itself."""
    prefix = path.name + "."
    rotated = [one for one in path.parent.glob(f"{path.name}.*") if one.name.removeprefix(prefix).isdecimal()]
    return [*sorted(rotated, key=lambda one: int(one.name.removeprefix(prefix))), *([path] if path.exists() else [])]


def verify(
    files: Iterable[Path], *, key: bytes | None = None, head: Head | None = None, known: Iterable[Head] = ()
) -> Verdict:
    """Read a chain, oldest file first, and say everything that is wrong with it.

    `head` is how far it must have come at least; `known` are heads that were noted elsewhere: lines that must be there
    as they were then. Raises OSError.
    """
    verdict = Verdict()
    must = {one.seq: one.hash for one in known}
    if head is not None:
        must[head.seq] = head.hash
    at: Head | None = None
    name = ""
    for path in files:
        name = str(path)
        for number, line in enumerate(_lines(path), 1):
            at = _check(verdict, name, number, line, at, key, must)
    verdict.last = at or FIRST
    missing = {seq for seq in must if seq > verdict.last.seq}
    if missing:
        end = max(missing)
        verdict.add(
            name, 0, f"the end was cut off: the last line is number {verdict.last.seq}, and there was a number {end}"
        )
    return verdict


def _check(
    verdict: Verdict, name: str, number: int, line: bytes, at: Head | None, key: bytes | None, must: dict[int, str]
) -> Head | None:
    verdict.lines += 1
    read = _fields(line)
    if read is None:
        verdict.add(
            name, number, "unreadable" if line.endswith(b"\n") else "the line is unfinished: a crash, or cut off"
        )
        return at
    seq, said = read["seq"], Head(read["seq"], read["hash"])
    digest = _digest(key, line[:-_TAIL]).decode("ascii")
    if not hmac.compare_digest(digest, said.hash):
        why = "edited" if at is None or read["prev"] == at.hash else "edited or added"
        verdict.add(name, number, f"line number {seq} was {why}: it does not have its hash" + _hint(at, key))
    if at is None:
        verdict.first = seq
        if seq == 1 and read["prev"] != FIRST.hash:
            verdict.add(name, number, "the first line of the chain names a line before it")
    elif seq > at.seq + 1:
        verdict.add(name, number, f"{seq - at.seq - 1} lines were removed: {at.seq} is followed by {seq}")
    elif seq <= at.seq:
        verdict.add(name, number, f"lines were exchanged or added: {at.seq} is followed by {seq}")
    elif read["prev"] != at.hash:
        verdict.add(name, number, f"line number {at.seq}, or this one, was edited: the chain is broken between them")
    if read.get("event") == "recovered" and _number(read.get("head_seq")) >= seq:
        verdict.add(name, number, f"the end was cut off before this line: there was a number {read['head_seq']}")
    if must.get(seq, said.hash) != said.hash:
        verdict.add(name, number, f"line number {seq} is another than the head that was noted says")
    return said


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _hint(at: Head | None, key: bytes | None) -> str:
    if at is not None:
        return ""
    return "; or it was written with another key" if key else "; or the log has a key and none was given"


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _fields(line: bytes) -> dict[str, Any] | None:
    """What a line says, None when it has not a line's form."""
    if len(line) <= _TAIL or not line.endswith(_END) or line[-_TAIL : -_TAIL + len(_HASH)] != _HASH:
        return None
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(read, dict) or type(read.get("seq")) is not int:
        return None
    return read if isinstance(read.get("prev"), str) and isinstance(read.get("hash"), str) else None


def _digest(key: bytes | None, data: bytes) -> bytes:
    digest = hmac.new(key, data, sha256) if key else sha256(data)
    return digest.hexdigest().encode("ascii")
