"""Paths such as `choices[*].delta.content`, and the functions that lanes are compiled to.

A path is keys joined by `.`; `[*]` stands for every item of a list. No filters, no recursion, no expressions. A path
that does not fit the shape of a document matches nothing, so "a string or a list of parts" needs no conditional.

Lanes of one descriptor share most of their way (`choices[*].delta…`), so all of them are merged into one tree, and
the tree is written out as one Python function: a lookup then costs about as much as the same loop written by hand.
The source holds nothing of a descriptor but `repr` of its keys and values, so a descriptor cannot smuggle code in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

__all__ = ["Close", "Find", "Lane", "Path", "compile_lanes", "dig", "fields", "home", "parse", "spell"]

Path = tuple[str | None, ...]  # None stands for [*]
When = tuple[tuple[Path, Any], ...]

# A piece is (lane and key, container, name, text); a closing is the leading part of such a "lane and key".
Piece = tuple[tuple[Any, ...], Any, Any, str]
Find = Callable[[Any, list[Piece], list[tuple[Any, ...]]], None]


@dataclass(frozen=True, slots=True)
class Close:
    """What ends a lane: a `path` that becomes truthy (the string "null" does not count), or an event with `when`."""

    path: Path | None = None
    when: When = ()
    key: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Lane:
    """One place in stream events where text arrives in pieces."""

    text: Path
    when: When = ()
    key: tuple[Path, ...] = ()
    mode: Literal["delta", "cumulative", "auto"] = "delta"
    json: bool = False
    close: tuple[Close, ...] = ()


def parse(text: str) -> Path:
    """The steps of a path; raises ValueError that says what is wrong with it."""
    steps: list[str | None] = []
    for part in text.split("."):
        name = part
        stars = 0
        while name.endswith("[*]"):
            name = name[:-3]
            stars += 1
        if not name and (steps or not stars):
            raise ValueError("a path is keys joined by '.', each followed by [*] where it holds a list")
        if "[" in name or "]" in name:
            raise ValueError("only [*] may stand in brackets: no positions, no filters")
        steps.extend([name] if name else [])
        steps.extend([None] * stars)
    return tuple(steps)


def spell(path: Path) -> str:
    """The path as it is written in a descriptor."""
    text = ""
    for step in path:
        text += "[*]" if step is None else f".{step}" if text else step
    return text


class _Fields:
    """A pydantic object's own fields and its extra ones as one mapping."""

    __slots__ = ("_extra", "_own")

    def __init__(self, own: dict[str, Any], extra: dict[str, Any]) -> None:
        self._own = own
        self._extra = extra

    def get(self, name: str, default: Any = None) -> Any:
        return self._own[name] if name in self._own else self._extra.get(name, default)

    def items(self) -> list[tuple[str, Any]]:
        return [*self._own.items(), *self._extra.items()]

    def __getitem__(self, name: str) -> Any:
        return self._own[name] if name in self._own else self._extra[name]

    def __setitem__(self, name: str, value: Any) -> None:
        (self._own if name in self._own else self._extra)[name] = value


class _Slots:
    """The fields of an object without a `__dict__` as a mapping."""

    __slots__ = ("_node",)

    def __init__(self, node: Any) -> None:
        self._node = node

    def get(self, name: str, default: Any = None) -> Any:
        return getattr(self._node, name, default)

    def items(self) -> list[tuple[str, Any]]:
        names = [name for kind in type(self._node).__mro__ for name in getattr(kind, "__slots__", ()) or ()]
        return [(name, getattr(self._node, name)) for name in names if hasattr(self._node, name)]

    def __getitem__(self, name: str) -> Any:
        return getattr(self._node, name)

    def __setitem__(self, name: str, value: Any) -> None:
        object.__setattr__(self._node, name, value)


_LEAVES = (str, bytes, bytearray, int, float, complex, type(None), type, Enum)


def fields(node: Any) -> Any:
    """A mapping through which the fields of a dict or an SDK object are read and written in place; None for anything
    else.

    Writes go around the object's own `__setattr__`: pydantic models may be frozen or validate, and a restored text is
    as valid as the placeholder it replaces.
    """
    if isinstance(node, dict):
        return node
    if isinstance(node, _LEAVES) or callable(node):
        return None
    own = getattr(node, "__dict__", None)
    if type(own) is dict:
        extra = getattr(node, "__pydantic_extra__", None)
        return _Fields(own, extra) if extra else own
    return _Slots(node) if any(getattr(kind, "__slots__", ()) for kind in type(node).__mro__) else None


def home(container: Any) -> int:
    """What stays the same for one container however often `fields` looks at it."""
    kind = type(container)
    if kind is _Fields:
        return id(container._own)
    return id(container._node) if kind is _Slots else id(container)


def dig(node: Any, path: Path) -> Any:
    """What a path without [*] leads to in plain JSON data, or None."""
    for step in path:
        if not isinstance(node, Mapping) or step not in node:
            return None
        node = node[step]
    return node


def dig_fields(node: Any, path: Path) -> Any:
    """The same in SDK objects."""
    for step in path:
        view = fields(node)
        if view is None:
            return None
        node = view.get(step)
    return node


@dataclass(slots=True)
class _Node:
    """A step in the merged tree of all lanes."""

    children: dict[str | None, _Node] = field(default_factory=dict)
    texts: list[int] = field(default_factory=list)
    closes: list[tuple[int, Close]] = field(default_factory=list)

    def at(self, path: Path) -> _Node:
        node = self
        for step in path:
            node = node.children.setdefault(step, _Node())
        return node


def compile_lanes(lanes: tuple[Lane, ...], *, objects: bool = False) -> Find:
    """One function that finds every piece and every closing of an event.

    `objects`: events are SDK objects (attributes or dict subclasses), not plain JSON data.
    Raises ValueError for lanes whose key or condition cannot be told from the text's own position.
    """
    source = _Source(lanes, objects=objects).write()
    scope: dict[str, Any] = {"fields": fields, "dig": dig_fields if objects else dig}
    # Safe: every name below is a counter, and everything of the descriptor went through repr().
    exec(compile(source, "<lanes>", "exec"), scope)  # noqa: S102
    find: Find = scope["find"]
    return find


class _Source:
    """Writes the function."""

    def __init__(self, lanes: tuple[Lane, ...], *, objects: bool) -> None:
        self._lanes = lanes
        self._objects = objects
        self._lines: list[str] = []
        self._count = 0
        self._tree = _Node()
        for number, lane in enumerate(lanes):
            self._tree.at(lane.text).texts.append(number)
            for close in lane.close:
                if close.path is not None:
                    self._tree.at(close.path).closes.append((number, close))

    def write(self) -> str:
        self._put(0, "def find(v0, pieces, closes):")
        self._mapping(1, "v0", "m0")
        self._step(self._tree, (), {(): "m0"}, 2)
        for number, lane in enumerate(self._lanes):
            for close in lane.close:
                if close.path is None:
                    tests = [f"{self._value(path, (), {(): 'm0'})} == {value!r}" for path, value in close.when]
                    keys = "".join(f"{self._value(path, (), {(): 'm0'})}, " for path in close.key)
                    self._put(2, f"if {' and '.join(tests) or 'True'}: closes.append(({number}, {keys}))")
        self._put(2, "pass")
        return "\n".join(self._lines)

    def _put(self, depth: int, line: str) -> None:
        self._lines.append("    " * depth + line)

    def _mapping(self, depth: int, value: str, name: str) -> None:
        if self._objects:
            self._put(depth, f"{name} = fields({value})")
            self._put(depth, f"if {name} is not None:")
        else:
            self._put(depth, f"{name} = {value}")
            self._put(depth, f"if type({name}) is dict:")

    def _step(self, node: _Node, path: Path, known: dict[Path, str], depth: int) -> None:
        """Write what happens below `path`; the mapping there (if any step is a key) is already open as known[path]."""
        for step, child in node.children.items():
            if step is None:
                continue
            self._count += 1
            name = f"v{self._count}"
            self._put(depth, f"{name} = {known[path]}.get({step!r})")
            self._put(depth, f"if {name} is not None:")
            self._arrive(child, (*path, step), known, depth + 1, name, f"{known[path]}, {step!r}")
        if None in node.children and not path:
            raise ValueError("a lane starts with a key: a list of events is a framing, not a path")

    def _arrive(self, node: _Node, path: Path, known: dict[Path, str], depth: int, value: str, place: str) -> None:
        """Write what happens with the value at `path`."""
        for number in node.texts:
            lane = self._lanes[number]
            tests = [f"type({value}) is str"]
            tests += [f"{self._value(at, path, known)} == {wanted!r}" for at, wanted in lane.when]
            keys = "".join(f"{self._value(at, path, known)}, " for at in lane.key)
            self._put(depth, f"if {' and '.join(tests)}: pieces.append((({number}, {keys}), {place}, {value}))")
        for number, close in node.closes:
            tests = [value, f"{value} != 'null'"]
            tests += [f"{self._value(at, path, known)} == {wanted!r}" for at, wanted in close.when]
            keys = "".join(f"{key}, " for key in self._leading(close.key or self._lanes[number].key, path, known))
            self._put(depth, f"if {' and '.join(tests)}: closes.append(({number}, {keys}))")
        if any(step is not None for step in node.children):
            self._count += 1
            name = f"m{self._count}"
            self._mapping(depth, value, name)
            self._step(node, path, {**known, path: name}, depth + 1)
            self._put(depth + 1, "pass")
        items = node.children.get(None)
        if items is not None:
            self._count += 1
            item, index = f"v{self._count}", f"i{self._count}"
            kinds = "type({0}) is list"
            if self._objects:  # a tuple can be read, but not be written to
                kinds = "isinstance({0}, list)" if items.texts else "isinstance({0}, (list, tuple))"
            self._put(depth, f"if {kinds.format(value)}:")
            self._put(depth + 1, f"for {index}, {item} in enumerate({value}):")
            here = (*path, None)
            self._arrive(items, here, {**known, (*here, None): index}, depth + 2, item, f"{value}, {index}")
            self._put(depth + 2, "pass")

    def _value(self, wanted: Path, here: Path, known: dict[Path, str]) -> str:
        """An expression for the value at `wanted`, seen from `here`; they share their way up to a mapping."""
        if wanted and wanted[-1] is None and wanted == here[: len(wanted)]:
            return known[*wanted, None]  # a path that ends in [*] is the position itself
        common = 0
        for ours, theirs in zip(wanted, here, strict=False):
            if ours != theirs:
                break
            common += 1
        while common and (wanted[:common] not in known or common == len(wanted)):
            common -= 1
        rest = wanted[common:]
        if None in rest or wanted[:common] not in known:
            raise ValueError(
                f"{spell(wanted)} cannot be told from where {spell(here)} stands: "
                "use the same [*] positions, and only keys beyond them"
            )
        mapping = known[wanted[:common]]
        return f"{mapping}.get({rest[0]!r})" if len(rest) == 1 else f"dig({mapping}, {rest!r})"

    def _leading(self, keys: tuple[Path, ...], here: Path, known: dict[Path, str]) -> list[str]:
        """The key values that a closing position can tell; a shorter key closes every lane that starts with it."""
        found: list[str] = []
        for key in keys:
            try:
                found.append(self._value(key, here, known))
            except ValueError:
                break
        return found
