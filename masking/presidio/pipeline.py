"""A spaCy pipeline that finds names: only the parts that name entities run, on many texts at once.

Taggers, parsers and lemmatisers take more time than the names do. They are left out where the pipeline has nothing
else that could read what they write. So sentences are not known, and a name may reach over the end of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from masking.core.entity import Entity
from masking.core.errors import ConfigurationError

__all__ = ["Pipeline", "pipeline"]

_LONGEST: Final = 50_000
"""Characters given to a pipeline at once; it refuses a million, and its memory grows with the text."""
_SEPARATORS: Final = "\n。！？!?. ，, "
_BATCH: Final = 64  # texts
_NAMING: Final = frozenset({"tok2vec", "transformer", "curated_transformer", "ner"})
_IDLE: Final = frozenset(
    {"tagger", "parser", "attribute_ruler", "lemmatizer", "trainable_lemmatizer", "morphologizer", "senter"}
)


class Pipeline:
    """The named entities of a spaCy pipeline, by label."""

    def __init__(self, nlp: Any) -> None:
        """`nlp` is the loaded pipeline."""
        parts = {name: nlp.get_pipe_meta(name).factory for name in nlp.pipe_names}
        if _NAMING.issuperset(set(parts.values()) - _IDLE):
            nlp.select_pipes(disable=[name for name, factory in parts.items() if factory in _IDLE])
        self._nlp = nlp

    @property
    def parts(self) -> Sequence[str]:
        """The names of the parts that run."""
        return list(self._nlp.pipe_names)

    def find(self, text: str) -> list[Entity]:
        """The entities in a text; places in characters."""
        return self.find_many([text])[0]

    def find_many(self, texts: Sequence[str]) -> list[list[Entity]]:
        """The entities in each of some texts."""
        stretches = [(number, start, text[start:end]) for number, text in enumerate(texts) for start, end in _cut(text)]
        found: list[list[Entity]] = [[] for _ in texts]
        read = self._nlp.pipe([text for _, _, text in stretches], batch_size=_BATCH)
        for (number, start, _), document in zip(stretches, read, strict=True):
            found[number] += [
                Entity(start + one.start_char, start + one.end_char, one.label_, 1.0) for one in document.ents
            ]
        return found


def pipeline(name: str) -> Pipeline:
    """A pipeline by an installed package's name, or the folder that `nlp.to_disk` wrote; loaded once while it stays.

    Raises ConfigurationError when it is not on this machine; nothing is downloaded.
    """
    import spacy

    meta = Path(name) / "meta.json"
    if not spacy.util.is_package(name) and not Path(name).is_dir():
        raise ConfigurationError(
            f"the spaCy pipeline {name!r} is neither an installed package nor a folder; install it first"
        )
    return _loaded(name, meta.stat().st_mtime_ns if meta.exists() else 0)


@lru_cache(maxsize=8)
def _loaded(name: str, _written: int) -> Pipeline:
    import spacy

    return Pipeline(spacy.load(name))


def _cut(text: str) -> list[tuple[int, int]]:
    """The stretches in which a text is read: one, if it is not long; else they end behind separators where they can."""
    cuts: list[tuple[int, int]] = []
    start = 0
    while start < len(text):
        end = min(start + _LONGEST, len(text))
        if end < len(text):
            places = (text.rfind(separator, start + _LONGEST // 2, end) for separator in _SEPARATORS)
            end = next((place + 1 for place in places if place > 0), end)
        cuts.append((start, end))
        start = end
    return cuts
