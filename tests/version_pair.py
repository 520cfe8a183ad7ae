"""Small categories that differ in what a test says: two versions of one policy."""

from __future__ import annotations

__all__ = ["category"]


def category(name: str, *rules: str, done: str = "placeholder") -> str:
    """A category file: each rule is an entity and a pattern in which a full stop is any digit. `done` is the operator of
    the entity DONE."""
    lines = [f"category: {name}", 'version: "1"', "about: {en: x}", "rules:"]
    for rule in rules:
        entity, pattern = rule.split()
        request = f"request: {done}, " if entity == "DONE" else ""
        hit, spelled = pattern.replace(".", "1"), pattern.replace(".", r"\d")
        lines.append(
            f"- {{id: {pattern[0].lower()}, entity: {entity}, pattern: '{spelled}', {request}hits: [{hit}], misses: [x]}}"
        )
    return "\n".join(lines) + "\n"
