"""Reads suites: the cases that a policy's owner writes beside the rules.

The keys are documented in docs/reference/suites.md. A suite that promises nothing, or that contradicts its own texts,
is refused here, before anything runs: a case that cannot fail would read like a proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, NoReturn, cast, get_args

from masking.core.errors import ConfigurationError, SuiteError
from masking.core.yamltext import Lines, load
from masking.files import category_names, shipped

__all__ = [
    "VARIANTS",
    "Case",
    "Claim",
    "Labelled",
    "Message",
    "Suite",
    "Threshold",
    "Variant",
    "left_over",
    "nearest",
    "occurrences",
    "read_suite",
    "read_suites",
    "shipped_suites",
]

Variant = Literal["fullwidth", "spaced", "zero_width", "newline", "case"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)

_SUFFIXES = (".yaml", ".yml")
_ROLES = ("system", "developer", "user", "assistant", "tool")
_SUITE_KEYS = ("suite", "about", "category", "names", "variants", "cases", "labelled")
_CASE_KEYS = (
    "id", "about", "category", "names", "text", "chat", "must_mask", "must_keep", "masked", "round_trip", "variants",
    "known_gap",
)  # fmt: skip
_CLAIM_KEYS = ("value", "span", "entity")
_LABELLED_KEYS = ("file", "recall", "precision", "entities")
_THRESHOLD_KEYS = ("recall", "precision")


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a case; its repr does not show the text."""

    role: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a case says about a place: all occurrences of a value, or one span (characters of a text without roles).

    `entities` are those that the findings there may have; empty: any.
    """

    value: str = field(repr=False)
    span: tuple[int, int] | None = None
    entities: tuple[str, ...] = ()
    line: int = 0

    def places(self, text: str) -> list[tuple[int, int]]:
        """Where in `text` the claim holds: start and end in characters."""
        return [self.span] if self.span is not None else occurrences(self.value, text)


@dataclass(frozen=True, slots=True)
class Case:
    """One case: messages, what must be masked in them, what must be kept.

    `must_mask` is None where the case does not say; empty, nothing at all may be found. `masked` holds a text for each
    message, or is None. `round_trip` is None where the operators decide.
    """

    id: str
    messages: tuple[Message, ...]
    categories: tuple[str, ...]
    names: Literal["on", "off"]
    must_mask: tuple[Claim, ...] | None
    must_keep: tuple[Claim, ...]
    masked: tuple[str, ...] | None = field(repr=False)
    round_trip: bool | None
    variants: tuple[Variant, ...]
    known_gap: str
    suite: str
    file: str
    line: int
    about: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """The messages' texts."""
        return tuple(message.text for message in self.messages)


@dataclass(frozen=True, slots=True)
class Threshold:
    """The least recall and precision, 0 to 1; None: not asked."""

    recall: float | None = None
    precision: float | None = None


@dataclass(frozen=True, slots=True)
class Labelled:
    """Thresholds over a labelled file: JSONL with `text` and `spans` [[start, end, entity], …] in characters."""

    file: str
    all: Threshold
    entities: Mapping[str, Threshold]
    categories: tuple[str, ...]
    names: Literal["on", "off"]
    suite: str
    suite_file: str
    line: int


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite file."""

    name: str
    about: Mapping[str, str]
    categories: tuple[str, ...]
    names: Literal["on", "off"]
    cases: tuple[Case, ...]
    labelled: tuple[Labelled, ...]
    file: str


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` for the known word that is most like `word`, else which are known."""
    words = sorted(known)
    folded = {one.casefold(): one for one in words}
    near = get_close_matches(word.casefold(), folded, n=1, cutoff=0.5)
    return f"did you mean {folded[near[0]]}?" if near else f"known are {', '.join(words)}"


def occurrences(value: str, text: str) -> list[tuple[int, int]]:
    """Where `value` stands in `text`: start and end in characters, not overlapping.

    An occurrence that is a piece of a longer word or number in ASCII (`138` in `13800138000`) does not count, unless
    there are only such.
    """
    found = _every(value, text)
    return _whole(found, text) or found


def left_over(value: str, original: str, masked: str) -> int:
    """How often `value`, which stands in `original`, stands in `masked`, counted as in `original`."""
    found = _every(value, masked)
    return len(_whole(found, masked) if _whole(_every(value, original), original) else found)


def _every(value: str, text: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    at = text.find(value) if value else -1
    while at >= 0:
        found.append((at, at + len(value)))
        at = text.find(value, at + len(value))
    return found


def _whole(places: list[tuple[int, int]], text: str) -> list[tuple[int, int]]:
    return [place for place in places if not (_joined(text, place[0]) or _joined(text, place[1]))]


def _joined(text: str, at: int) -> bool:
    """Whether ASCII letters or digits stand on both sides of a place."""
    return 0 < at < len(text) and all(one.isascii() and one.isalnum() for one in text[at - 1 : at + 1])


def shipped_suites() -> list[Suite]:
    """The suites that ship with the rules, by name. Raises SuiteError."""
    folder = shipped("rules").joinpath("suites")
    if not folder.is_dir():
        return []
    entries = sorted((one for one in folder.iterdir() if one.name.endswith(_SUFFIXES)), key=lambda one: one.name)
    return [read_suite(Path(str(entry))) for entry in entries]


def read_suites(paths: Sequence[str | Path]) -> list[Suite]:
    """The suites of files and of folders, looked through with their subfolders; all shipped ones for no path.

    In a folder only files count that have the key `suite`. Raises SuiteError or ConfigurationError.
    """
    if not paths:
        return shipped_suites()
    suites: list[Suite] = []
    for path in map(Path, paths):
        if not path.is_dir():
            suites.append(read_suite(path))
            continue
        files = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and is_suite(file))
        if not files:
            raise ConfigurationError(f"the folder {path} holds no suite: name a YAML file with the key `suite`")
        suites += map(read_suite, files)
    return suites


def is_suite(file: Path) -> bool:
    """Whether a YAML file says that it is a suite."""
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            return any(line.startswith("suite:") for line in lines)
    except OSError:
        return False


def read_suite(path: Path) -> Suite:
    """The suite of one file. Raises SuiteError where it is wrong, ConfigurationError where it cannot be read."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read the suite {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"cannot read the suite {path}: it is not UTF-8") from None
    return load_suite(text, str(path))


def load_suite(text: str, file: str) -> Suite:
    """The suite that `text` describes; what it names lies beside `file`. Raises SuiteError."""
    data, lines = load(text, file, error=SuiteError)
    top = Node(data, file, lines)
    top.keys(_SUITE_KEYS, required=("suite", "category"))
    name = top.string("suite")
    about = {key: top.below("about").string(key) for key in top.data.get("about") or {}}
    categories = _categories(top)
    names = _names(top, "on")
    variants = _variants(top, ())
    cases: dict[str, Case] = {}
    for node in top.items("cases"):
        case = _case(node, name, categories, names, variants)
        if case.id in cases:
            node.refuse("id", f"is already a case of this suite, on line {cases[case.id].line}; give it another id")
        cases[case.id] = case
    labelled = tuple(_labelled(node, name, categories, names) for node in top.items("labelled"))
    if not cases and not labelled:
        top.refuse("cases", "the suite is empty, so it proves nothing; write at least one case")
    return Suite(name, about, categories, names, tuple(cases.values()), labelled, file)


class Node:
    """A mapping in a YAML file that refuses what it does not know, with file, line and subject."""

    __slots__ = ("data", "file", "lines", "path", "subject")

    def __init__(self, data: Any, file: str, lines: Lines, path: tuple[str | int, ...] = (), subject: str = "") -> None:
        self.file, self.lines, self.path, self.subject = file, lines, path, subject
        if not isinstance(data, dict):
            self.data: dict[str, Any] = {}
            self.refuse("", "a mapping of keys is expected here; see docs/reference/suites.md")
        self.data = data

    def refuse(self, key: str, what: str) -> NoReturn:
        """Raise the SuiteError that `key` (`must_mask.0`) is wrong."""
        steps = [int(part) if part.isdecimal() else part for part in key.split(".") if part]
        raise SuiteError(
            f"{key}: {what}" if key else what, file=self.file, line=self.line(*steps), subject=self.subject
        )

    def line(self, *steps: str | int) -> int:
        """The line of what stands below this mapping, from 1."""
        return self.lines.of(*self.path, *steps)

    def keys(self, known: Sequence[str], required: Sequence[str] = ()) -> None:
        """Refuse a key that is not known, and a required one that is missing."""
        for key in self.data:
            if key not in known:
                self.refuse(key, f"no such key; {nearest(key, known)}")
        for key in required:
            if self.data.get(key) is None:
                self.refuse(key, "the key is missing; add it")

    def string(self, key: str, default: str | None = None) -> str:
        """A text that is not empty."""
        value = self.data.get(key, default)
        if not isinstance(value, str) or (not value and default is None):
            self.refuse(key, "a text is expected here; put it in quotes")
        return value

    def strings(self, key: str) -> list[str]:
        """A text, or a list of texts that are not empty."""
        value = self.data.get(key)
        many = [value] if isinstance(value, str) else value
        if not isinstance(many, list) or not many or not all(isinstance(one, str) and one for one in many):
            self.refuse(key, "a text or a list of texts is expected here")
        return cast("list[str]", many)

    def choice(self, key: str, known: Sequence[str], default: str) -> str:
        """One of the known words."""
        value = self.data.get(key, default)
        if value not in known:
            self.refuse(key, f"must be one of {', '.join(known)}")
        return str(value)

    def items(self, key: str) -> Iterator[Node]:
        """The mappings of a list, which may be missing."""
        value = self.data.get(key)
        if value is not None and not isinstance(value, list):
            self.refuse(key, "a list is expected here; begin each item with -")
        for index, item in enumerate(value or ()):
            yield self.below(key, index, item=item)

    def below(self, key: str, index: int | None = None, *, item: Any = None) -> Node:
        """The mapping at a key, or at a place of the list there."""
        steps = (key,) if index is None else (key, index)
        data = self.data.get(key) if index is None else item
        subject = self.subject
        if isinstance(data, dict) and not subject and index is not None:
            named = data.get("id")
            subject = f"{key.removesuffix('s')} {named if isinstance(named, str) else index + 1}"
        return Node(data, self.file, self.lines, (*self.path, *steps), subject)


def _categories(node: Node) -> tuple[str, ...]:
    """The categories as the runner names them: shipped ones by name, files by their path."""
    found: list[str] = []
    folder = Path(node.file).parent
    for name in node.strings("category"):
        path = folder / name
        if path.suffix in _SUFFIXES or "/" in name or "\\" in name:
            if not path.is_file():
                node.refuse("category", f"there is no file {name} beside this suite; name it from where the suite lies")
            found.append(str(path))
        elif name in category_names():
            found.append(name)
        else:
            node.refuse("category", f"no category is called {name!r}; {nearest(name, category_names())}")
    return tuple(found)


def _names(node: Node, default: str) -> Literal["on", "off"]:
    return "off" if node.choice("names", ("on", "off"), default) == "off" else "on"


def _variants(node: Node, default: tuple[Variant, ...]) -> tuple[Variant, ...]:
    value = node.data.get("variants")
    if value is None:
        return default
    if not isinstance(value, list):
        node.refuse("variants", f"a list is expected here; known are {', '.join(VARIANTS)}")
    for index, one in enumerate(value):
        if one not in VARIANTS:
            node.refuse(f"variants.{index}", f"no such variant; {nearest(str(one), VARIANTS)}")
    return tuple(dict.fromkeys(cast("list[Variant]", value)))


def _case(
    node: Node,
    suite: str,
    categories: tuple[str, ...],
    names: Literal["on", "off"],
    variants: tuple[Variant, ...],
) -> Case:
    node.keys(_CASE_KEYS, required=("id",))
    messages = _messages(node)
    texts = [message.text for message in messages]
    told = "must_mask" in node.data
    must_mask = tuple(_claims(node, "must_mask", texts)) if told else None
    must_keep = tuple(_claims(node, "must_keep", texts))
    masked = _masked(node, texts, must_mask or (), must_keep)
    round_trip = node.data.get("round_trip")
    if round_trip not in (None, True, False):
        node.refuse("round_trip", "must be true or false")
    if not told and not must_keep and masked is None and not round_trip:
        node.refuse("", "the case promises nothing; write must_mask ([] for: nothing is found), must_keep or masked")
    _contradiction(node, texts, must_mask or (), must_keep)
    if "known_gap" in node.data:
        node.string("known_gap")
    return Case(
        id=node.string("id"),
        messages=messages,
        categories=_categories(node) if "category" in node.data else categories,
        names=_names(node, names),
        must_mask=must_mask,
        must_keep=must_keep,
        masked=masked,
        round_trip=round_trip,
        variants=_variants(node, variants),
        known_gap=node.string("known_gap", ""),
        suite=suite,
        file=node.file,
        line=node.line(),
        about=node.string("about", ""),
    )


def _messages(node: Node) -> tuple[Message, ...]:
    if ("text" in node.data) == ("chat" in node.data):
        node.refuse("text", "a case has either a text or a chat; give one of them")
    if "text" in node.data:
        return (Message("user", node.string("text")),)
    messages = []
    for item in node.items("chat"):
        item.keys(("role", "content"), required=("role", "content"))
        messages.append(Message(item.choice("role", _ROLES, "user"), item.string("content")))
    if not messages:
        node.refuse("chat", "is empty; write at least one message {role: user, content: …}")
    return tuple(messages)


def _claims(node: Node, key: str, texts: Sequence[str]) -> Iterator[Claim]:
    value = node.data.get(key)
    if value is None:
        return
    if not isinstance(value, list):
        node.refuse(key, "a list of texts is expected here")
    for index, one in enumerate(value):
        place = f"{key}.{index}"
        if isinstance(one, str):
            data: dict[str, Any] = {"value": one}
        elif isinstance(one, dict):
            node.below(key, index, item=one).keys(_CLAIM_KEYS if key == "must_mask" else ("value", "span"))
            data = one
        else:
            node.refuse(place, "a text or {value: …, entity: …} is expected here; put numbers in quotes")
        yield _claim(node, place, data, texts, node.line(key, index))


def _claim(node: Node, place: str, data: Mapping[str, Any], texts: Sequence[str], line: int) -> Claim:
    if ("value" in data) == ("span" in data):
        node.refuse(place, "say either a value or a span")
    entity = data.get("entity")
    entities = (entity,) if isinstance(entity, str) else tuple(entity or ())
    if not all(isinstance(one, str) for one in entities):
        node.refuse(f"{place}.entity", "an entity or a list of entities is expected here")
    if "value" in data:
        value = data["value"]
        if not isinstance(value, str) or not value.strip():
            node.refuse(place, "a text is expected here; put it in quotes")
        if not any(value in text for text in texts):
            node.refuse(place, "the text does not hold this value; correct one of the two")
        return Claim(value, None, entities, line)
    span = data["span"]
    if not isinstance(span, list) or len(span) != 2 or not all(type(one) is int for one in span):
        node.refuse(f"{place}.span", "two numbers are expected here: the first character, and the one behind the last")
    if len(texts) > 1:
        node.refuse(f"{place}.span", "in a chat a span has no text of its own; say the value")
    start, end = span
    if not 0 <= start < end <= len(texts[0]):
        node.refuse(f"{place}.span", f"is not within the text, which has the characters 0 to {len(texts[0])}")
    return Claim(texts[0][start:end], (start, end), entities, line)


def _masked(
    node: Node, texts: Sequence[str], must_mask: Sequence[Claim], must_keep: Sequence[Claim]
) -> tuple[str, ...] | None:
    if node.data.get("masked") is None:
        return None
    masked = node.strings("masked")
    if len(masked) != len(texts):
        node.refuse("masked", f"has {len(masked)} texts, the case has {len(texts)}; write one for each message")
    for claim in must_mask:
        if any(occurrences(claim.value, text) for text in masked) and claim.span is None:
            node.refuse("masked", f"holds what must be masked (line {claim.line}); correct one of the two")
    for claim in must_keep:
        if not any(claim.value in text for text in masked):
            node.refuse("masked", f"lacks what must be kept (line {claim.line}); correct one of the two")
    return tuple(masked)


def _contradiction(node: Node, texts: Sequence[str], must_mask: Sequence[Claim], must_keep: Sequence[Claim]) -> None:
    """Refuse a case that asks for a place to be masked and to be kept."""
    for index, keep in enumerate(must_keep):
        if not any(free_places(keep, text, must_mask) for text in texts):
            node.refuse(f"must_keep.{index}", "stands only inside what must be masked; leave one of the two out")


def free_places(keep: Claim, text: str, must_mask: Sequence[Claim]) -> list[tuple[int, int]]:
    """The places of what must be kept that share no character with what must be masked."""
    taken = [place for claim in must_mask for place in claim.places(text)]
    return [
        (start, end)
        for start, end in keep.places(text)
        if not any(start < other_end and other_start < end for other_start, other_end in taken)
    ]


def _labelled(node: Node, suite: str, categories: tuple[str, ...], names: Literal["on", "off"]) -> Labelled:
    node.keys((*_LABELLED_KEYS, "category", "names"), required=("file",))
    path = Path(node.file).parent / node.string("file")
    if not path.is_file():
        node.refuse("file", "there is no such file beside this suite; name it from where the suite lies")
    entities: dict[str, Threshold] = {}
    if node.data.get("entities") is not None:
        below = node.below("entities")
        for entity in below.data:
            one = below.below(entity)
            one.keys(_THRESHOLD_KEYS)
            entities[entity] = _threshold(one)
    whole = _threshold(node)
    if all(one == Threshold() for one in (whole, *entities.values())):
        node.refuse("", "no threshold is asked; write recall or precision, 0 to 1")
    return Labelled(
        str(path),
        whole,
        entities,
        _categories(node) if "category" in node.data else categories,
        _names(node, names),
        suite,
        node.file,
        node.line(),
    )


def _threshold(node: Node) -> Threshold:
    found: dict[str, float | None] = {}
    for key in _THRESHOLD_KEYS:
        value = node.data.get(key)
        if value is None:
            found[key] = None
        elif isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            node.refuse(key, "a number from 0 to 1 is expected here")
        else:
            found[key] = float(value)
    return Threshold(**found)
