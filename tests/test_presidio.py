"""Presidio and spaCy run where a rule names them, and only then."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from masking import ConfigurationError, Masker, RuleError, UnmaskableError
from masking.presidio.pipeline import Pipeline
from masking.presidio.pipeline import pipeline as loaded

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


BADGES = """
from presidio_analyzer import EntityRecognizer, Pattern, PatternRecognizer, RecognizerResult

class BadgeRecognizer(PatternRecognizer):
    def __init__(self, supported_language="en"):
        super().__init__("BADGE", patterns=[Pattern("badge", r"\\bB-\\d{5}\\b", 0.7)], supported_language=supported_language)

    def validate_result(self, pattern_text):
        return None if pattern_text != "B-00000" else False

class DoorRecognizer(EntityRecognizer):
    def __init__(self, supported_language="en"):
        super().__init__(["DOOR"], supported_language=supported_language)

    def load(self): ...

    def analyze(self, text, entities, nlp_artifacts=None):
        at = text.find("door 7")
        return [RecognizerResult("DOOR", at, at + 6, 0.9)] if at >= 0 else []

class LeakyRecognizer(BadgeRecognizer):
    def validate_result(self, pattern_text):
        raise ValueError(pattern_text)

class NeedyRecognizer(BadgeRecognizer):
    def __init__(self, endpoint):
        super().__init__()

made = BadgeRecognizer()
number = 7
"""


@pytest.fixture
def badges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of the user's own with recognisers; its name."""
    name = f"badges_{tmp_path.name.rpartition('-')[2]}_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(BADGES, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.mark.parametrize(
    ("named", "text", "expected"),
    [
        pytest.param("BadgeRecognizer", "badge B-12345, not B-00000", "badge <A_1>, not B-00000", id="a pattern class"),
        pytest.param("made", "badge B-12345", "badge <A_1>", id="a recogniser that is made"),
        pytest.param("DoorRecognizer", "at door 7 now", "at <A_1> now", id="a class with an analyze of its own"),
    ],
)
def test_a_users_own_recogniser_is_named_by_its_module(
    tmp_path: Path, badges: str, named: str, text: str, expected: str
) -> None:
    mine = masker(tmp_path, f"  - {{id: a, entity: A, presidio: {badges}.{named}, hits: [x], misses: [y]}}\n")

    assert mine.mask(text).text == expected


@pytest.mark.parametrize(
    ("named", "says"),
    [
        pytest.param("NoSuch", "has nothing called NoSuch", id="no such class"),
        pytest.param("number", "neither a class derived from Presidio's EntityRecognizer nor one made", id="no class"),
        pytest.param("NeedyRecognizer", "cannot be made with supported_language='en': TypeError", id="needs more"),
    ],
)
def test_what_is_no_recogniser_is_refused(tmp_path: Path, badges: str, named: str, says: str) -> None:
    mine = masker(tmp_path, f"  - {{id: a, entity: A, presidio: {badges}.{named}, hits: [x], misses: [y]}}\n")

    with pytest.raises(ConfigurationError, match=says):
        mine.mask("B-12345")


def test_a_recogniser_that_fails_refuses_and_does_not_tell_the_value(tmp_path: Path, badges: str) -> None:
    mine = masker(tmp_path, f"  - {{id: a, entity: A, presidio: {badges}.LeakyRecognizer, hits: [x], misses: [y]}}\n")

    with pytest.raises(UnmaskableError, match="LeakyRecognizer failed with ValueError") as caught:
        mine.mask("badge B-12345")
    assert "12345" not in repr(caught.value)
    assert caught.value.__cause__ is None


YAML = """
recognizers:
  - name: "Ticket recognizer"
    supported_language: "en"
    supported_entity: "TICKET"
    patterns: [{name: ticket, regex: "\\\\bTKT-\\\\d{6}\\\\b", score: 0.8}]
  - name: "Titles recognizer"
    supported_language: "en"
    supported_entity: "TITLE"
    deny_list: [Mr., Dr.]
"""


def test_presidios_yaml_files_load_unchanged(tmp_path: Path) -> None:
    from masking import presidio

    path = tmp_path / "recognizers.yaml"
    path.write_text(YAML, "utf-8")

    assert Masker(presidio.category(path)).mask("Dr. No has TKT-004711").text == "<TITLE_1> No has <TICKET_1>"


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        pytest.param("./recognizers.yaml#TICKET", "Dr. No has <A_1>", id="one entity of the file"),
        pytest.param("recognizers.yaml", "<A_1> No has <A_2>", id="all of it"),
    ],
)
def test_a_rule_names_a_yaml_file_from_where_it_lies(tmp_path: Path, named: str, expected: str) -> None:
    (tmp_path / "recognizers.yaml").write_text(YAML, "utf-8")
    mine = masker(tmp_path, f"  - {{id: a, entity: A, presidio: '{named}', hits: [x], misses: [y]}}\n")

    assert mine.mask("Dr. No has TKT-004711").text == expected


def test_presidios_own_files_load() -> None:
    import presidio_analyzer

    from masking import presidio

    folder = Path(presidio_analyzer.__file__).parent / "conf"

    assert presidio.category(folder / "example_recognizers.yaml").entities == ("TITLE",)
    assert "CREDIT_CARD" in presidio.category(folder / "default_recognizers.yaml").entities


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param("recognizers: [", ":1: is not YAML", id="no YAML"),
        pytest.param("recognizers: [{name: a}]", "Presidio makes no recognisers of it", id="no recognisers"),
        pytest.param("recognizers: []", "has no recogniser in the language 'en'", id="empty"),
        pytest.param(YAML.replace("TITLE", "title"), "the entity title cannot be a placeholder's name", id="entity"),
        pytest.param(None, "cannot read Presidio's recogniser file", id="no file"),
    ],
)
def test_a_yaml_file_that_cannot_be_used_is_named(tmp_path: Path, content: str | None, says: str) -> None:
    from masking import presidio

    path = tmp_path / "recognizers.yaml"
    if content is not None:
        path.write_text(content, "utf-8")

    with pytest.raises(ConfigurationError, match=says):
        presidio.category(path)


def test_presidios_defaults_are_a_category() -> None:
    from masking import presidio

    category = presidio.category(score=0.5)

    assert {"CreditCardRecognizer", "IbanRecognizer", "PhoneRecognizer"} <= {rule.id for rule in category.rules}
    assert (
        Masker(category).mask("4111 1111 1111 1111 or ann@example.com").text == "<CREDIT_CARD_1> or <EMAIL_ADDRESS_1>"
    )


@pytest.fixture(scope="module")
def nothing() -> Any:
    """Presidio's engine of no model."""
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    return NoOpNlpEngine(models=[{"lang_code": code, "model_name": "none"} for code in ("en", "zh")])


def test_our_engine_is_one_recogniser_of_presidios_analyzer(nothing: Any, patterns: Masker) -> None:
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry

    from masking import presidio

    languages = ["en", "zh"]
    registry = RecognizerRegistry(supported_languages=languages)
    for language in languages:
        registry.add_recognizer(presidio.recognizer(patterns, language=language))
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=nothing, supported_languages=languages)
    text = "电话13800138000，邮箱ann@example.com"
    expected = {(one.start, one.end, one.entity, one.score) for one in patterns.scan(text)}

    for language in languages:
        results = analyzer.analyze(text, language=language)
        assert {(one.start, one.end, one.entity_type, one.score) for one in results} == expected
        only = analyzer.analyze(text, language=language, entities=["EMAIL_ADDRESS"])
        assert [one.entity_type for one in only] == ["EMAIL_ADDRESS"]
    assert set(analyzer.get_supported_entities("zh")) == set(patterns.category.entities)
    assert len(expected) == 2


def test_our_placeholders_are_an_operator_of_presidios_anonymizer(nothing: Any) -> None:
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.predefined_recognizers import IpRecognizer
    from presidio_anonymizer import AnonymizerEngine
    from presidio_anonymizer.entities import OperatorConfig

    from masking import presidio

    registry = RecognizerRegistry(recognizers=[IpRecognizer()], supported_languages=["en"])
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=nothing, supported_languages=["en"])
    anonymizer = AnonymizerEngine()
    text = "192.0.2.7 and 192.0.2.8, 192.0.2.7"
    operators = {"DEFAULT": OperatorConfig("placeholder")}

    with Masker(["Minimal", presidio.entities(analyzer)], names="off").session() as session:
        anonymizer.add_anonymizer(presidio.placeholder(session))
        masked = anonymizer.anonymize(text, analyzer.analyze(text, language="en"), operators).text
        assert masked == "<IP_ADDRESS_1> and <IP_ADDRESS_2>, <IP_ADDRESS_1>"
        assert session.restore(masked) == text


def test_an_entity_that_the_session_does_not_have_is_refused(patterns: Masker) -> None:
    from presidio_analyzer import RecognizerResult
    from presidio_anonymizer import AnonymizerEngine
    from presidio_anonymizer.entities import OperatorConfig

    from masking import presidio

    anonymizer = AnonymizerEngine()
    with patterns.session() as session:
        anonymizer.add_anonymizer(presidio.placeholder(session))
        with pytest.raises(UnmaskableError, match="has no entity SPACESHIP; it has") as caught:
            anonymizer.anonymize(
                "the Argo", [RecognizerResult("SPACESHIP", 4, 8, 1.0)], {"DEFAULT": OperatorConfig("placeholder")}
            )
    assert "Argo" not in repr(caught.value)


def test_mail_addresses_are_checked_without_asking_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import tldextract

    from masking import presidio
    from masking.core.rule import PresidioSource

    def fails(*_: object) -> None:
        raise AssertionError("Presidio's own extractor would fetch a list")

    monkeypatch.setattr(tldextract, "extract", fails)
    find = presidio.recogniser(PresidioSource("EmailRecognizer", "en"))

    assert [(one.start, one.end, one.score) for one in find("to ann@example.com, a@b.nosuchdomain")] == [(3, 18, 1.0)]


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


@pytest.fixture(scope="module")
def trained() -> Any:
    """A pipeline of the usual parts, trained on two sentences: what it finds is nonsense, but it finds."""
    import spacy
    from spacy.training import Example

    nlp = spacy.blank("en")
    nlp.add_pipe("tagger")
    nlp.add_pipe("parser", config={"min_action_freq": 1})
    nlp.add_pipe("ner")
    marked = {
        "tags": ["A", "B", "A"],
        "heads": [1, 1, 1],
        "deps": ["nsubj", "ROOT", "dobj"],
        "entities": [(0, 6, "PERSON")],
    }
    examples = [Example.from_dict(nlp.make_doc(text), marked) for text in ("Zaphod left Magrathea", "Marvin met Ford")]
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(8):
        nlp.update(examples, sgd=optimizer)
    return nlp


def test_a_spacy_pipeline_runs_what_names_and_finds_what_it_would_with_all_its_parts(trained: Any) -> None:
    texts = ["Zaphod left Magrathea", "", "Marvin met Ford", "Ford left Zaphod"]
    alone = [[(one.start_char, one.end_char, one.label_) for one in trained(text).ents] for text in texts]
    pipeline = Pipeline(trained)

    assert pipeline.parts == ["ner"]
    together = pipeline.find_many(texts)
    assert [[(one.start, one.end, one.label) for one in found] for found in together] == alone
    assert [pipeline.find(text) for text in texts] == together
    assert alone[0] == [(0, 6, "PERSON")]


def test_a_spacy_pipeline_with_a_part_of_its_own_runs_whole() -> None:
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("senter")
    nlp.add_pipe("entity_ruler")

    assert Pipeline(nlp).parts == ["sentencizer", "senter", "entity_ruler"]


def test_a_spacy_pipeline_that_was_written_anew_is_loaded_anew(tmp_path: Path) -> None:
    import spacy

    folder = tmp_path / "mine"
    for number, name in enumerate(("Zaphod", "Marvin")):
        nlp = spacy.blank("en")
        nlp.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": name}])  # type: ignore[attr-defined]
        nlp.to_disk(folder)
        os.utime(folder / "meta.json", (number, number))

        assert [one.end for one in loaded(str(folder)).find(name)] == [6]
    assert loaded(str(folder)) is loaded(str(folder))


def test_many_texts_are_read_by_a_spacy_pipeline_together(tmp_path: Path, pipeline: Path) -> None:
    mine = masker(
        tmp_path, f"  - {{id: p, entity: PERSON, spacy: '{pipeline}', labels: [PERSON], hits: [x], misses: [y]}}\n"
    )
    texts = ["Zaphod here", "nobody", "and Zaphod"]

    assert [[one.start for one in found] for found in mine.scan_many(texts)] == [[0], [], [4]]


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
        pytest.param("{hash: {salt: short}}", "refuses its parameters", id="a short salt"),
        pytest.param("surrogate_ahds", "no operator is called", id="an operator that needs a service"),
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
