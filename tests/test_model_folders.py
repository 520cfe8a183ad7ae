"""A user's own model folder: what it finds, what is refused, that nothing is fetched and no text makes it fail."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_onnx import INT32, onnx_model, scores, write_folder

from masking import Masker, models
from masking.core.entity import Entity, NameModel
from masking.core.errors import ModelError, RuleError
from masking.models.folder import Folder
from masking.models.wordpiece import WordPiece

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
BIO = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
WORDS = (
    *SPECIAL,
    "anna",
    "berg",
    "##mann",
    "paris",
    "new",
    "york",
    "met",
    "in",
    "and",
    ".",
    "王",
    "伟",
    "去",
    "é",
    "Anna",
)
SAYS = {
    "anna": "B-PER", "berg": "I-PER", "##mann": "O", "paris": "B-LOC", "new": "B-LOC", "york": "I-LOC", "王": "B-PER",
    "伟": "I-PER", "Anna": "B-PER",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("model"), WORDS, BIO, SAYS)


@pytest.fixture(scope="module")
def model(folder: Path) -> NameModel:
    return Folder(folder)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> NameModel:
    pytest.importorskip("tokenizers")
    return Folder(sentencepiece(tmp_path_factory.mktemp("foreign")))


def seen(model: NameModel, text: str) -> list[tuple[str, str]]:
    return [(text[one.start : one.end], one.label) for one in model.find(text)]


# --- what it finds -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("Anna Berg met Paris", [("Anna Berg", "PER"), ("Paris", "LOC")], id="two words of one name"),
        pytest.param("Anna Bergmann.", [("Anna Bergmann", "PER")], id="a word has the label of its first piece"),
        pytest.param("anna anna", [("anna", "PER"), ("anna", "PER")], id="B begins another name"),
        pytest.param("Anna\n\nBerg", [("Anna", "PER"), ("Berg", "PER")], id="no name runs over an empty line"),
        pytest.param("Anna. Berg", [("Anna", "PER"), ("Berg", "PER")], id="nor over a sign"),
        pytest.param("Berg", [("Berg", "PER")], id="I without B begins a name"),
        pytest.param("王伟去Paris", [("王伟", "PER"), ("Paris", "LOC")], id="Chinese without blanks"),
        pytest.param("ÁNNA Berg", [("ÁNNA Berg", "PER")], id="accents and case do not matter to an uncased model"),
        pytest.param("in and met", [], id="nothing"),
        pytest.param("", [], id="empty"),
    ],
)
def test_a_folder_finds_the_spans_that_its_labels_say(
    model: NameModel, text: str, found: list[tuple[str, str]]
) -> None:
    assert seen(model, text) == found


@pytest.mark.parametrize(
    ("labels", "says", "text", "found"),
    [
        pytest.param(
            ("O", "B-P", "I-P", "E-P", "S-P"), {"anna": "B-P", "berg": "E-P", "paris": "S-P"}, "anna berg paris",
            ["anna berg", "paris"], id="BIOES",
        ),
        pytest.param(
            ("O", "B-P", "I-P", "L-P", "U-P"), {"anna": "U-P", "berg": "L-P"}, "anna berg", ["anna", "berg"],
            id="BILOU: what U closed stays closed",
        ),
        pytest.param(("O", "P"), {"anna": "P", "berg": "P"}, "anna berg", ["anna berg"], id="labels without prefixes"),
        pytest.param(("O", "B_P", "I_P"), {"anna": "B_P", "berg": "I_P"}, "anna berg", ["anna berg"], id="underscores"),
    ],
)  # fmt: skip
def test_every_usual_scheme_of_labels_is_read(
    tmp_path: Path, labels: tuple[str, ...], says: dict[str, str], text: str, found: list[str]
) -> None:
    model = Folder(write_folder(tmp_path, WORDS, labels, says))

    assert seen(model, text) == [(one, "P") for one in found]


def test_a_cased_model_sees_case(tmp_path: Path) -> None:
    model = Folder(write_folder(tmp_path, WORDS, BIO, SAYS, lower=False))

    assert seen(model, "Anna anna ANNA") == [("Anna", "PER"), ("anna", "PER")]


@pytest.mark.parametrize(
    "file", ["model.onnx", "onnx/model.onnx", "onnx/model_quantized.onnx", "onnx/model_q4f16.onnx", "model_q4.onnx"]
)
def test_the_weights_are_found_where_exporters_put_them(tmp_path: Path, file: str) -> None:
    assert seen(Folder(write_folder(tmp_path, WORDS, BIO, SAYS, file=file)), "anna") == [("anna", "PER")]


@pytest.mark.parametrize("inputs", [("input_ids",), ("input_ids", "attention_mask"), ("input_ids", "position_ids")])
def test_a_model_gets_the_inputs_that_it_has(tmp_path: Path, inputs: tuple[str, ...]) -> None:
    write_folder(tmp_path, WORDS, BIO, SAYS)
    (tmp_path / "model.onnx").write_bytes(onnx_model(scores(WORDS, BIO, SAYS), inputs=inputs, kind=INT32))

    assert seen(Folder(tmp_path), "anna") == [("anna", "PER")]


def described(folder: Path, **changes: object) -> None:
    """A tokenizer.json beside, or instead of, the vocab.txt."""
    (folder / "vocab.txt").unlink()
    bert = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    }
    plain = {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": bert, "added_tokens": [],
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": None, "decoder": None,
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": {word: number for number, word in enumerate(WORDS)},
        },
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps({**plain, **changes}), "utf-8")


def test_a_tokenizer_json_that_is_wordpiece_needs_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path, WORDS, BIO, SAYS)
    described(tmp_path)
    monkeypatch.setitem(sys.modules, "tokenizers", None)

    assert seen(Folder(tmp_path), "Anna Bergmann") == [("Anna Bergmann", "PER")]


UNIGRAM = {
    "normalizer": None,
    "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
    "post_processor": {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}},
    },
    "model": {"type": "Unigram", "unk_id": 1, "vocab": [[word, -1.0] for word in (*SPECIAL, "▁anna", "▁berg", "mann", "▁", "▁paris", "x")]},
}  # fmt: skip


def sentencepiece(folder: Path) -> Path:
    write_folder(folder, WORDS, BIO, SAYS)
    words = (*SPECIAL, "▁anna", "▁berg", "mann", "▁", "▁paris", "x")
    says = {"▁anna": "B-PER", "▁berg": "I-PER", "▁paris": "B-LOC"}
    (folder / "model.onnx").write_bytes(onnx_model(scores(words, BIO, says)))
    described(folder, **UNIGRAM)
    return folder


def test_any_other_tokenizer_runs_in_the_package_tokenizers(foreign: NameModel) -> None:
    assert seen(foreign, "anna bergmann  paris") == [("anna bergmann", "PER"), ("paris", "LOC")]


def test_without_the_package_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sentencepiece(tmp_path)
    monkeypatch.setitem(sys.modules, "tokenizers", None)

    with pytest.raises(ModelError, match="pip install tokenizers"):
        Folder(tmp_path)


# --- long and strange text ---------------------------------------------------------------------------------------------


def test_a_long_text_is_seen_to_its_end(model: NameModel) -> None:
    text = "anna met paris in " * 200

    found = model.find(text)

    assert [(one.start % 18, one.label) for one in found] == [(0, "PER"), (9, "LOC")] * 200


def test_a_name_at_the_seam_of_two_windows_stays_whole(model: NameModel) -> None:
    for before in range(40, 70):
        text = "in " * before + "anna bergmann and " + "in " * 60
        assert seen(model, text) == [("anna bergmann", "PER")]


STRANGE = st.lists(
    st.sampled_from(["anna", "berg", "王伟", " ", "\n", "paris", "é", "\u200b", "\ud800", "😀", "."]) | st.characters()
).map("".join)


@given(STRANGE)
def test_no_text_makes_it_fail_and_spans_keep_their_order(model: NameModel, text: str) -> None:
    check_shape(model, text)


@given(STRANGE)
def test_nor_with_the_package_tokenizers(foreign: NameModel, text: str) -> None:
    check_shape(foreign, text)


def check_shape(model: NameModel, text: str) -> None:
    end = 0
    for one in model.find(text):
        assert isinstance(one, Entity)
        assert end <= one.start < one.end <= len(text)
        assert 0 < one.score <= 1
        end = one.end


def test_our_cased_wordpiece_cuts_as_the_package_does() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    words = (*SPECIAL, *"abcdeABCDE", *(f"##{one}" for one in "abcdeABCDE"), "É", "##é", ".", "王")
    theirs = tokenizers.BertWordPieceTokenizer(
        {word: n for n, word in enumerate(words)}, lowercase=False, strip_accents=False
    )
    ours = WordPiece(words, lower=False)

    for text in ("AbC cB.A", "É.dé 王A", "e\u0301a", "zz Ab"):
        cut = theirs.encode(text, add_special_tokens=False)
        assert [(one.number, one.start, one.end) for one in ours.pieces(text)] == [
            (number, *place) for number, place in zip(cut.ids, cut.offsets, strict=True)
        ]


# --- what is refused ---------------------------------------------------------------------------------------------------


def broken(name: str, folder: Path) -> None:
    match name:
        case "no config":
            (folder / "config.json").unlink()
        case "config is no JSON":
            (folder / "config.json").write_text("{")
        case "config is a list":
            (folder / "config.json").write_text("[]")
        case "no labels":
            (folder / "config.json").write_text('{"id2label": {}}')
        case "labels with a hole":
            (folder / "config.json").write_text('{"id2label": {"0": "O", "2": "B-PER"}}')
        case "no weights":
            (folder / "model.onnx").unlink()
        case "weights are no ONNX":
            (folder / "model.onnx").write_bytes(b"GIF89a")
        case "a generator":
            (folder / "model.onnx").write_bytes(
                onnx_model(scores(WORDS, BIO, SAYS), inputs=("input_ids", "past_key_values"))
            )
        case "no vocabulary":
            (folder / "vocab.txt").unlink()
        case "vocabulary of something else":
            (folder / "vocab.txt").write_text("a\nb\n")
        case "a limit of nothing":
            (folder / "config.json").write_text(json.dumps({"id2label": {"0": "O"}, "max_position_embeddings": 2}))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("no config", "there is no config.json"),
        ("config is no JSON", "config.json cannot be read"),
        ("config is a list", "config.json is not a JSON object"),
        ("no labels", "id2label"),
        ("labels with a hole", "id2label"),
        ("no weights", "neither model.onnx nor"),
        ("weights are no ONNX", "cannot load model.onnx"),
        ("a generator", "wants past_key_values"),
        ("no vocabulary", "neither tokenizer.json nor vocab.txt"),
        ("vocabulary of something else", "lacks \\[CLS\\]"),
        ("a limit of nothing", "no text fits"),
    ],
)
def test_a_folder_that_is_no_model_is_refused_with_the_file_at_fault(tmp_path: Path, what: str, said: str) -> None:
    write_folder(tmp_path, WORDS, BIO, SAYS)
    broken(what, tmp_path)

    with pytest.raises(ModelError, match=said) as caught:
        Folder(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_model_with_other_labels_than_its_config_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, WORDS, BIO, SAYS)
    (tmp_path / "model.onnx").write_bytes(onnx_model([[0.0, 1.0]] * len(WORDS)))

    with pytest.raises(ModelError, match=r"5 labels in config\.json"):
        Folder(tmp_path).find("anna")


# --- in a category -----------------------------------------------------------------------------------------------------

CATEGORY = """
category: Mine
version: "1"
about: {en: "names by a model of one's own"}
rules:
  - id: mine.person
    entity: PERSON
    model: %s
    labels: [PER]
    hits: ["anna berg"]
    misses: ["in and"]
  - id: mine.number
    entity: NUMBER
    pattern: 'C-\\d{3}'
    hits: ["C-123"]
    misses: ["C-1"]
"""


def category(tmp_path: Path, model: str = "./ner") -> Path:
    write_folder(tmp_path / "ner", WORDS, BIO, SAYS)
    file = tmp_path / "Mine.yaml"
    file.write_text(CATEGORY % model, "utf-8")
    return file


def test_a_rule_names_a_folder_beside_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = category(tmp_path)
    monkeypatch.chdir(tmp_path.parent)

    assert Masker(file).mask("anna berg met paris, C-123").text == "<PERSON_1> met paris, <NUMBER_1>"


def test_a_rule_names_a_folder_by_its_whole_path(tmp_path: Path) -> None:
    file = category(tmp_path, str(tmp_path / "ner"))

    assert Masker(file).mask("anna berg").text == "<PERSON_1>"


def test_names_off_leaves_the_folder_alone(tmp_path: Path) -> None:
    file = category(tmp_path, "./not-there")

    assert Masker(file, names="off").mask("anna berg, C-123").text == "anna berg, <NUMBER_1>"
    with pytest.raises(ModelError, match=r"there is no config\.json"):
        Masker(file)


def test_a_label_that_the_model_does_not_have_is_refused_at_once(tmp_path: Path) -> None:
    file = category(tmp_path)
    file.write_text(file.read_text().replace("[PER]", "[PERSON]"))

    with pytest.raises(
        RuleError, match=r"Mine.yaml:6: rule mine.person: labels: the model has no PERSON; it has LOC, PER"
    ):
        Masker(file)


def test_an_unknown_model_is_refused_with_the_way_to_name_a_folder(tmp_path: Path) -> None:
    file = category(tmp_path, "mine")

    with pytest.raises(RuleError, match=r"known are zh, latin, and a folder such as \./"):
        Masker(file, names="off")


def test_a_folder_is_loaded_once(tmp_path: Path) -> None:
    write_folder(tmp_path, WORDS, BIO, SAYS)

    assert models.load(str(tmp_path)) is models.load(str(tmp_path))
    assert models.labels_of(str(tmp_path)) == ["LOC", "PER"]
