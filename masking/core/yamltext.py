"""Strict YAML text: what is written is what is read, and every key knows its line.

YAML 1.1 guesses too much for files that hold patterns and phone numbers (`no` is false, `012` is ten, `12:30` is 750).
Here a plain scalar is one of true, false, null, a decimal integer or a decimal float; everything else is a string.
Duplicate keys, tags, anchors and merge keys are refused. https://yaml.org/spec/1.2.2/ §10.2 is the nearest relative.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from masking.core.errors import ProviderError, RuleError

if TYPE_CHECKING:
    import yaml

__all__ = ["Lines", "load"]

Step = str | int

# At most 18 digits, so that no reader of the data meets an integer beyond 64 bits.
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,18}(?:[eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "": None}
_STRING = "tag:yaml.org,2002:str"
_DEEPEST = 64


class Lines:
    """The 1-based line of every key and list item of one YAML text."""

    __slots__ = ("_lines",)

    def __init__(self, lines: dict[tuple[Step, ...], int]) -> None:
        self._lines = lines

    def of(self, *path: Step) -> int:
        """The line of `path` (keys are str, list positions int), or of its nearest ancestor that exists."""
        for length in range(len(path), -1, -1):
            line = self._lines.get(path[:length])
            if line is not None:
                return line
        return 1


def load(text: str, file: str, *, error: type[ProviderError] | type[RuleError] = ProviderError) -> tuple[Any, Lines]:
    """The data of one YAML document, and its lines; keys are always str.

    Raises `error` with file and 1-based line for anything that strict YAML refuses; an empty text gives None.
    """
    import yaml

    loader = None
    try:
        loader = _loader()(text)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        what = (
            f"not YAML: {problem.problem or 'cannot be read'} (quote strings that start with * & ! % @ ` or hold ': ')"
        )
        raise error(what, file=file, line=mark.line + 1 if mark else 1) from None
    except (yaml.YAMLError, UnicodeError):
        raise error("not YAML: holds a character that YAML does not allow; remove it", file=file, line=1) from None
    finally:
        if loader is not None:
            loader.dispose()
    lines: dict[tuple[Step, ...], int] = {}
    if root is None:
        return None, Lines(lines)
    return _Builder(file, error, lines).build(root, ()), Lines(lines)


@cache
def _loader() -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Strict(base):  # type: ignore[misc]
        # Without resolvers a plain scalar has the tag `str`, so any other tag was written by hand.
        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    return Strict


class _Builder:
    """Turn nodes into data, noting lines."""

    __slots__ = ("_error", "_file", "_lines", "_seen")

    def __init__(
        self, file: str, error: type[ProviderError] | type[RuleError], lines: dict[tuple[Step, ...], int]
    ) -> None:
        self._file = file
        self._error = error
        self._lines = lines
        self._seen: set[int] = set()

    def build(self, node: yaml.Node, path: tuple[Step, ...]) -> Any:
        import yaml

        self._lines.setdefault(path, node.start_mark.line + 1)
        if id(node) in self._seen:
            raise self._refuse(node, "an alias (*name) repeats this value, which is not allowed; write it out again")
        self._seen.add(id(node))
        if len(path) > _DEEPEST:
            raise self._refuse(node, f"nested deeper than {_DEEPEST} levels; flatten it")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if isinstance(node, yaml.SequenceNode):
            if node.tag != "tag:yaml.org,2002:seq":
                raise self._refuse(node, "a tag (!name) is not allowed here; remove it")
            return [self.build(item, (*path, n)) for n, item in enumerate(node.value)]
        return self._mapping(node, path)

    def _mapping(self, node: yaml.Node, path: tuple[Step, ...]) -> dict[str, Any]:
        import yaml

        if node.tag != "tag:yaml.org,2002:map":
            raise self._refuse(node, "a tag (!name) is not allowed here; remove it")
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != _STRING:
                raise self._refuse(key_node, "a key must be a plain or quoted string")
            key = str(key_node.value)
            if key == "<<":
                raise self._refuse(key_node, "a merge key (<<) is not allowed here; write the keys out")
            if key in data:
                first = self._lines[(*path, key)]
                raise self._refuse(key_node, f"the key is already on line {first}; keep one of them")
            self._lines[(*path, key)] = key_node.start_mark.line + 1
            data[key] = self.build(value_node, (*path, key))
        return data

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text = str(node.value)
        if node.tag != _STRING:
            raise self._refuse(node, "a tag (!name) is not allowed here; remove it")
        if node.style:  # quoted or block: a string, whatever it looks like
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
        return text

    def _refuse(self, node: yaml.Node, what: str) -> Exception:
        return self._error(what, file=self._file, line=node.start_mark.line + 1)
