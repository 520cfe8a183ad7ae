"""Which policy was tested: a category's version, and a digest that changes when anything that it says does."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from masking.core.rule import Category, ModelSource, PatternSource, PresidioSource, Rule, TermSource
from masking.files import shipped
from masking.policy.result import PolicyVersion

__all__ = ["rule_digest", "version_of"]


def version_of(category: Category, names: str) -> PolicyVersion:
    """The version of a category as it was tested."""
    files = sorted({category.file, *(rule.file for rule in category.rules)})
    digest = sha256()
    for part in (category.name, category.version, names, *map(_said, category.rules)):
        digest.update(f"{part}\0".encode())
    for file in files:
        # What a check's parameters are is only in the file: they are compiled by the time that a rule is made.
        digest.update(sha256(_content(file)).digest())
    return PolicyVersion(category.name, category.version, category.file, digest.hexdigest(), len(category.rules), names)


def _content(file: str) -> bytes:
    path = Path(file)
    if path.is_file():
        return path.read_bytes()
    entry = shipped("rules").joinpath(*file.split("/")[1:])
    return entry.read_bytes() if entry.is_file() else b""


def rule_digest(rule: Rule) -> str:
    """A digest of what a rule says, but for its examples; a check's parameters are not seen."""
    return sha256(_said(rule).encode()).hexdigest()


def _said(rule: Rule) -> str:
    source = rule.source
    if isinstance(source, PatternSource):
        found = repr([(one.source, one.before, one.after) for one in source.patterns]) + repr(source.names)
    elif isinstance(source, TermSource):
        found = repr(sorted(source.terms.words))
    elif isinstance(source, ModelSource):
        found = f"{source.model} {sorted(source.labels)}"
    elif isinstance(source, PresidioSource):
        found = f"{source.recogniser} {source.language}"
    else:
        found = f"{source.pipeline} {sorted(source.labels)}"
    context = rule.context
    near = (
        "" if context is None else repr((context.words, context.within, context.side, context.required, context.score))
    )
    parts = (
        rule.id,
        rule.entity,
        found,
        rule.score,
        rule.request.name,
        sorted(rule.request.parameters),
        rule.answer,
        near,
        sorted(rule.allow),
    )
    return repr(parts)
