"""Any token-classification model of the user's: a folder as `optimum` and the model hubs export it, run by onnxruntime.

    config.json                          id2label: B-PER, I-PER, ... (BIO, BIOES, BILOU, or bare labels)
    model*.onnx or onnx/model*.onnx      input_ids, attention_mask and token_type_ids in, one score per label out
    tokenizer.json or vocab.txt          WordPiece is cut by our own code; any other kind by the package `tokenizers`

Only files of the folder are read, and nothing is fetched. A word has the label of its first piece, as such models are
trained to say it; words of one label that their prefixes join make one entity.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from masking.core.entity import Entity
from masking.core.errors import ModelError
from masking.models.network import network, probabilities
from masking.models.wordpiece import Piece, WordPiece

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Folder", "folder_labels"]

_CONFIG: Final = "config.json"
_WEIGHTS: Final = ("model.onnx", "onnx/model.onnx", "model_quantized.onnx", "onnx/model_quantized.onnx")
_LONGEST: Final = 512  # pieces at once, the model's own limit permitting; cost grows with the square
_OVERLAP: Final = 64  # pieces that two windows share; each reports the half that it sees more around
_INPUTS: Final = frozenset({"input_ids", "attention_mask", "token_type_ids", "position_ids"})
_PREFIXES: Final = frozenset("BIOESLUM")
_INSIDE: Final = frozenset("IEML")
_CLOSED: Final = frozenset("ESLU")

_SURROGATE: Final = re.compile("[\ud800-\udfff]")

_Cut = Callable[[str], Sequence[Piece]]


class _Word(NamedTuple):
    """A labelled word: its place in the text, its prefix (B, I, ...), its label, its score."""

    start: int
    end: int
    prefix: str
    label: str
    score: float


class Folder:
    """One loaded folder. Holds no text; `find` may be called from several threads at once.

    Raises ModelError, naming the folder and the file, when something is missing or is not what it should be.
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self._folder = folder
        config = _json(folder, _CONFIG)
        self._names = _names(folder, config)
        cut, self._before, self._after = _tokeniser(folder)
        self._cut = cut
        self._size = _limit(folder, config) - len(self._before) - len(self._after)
        weights = _weights(folder)
        try:
            self._session = network(weights, threads=threads)
        except ImportError:
            raise  # the machine's fault, not the folder's
        except Exception as error:
            raise ModelError(
                f"model folder {folder}: onnxruntime cannot load {weights.name} ({type(error).__name__}); "
                "export it again"
            ) from error
        self._inputs = [(one.name, "int32" if "int32" in one.type else "int64") for one in self._session.get_inputs()]
        strange = sorted(name for name, _ in self._inputs if name not in _INPUTS)
        if strange:
            raise ModelError(
                f"model folder {folder}: {weights.name} wants {', '.join(strange)}; a token-classification model takes "
                f"{', '.join(sorted(_INPUTS))}"
            )

    def find(self, text: str) -> list[Entity]:
        """The model's entities under its own labels, in order, none overlapping; offsets in code points.

        Time is linear in the text. Raises ModelError when the model does not answer with one score per piece and label.
        """
        return [_entity(group) for group in _groups(text, self._words(text))]

    def _words(self, text: str) -> Iterator[_Word]:
        pieces = self._cut(text)
        begin = first = 0
        while begin < len(pieces):
            end = min(begin + self._size, len(pieces))
            overlap = 0 if end == len(pieces) else min(_OVERLAP, self._size // 4)
            last = end - overlap // 2
            yield from self._labelled(text, pieces, begin, end, (first, last))
            begin, first = end - overlap, last

    def _labelled(
        self, text: str, pieces: Sequence[Piece], begin: int, end: int, reported: tuple[int, int]
    ) -> Iterator[_Word]:
        scores = self._scores([piece.number for piece in pieces[begin:end]])
        best = scores.argmax(axis=1)
        for place in range(*reported):
            prefix, label = self._names[best[place - begin]]
            if not pieces[place].opens or not label:
                continue
            stop = place + 1
            while stop < len(pieces) and not pieces[stop].opens:
                stop += 1
            start, finish = pieces[place].start, pieces[stop - 1].end
            while start < finish and text[start].isspace():
                start += 1
            if start < finish:
                yield _Word(start, finish, prefix, label, float(scores[place - begin, best[place - begin]]))

    def _scores(self, numbers: list[int]) -> NDArray[np.float32]:
        """For each piece the probability of each label."""
        import numpy as np

        whole = [*self._before, *numbers, *self._after]
        given = {
            "input_ids": whole,
            "attention_mask": [1] * len(whole),
            "token_type_ids": [0] * len(whole),
            "position_ids": list(range(len(whole))),
        }
        answer = self._session.run(None, {name: np.array([given[name]], dtype=kind) for name, kind in self._inputs})[0]
        if answer.shape != (1, len(whole), len(self._names)):
            raise ModelError(
                f"model folder {self._folder}: the model answers in the shape {answer.shape}, not one score per piece "
                f"for each of the {len(self._names)} labels in {_CONFIG}; the two do not belong together"
            )
        logits = answer[0, len(self._before) : len(self._before) + len(numbers)].astype(np.float32)
        return probabilities(logits)


def folder_labels(folder: Path) -> list[str]:
    """The labels of a model folder, without their prefixes, sorted; reads config.json only. Raises ModelError."""
    return sorted({label for _, label in _names(folder, _json(folder, _CONFIG)) if label})


def _json(folder: Path, name: str, *, required: bool = True) -> dict[str, Any]:
    try:
        read = json.loads((folder / name).read_bytes())
    except FileNotFoundError:
        if not required:
            return {}
        raise ModelError(
            f"model folder {folder}: there is no {name}; name the folder that the model was exported to"
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"model folder {folder}: {name} cannot be read ({type(error).__name__})") from None
    if not isinstance(read, dict):
        raise ModelError(f"model folder {folder}: {name} is not a JSON object")
    return read


def _names(folder: Path, config: dict[str, Any]) -> list[tuple[str, str]]:
    """(prefix, label) by the number that the model gives; the label is empty for what is nothing."""
    given = config.get("id2label")
    names = [given.get(str(number)) for number in range(len(given))] if isinstance(given, dict) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise ModelError(
            f"model folder {folder}: {_CONFIG} has no id2label that numbers its labels from 0; it is no "
            "token-classification model"
        )
    return [_split(str(name)) for name in names]


def _split(name: str) -> tuple[str, str]:
    if name[:1] in _PREFIXES and name[1:2] in {"-", "_"}:
        return name[0], name[2:]
    return "", "" if name == "O" else name


def _weights(folder: Path) -> Path:
    found = [path for name in _WEIGHTS if (path := folder / name).is_file()]
    found += [*sorted((folder / "onnx").glob("model*.onnx")), *sorted(folder.glob("model*.onnx"))]
    if not found:
        raise ModelError(
            f"model folder {folder}: there is neither {_WEIGHTS[0]} nor onnx/model*.onnx; export the model first"
        )
    return found[0]


def _limit(folder: Path, config: dict[str, Any]) -> int:
    """How many pieces the model takes at once, its special ones included."""
    limit = config.get("max_position_embeddings")
    limit = limit if isinstance(limit, int) and limit > 0 else _LONGEST
    if "roberta" in str(config.get("model_type")) or config.get("model_type") == "camembert":
        limit -= 2  # their positions begin behind that of the padding
    most = _json(folder, "tokenizer_config.json", required=False).get("model_max_length")
    least = min(limit, _LONGEST, most if isinstance(most, int) and most > 0 else _LONGEST)
    if least < 8:
        raise ModelError(f"model folder {folder}: {_CONFIG} allows {least} pieces at once; no text fits")
    return least


def _tokeniser(folder: Path) -> tuple[_Cut, list[int], list[int]]:
    """What cuts text to pieces, and the numbers that stand before and behind them."""
    described = _json(folder, "tokenizer.json", required=False)
    settings = _json(folder, "tokenizer_config.json", required=False)
    words: WordPiece | None = None
    try:
        if described:
            words = _described_wordpiece(described)
        elif settings.get("tokenize_chinese_chars", True):
            lines = (folder / "vocab.txt").read_text("utf-8").rstrip("\n").split("\n")
            words = WordPiece(lines, lower=bool(settings.get("do_lower_case", True)))
        if words is not None:
            return words.pieces, [words.number("[CLS]")], [words.number("[SEP]")]
    except OSError:
        raise ModelError(f"model folder {folder}: there is neither tokenizer.json nor vocab.txt") from None
    except (KeyError, ValueError):
        raise ModelError(
            f"model folder {folder}: its vocabulary lacks [CLS], [SEP] or [UNK]; it is no WordPiece"
        ) from None
    if not described:
        raise ModelError(f"model folder {folder}: this tokenizer needs a tokenizer.json; export it with the model")
    return _foreign(folder)


def _described_wordpiece(described: dict[str, Any]) -> WordPiece | None:
    """Our own WordPiece where tokenizer.json describes just that; None otherwise."""
    model = described.get("model") or {}
    form = described.get("normalizer") or {}
    lower = form.get("lowercase")
    plain = (
        model.get("type") == "WordPiece"
        and model.get("continuing_subword_prefix", "##") == "##"
        and model.get("max_input_chars_per_word", 100) == 100
        and form.get("type") == "BertNormalizer"
        and form.get("clean_text", True)
        and form.get("handle_chinese_chars", True)
        and form.get("strip_accents") in (None, lower)
        and (described.get("pre_tokenizer") or {}).get("type") == "BertPreTokenizer"
    )
    vocabulary = model.get("vocab")
    if not plain or not isinstance(vocabulary, dict) or not isinstance(lower, bool):
        return None
    words = sorted(vocabulary, key=vocabulary.__getitem__)
    if [vocabulary[word] for word in words] != list(range(len(words))) or "[CLS]" not in vocabulary:
        return None
    return WordPiece(words, unknown=model.get("unk_token", "[UNK]"), lower=lower)


def _foreign(folder: Path) -> tuple[_Cut, list[int], list[int]]:
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise ModelError(
            f"model folder {folder}: its tokenizer is not WordPiece and needs the package tokenizers; "
            "pip install tokenizers"
        ) from None
    try:
        made: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:
        raise ModelError(
            f"model folder {folder}: the package tokenizers cannot load tokenizer.json ({type(error).__name__})"
        ) from error
    made.no_truncation()
    made.no_padding()
    around = made.encode("a")
    special = list(around.special_tokens_mask)
    inner = special.index(0) if 0 in special else len(special)
    rest = next((place for place in range(inner, len(special)) if special[place]), len(special))

    def cut(text: str) -> list[Piece]:
        # The package speaks UTF-8, in which half a surrogate pair cannot be said.
        cut = made.encode(_SURROGATE.sub("\ufffd", text), add_special_tokens=False)
        owners = cut.word_ids
        return [
            Piece(number, start, end, place == 0 or owner is None or owner != owners[place - 1])
            for place, (number, (start, end), owner) in enumerate(zip(cut.ids, cut.offsets, owners, strict=True))
        ]

    return cut, list(around.ids[:inner]), list(around.ids[rest:])


def _groups(text: str, words: Iterator[_Word]) -> Iterator[list[_Word]]:
    group: list[_Word] = []
    for word in words:
        if group and not _joins(text, group[-1], word):
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _joins(text: str, before: _Word, word: _Word) -> bool:
    if word.label != before.label or before.prefix in _CLOSED or (word.prefix and word.prefix not in _INSIDE):
        return False
    between = text[before.end : word.start]
    return not between or (between.isspace() and between.count("\n") < 2)


def _entity(group: list[_Word]) -> Entity:
    score = sum(word.score for word in group) / len(group)
    return Entity(group[0].start, group[-1].end, group[0].label, round(score, 4))
