"""Labelled texts that are written anew for every seed, in two wordings: `a`, with which rules were tuned, and `b`.

    python benchmarks/fresh.py zh b 7 > zh_b.jsonl

Kinds: `zh` and `en`, prompts, forms, code and logs about invented people; `synth`, short English sentences with titles,
ages, nationalities and places; `secrets`. All but `synth` hold harmless look-alikes too. Templates and words lie in
`fresh_words/`, one template a line, `{slot}` for a value; none is taken from `data/`. `bench_detect.py --fresh SEED`
scores all of them.
"""

from __future__ import annotations

import json
import re
import sys
from random import Random
from typing import Any

from fresh_en import English
from fresh_maker import FOLDER, Maker, Secrets
from fresh_zh import Chinese

__all__ = ["KINDS", "WORDINGS", "documents"]

KINDS = ("zh", "en", "synth", "secrets")
WORDINGS = ("a", "b")
_ROUNDS = {"zh": 6, "en": 6, "synth": 8, "secrets": 8}  # how often each template is filled
_SLOT = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def documents(kind: str, wording: str, seed: int) -> list[dict[str, Any]]:
    """The labelled documents of a kind in a wording, the same for the same seed."""
    draw = Random(f"{kind} {wording} {seed}")
    maker = {"zh": Chinese, "secrets": Secrets}.get(kind, English)(draw)
    if kind == "en":
        maker.unlabelled = {"job"}  # as in data/: what somebody works as is no value of these sets
    language = "zh" if kind == "zh" else "en"
    templates = _lines(f"{kind}_{wording}.txt") * _ROUNDS[kind]
    harmless = {
        "zh": f"harmless_zh_{wording}.txt",
        "en": f"harmless_en_{wording}.txt",
        "secrets": "harmless_secrets.txt",
    }
    return [
        *(_filled(template, maker, language) for template in templates),
        *({"text": text, "spans": [], "lang": language} for text in _lines(harmless.get(kind, ""))),
    ]


def _lines(name: str) -> list[str]:
    if not name:
        return []
    return [line.replace("\\n", "\n") for line in (FOLDER / name).read_text("utf-8").splitlines() if line]


def _filled(template: str, maker: Maker, language: str) -> dict[str, Any]:
    text, spans = "", []
    for at, piece in enumerate(_SLOT.split(template)):
        for value, label in maker.parts(piece) if at % 2 else [(piece, None)]:
            if label is not None:
                spans.append({"start": len(text), "end": len(text) + len(value), "label": label})
            text += value
    return {"text": text, "spans": spans, "lang": language}


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in KINDS or sys.argv[2] not in WORDINGS:
        sys.exit(__doc__)
    for document in documents(sys.argv[1], sys.argv[2], int(sys.argv[3])):
        print(json.dumps(document, ensure_ascii=False))
