"""Presidio and spaCy run where a rule names them, and only then."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from masking import ConfigurationError, Masker, RuleError, UnmaskableError

HEAD = 'category: Mine\nversion: "1"\nabout: {en: Mine, zh: 我的}\nrules:\n'


def masker(tmp_path: Path, rules: str) -> Masker:
    path = tmp_path / "Mine.yaml"
    path.write_text(HEAD + rules, "utf-8")
    return Masker(path)


def test_a_presidio_recogniser_finds_what_presidio_finds(tmp_path: Path) -> None:
    from presidio_analyzer.predefined_recognizers import UsItinRecognizer

    mine = masker(
        tmp_path, "  - {id: itin, entity: ITIN, presidio: UsItinRecognizer, score: 0.01, hits: [x], misses: [y]}\n"
    )
    text = "ITIN 911-70-1234 or 911701234, not 911-23-1234."
    expected = [
        (one.start, one.end, one.score) for one in UsItinRecognizer().analyze(text, ["US_ITIN"]) if one.score >= 0.01
    ]

    assert sorted((one.start, one.end, one.score) for one in mine.scan(text)) == sorted(expected)
    assert expected


def test_a_presidio_recogniser_works_on_full_width_text_and_maps_back(tmp_path: Path) -> None:
    mine = masker(
        tmp_path, "  - {id: itin, entity: ITIN, presidio: UsItinRecognizer, score: 0.3, hits: [x], misses: [y]}\n"
    )

    assert mine.mask("号 ９１１-７０-１２３４。").text == "号 <ITIN_1>。"


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        pytest.param("presidio: NoSuchRecognizer", "no recogniser called NoSuchRecognizer", id="unknown recogniser"),
        pytest.param(
            "spacy: zz_no_such_model, labels: [PERSON]", "neither an installed package nor a folder", id="pipeline"
        ),
    ],
)
def test_what_is_not_there_is_named_when_it_is_needed(tmp_path: Path, rule: str, says: str) -> None:
    mine = masker(tmp_path, f"  - {{id: a, entity: A, {rule}, hits: [x], misses: [y]}}\n")

    with pytest.raises(ConfigurationError, match=says):
        mine.mask("911-70-1234")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny spaCy pipeline of the user's own, in a folder."""
    import spacy

    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PERSON", "pattern": "Zaphod"}, {"label": "ORG", "pattern": "Magrathea"}])  # type: ignore[attr-defined]
    folder = tmp_path_factory.mktemp("spacy") / "tiny"
    nlp.to_disk(folder)
    return folder


def test_a_spacy_pipeline_finds_the_labels_that_the_rules_choose(tmp_path: Path, pipeline: Path) -> None:
    mine = masker(
        tmp_path,
        f"  - {{id: person, entity: PERSON, spacy: '{pipeline}', labels: [PERSON], hits: [x], misses: [y]}}\n"
        f"  - {{id: org, entity: ORG, spacy: '{pipeline}', labels: [ORG], hits: [x], misses: [y]}}\n",
    )

    assert mine.mask("Zaphod left Magrathea; Zaphod!").text == "<PERSON_1> left <ORG_1>; <PERSON_1>!"


def test_a_spacy_pipeline_takes_texts_beyond_its_own_limit(tmp_path: Path, pipeline: Path) -> None:
    mine = masker(
        tmp_path, f"  - {{id: p, entity: PERSON, spacy: '{pipeline}', labels: [PERSON], hits: [x], misses: [y]}}\n"
    )
    text = "word " * 210_000 + "Zaphod."

    assert mine.mask(text).text == "word " * 210_000 + "<PERSON_1>."


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param("redact", "电话。", id="redact"),
        pytest.param("keep", "电话13800138000。", id="keep"),
        pytest.param("replace", "电话<PHONE>。", id="replace"),
        pytest.param("{replace: {new_value: 某电话}}", "电话某电话。", id="replace with a value"),
        pytest.param("{mask: {masking_char: '*', chars_to_mask: 8, from_end: true}}", "电话138********。", id="mask"),
        pytest.param(
            "{hash: {hash_type: sha256, salt: 0123456789abcdef}}",
            f"电话{hashlib.sha256(b'138001380000123456789abcdef').hexdigest()}。",
            id="hash",
        ),
        pytest.param("placeholder", "电话<PHONE_1>。", id="placeholder is the default"),
    ],
)
def test_presidio_operators_replace_as_presidio_does(tmp_path: Path, request_: str, expected: str) -> None:
    rule = (
        "  - {id: m, entity: PHONE, pattern: '1[3-9]\\d{9}', hits: ['13800138000'], misses: ['1'], request: "
        + request_
        + "}\n"
    )
    masked = masker(tmp_path, rule).mask("电话13800138000。").text

    assert masked == expected


def test_encrypted_values_can_be_decrypted_by_presidio(tmp_path: Path) -> None:
    from presidio_anonymizer.operators import Decrypt

    key = "WmZq4t7w!z%C&F)J"
    rule = f"  - {{id: m, entity: PHONE, pattern: '1\\d{{10}}', hits: ['13800138000'], misses: ['1'], request: {{encrypt: {{key: '{key}'}}}}}}\n"
    masked = masker(tmp_path, rule).mask("13800138000").text

    assert "138" not in masked[:3]
    assert Decrypt().operate(masked, {"key": key}) == "13800138000"


@pytest.mark.parametrize(
    ("operator", "says"),
    [
        pytest.param("shred", "no operator is called 'shred'; there are", id="unknown"),
        pytest.param(
            "{mask: {masking_char: ab, chars_to_mask: 1, from_end: true}}", "refuses its parameters", id="parameter"
        ),
        pytest.param("{encrypt: {key: short}}", "refuses its parameters", id="key"),
    ],
)
def test_an_operator_is_checked_when_the_category_loads(tmp_path: Path, operator: str, says: str) -> None:
    rule = (
        "  - {id: m, entity: PHONE, pattern: '1\\d{10}', hits: ['13800138000'], misses: ['1'], request: "
        + operator
        + "}\n"
    )
    with pytest.raises(RuleError, match=says) as caught:
        masker(tmp_path, rule)

    assert "Mine.yaml:5: rule m: request: " in str(caught.value)


def test_an_operator_that_fails_refuses_and_does_not_tell_the_value(tmp_path: Path) -> None:
    rule = "  - {id: m, entity: ANY, pattern: '§[^§]+§', not_beside: none, hits: [§x§], misses: [x], request: {hash: {salt: 0123456789abcdef}}}\n"
    mine = masker(tmp_path, rule)

    with pytest.raises(UnmaskableError) as caught:
        mine.mask("§secret\ud800§")
    assert "secret" not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_import_and_pattern_rules_load_neither_presidio_nor_spacy() -> None:
    code = (
        "import sys, masking; m = masking.Masker('UserInfo', names='off'); m.mask('电话13800138000 a@example.com');"
        "heavy = {'presidio_analyzer', 'presidio_anonymizer', 'spacy', 'onnxruntime', 'numpy', 'httpx', 'httpx2'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert out.stdout.strip() == "[]"


def test_import_masking_alone_is_light_and_leaves_logging_alone() -> None:
    code = (
        "import sys, logging, masking; print(len(logging.root.handlers), logging.root.manager.loggerDict);"
        "print(sorted({'pydantic', 'yaml', 'click', 'rich', 'stdnum', 'phonenumbers', 'httpx'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert out.stdout.split("\n")[:2] == ["0 {}", "[]"]
