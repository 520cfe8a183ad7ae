"""Names made whole, and mentions told from what belongs to somebody; without a model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.core.entity import Entity
from masking.models.latinname import Word, entities
from masking.models.mention import stated
from masking.models.whole import whole_names

LABELS = ("PERSON", "LOCATION", "ORGANIZATION", "ADDRESS")


def marked(text: str) -> tuple[str, list[Entity]]:
    """The text without the marks of `[PER:张三]`, `[LOC:…]`, `[ORG:…]`, `[ADD:…]`, and the entities that they make."""
    plain, found = "", []
    for piece in text.replace("]", "[").split("["):
        label, colon, words = piece.partition(":")
        full = next((one for one in LABELS if one.startswith(label)), "") if colon and len(label) == 3 else ""
        if full:
            found.append(Entity(len(plain), len(plain) + len(words), full, 0.9))
        plain += words if full else piece
    return plain, found


def shown(text: str, found: list[Entity]) -> list[str]:
    return [f"{entity.label[:3]}:{text[entity.start : entity.end]}" for entity in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("有任[PER:佳琪]、", ["PER:任佳琪"], id="a surname left out"),
        pytest.param("给于[PER:高明]、", ["PER:高明"], id="高明 has its surname"),
        pytest.param("- [PER:孟芳]萌：", ["PER:孟芳萌"], id="a third character left out"),
        pytest.param("[PER:王芳]说好", ["PER:王芳"], id="说 is no part of a name"),
        pytest.param("客户端[PER:木沐宸]来", ["PER:端木沐宸"], id="half a double surname"),
        pytest.param("团长[PER:孙婉清]：", ["PER:孙婉清"], id="团长 ends with no surname"),
        pytest.param("归[PER:慕容]国庆，", ["PER:慕容国庆"], id="a double surname alone"),
        pytest.param("持有人[PER:娜仁]·其木格，", ["PER:娜仁·其木格"], id="behind the dot"),
        pytest.param("我叫买[PER:合木提]·[PER:热合曼]，", ["PER:买合木提·热合曼"], id="two parts and a cut"),
        pytest.param("京A·12345", [], id="a plate has no name"),
        pytest.param("[PER:哈哈]真好", [], id="laughter"),
        pytest.param("[PER:唐婉清]、万健、[PER:丁宇轩]", ["PER:唐婉清", "PER:万健", "PER:丁宇轩"], id="between two others"),
        pytest.param("[PER:唐婉清]、经费、[PER:丁宇轩]", ["PER:唐婉清", "PER:丁宇轩"], id="no surname between"),
        pytest.param("[ORG:泉州第一]中学读书", ["ORG:泉州第一中学"], id="the kind of a school"),
        pytest.param("[ORG:惠州][LOC:南海区]", ["LOC:惠州", "LOC:南海区"], id="a town taken for a firm"),
        pytest.param("[ORG:开户行建设银行]", ["ORG:建设银行"], id="the field of a form"),
    ],
)  # fmt: skip
def test_names_are_made_whole(text: str, expected: list[str]) -> None:
    plain, found = marked(text)

    assert shown(plain, whole_names(plain, found)) == expected


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param("[LOC:北京]有什么好玩的？", False, id="a general question"),
        pytest.param("请介绍一下[LOC:成都]的小吃。", False, id="a topic"),
        pytest.param("我住在[LOC:北京]，怎么退税？", True, id="a stated home, even in a question"),
        pytest.param("会议在[LOC:上海]3月5日举行", True, id="where something takes place"),
        pytest.param("从[LOC:上海]到杭州坐高铁要多久？", False, id="a way that is asked for"),
        pytest.param("下周从[LOC:成都]出发", True, id="a way that is told"),
        pytest.param("听说[PER:邓芳]在[LOC:温州]结婚了吗？", True, id="asked about a person"),
        pytest.param("[PER:曹操]为什么败于[LOC:赤壁]？", False, id="asked about history"),
        pytest.param("收件：[LOC:苏州] 13800138000", True, id="a number beside it"),
        pytest.param("[LOC:江苏省苏州市]多大？", True, id="two divisions"),
        pytest.param("[PER:王芳]持[LOC:港澳]通行证", False, id="called after a place"),
        pytest.param("[ORG:腾讯]和阿里的商业模式比较", False, id="a firm in general"),
        pytest.param("我在[ORG:腾讯]上班", True, id="an employer"),
        pytest.param("[ORG:某某科技有限公司]是什么？", True, id="a legal form"),
        pytest.param("[PER:王芳]的卡是[ORG:交通银行]的。", False, id="a bank as such"),
        pytest.param("Her family is from [LOC:绍兴], she says", True, id="an English sentence"),
    ],
)
def test_what_is_only_mentioned_leaves_as_a_mention(text: str, kept: bool) -> None:
    plain, found = marked(text)

    after = stated(plain, found)

    assert [(one.start, one.end) for one in after] == [(one.start, one.end) for one in found]
    assert {one.label.startswith("MENTIONED_") for one in after if one.label not in {"PERSON", "ADDRESS"}} == {not kept}


@given(st.text(alphabet="王芳孟萌慕容国庆端木·、，。？在的说北京市", max_size=50), st.data())
def test_making_whole_keeps_order_and_all_but_laughter_and_never_overlaps(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    found = [Entity(a, b, data.draw(st.sampled_from(LABELS)), 0.5) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]

    whole = stated(text, whole_names(text, found))

    end = 0
    for entity in whole:
        assert end <= entity.start < entity.end <= len(text)
        end = entity.end
    covered = {at for entity in whole for at in range(entity.start, entity.end)}
    assert all(set(range(entity.start, entity.end)) <= covered for entity in found)


def words(text: str, *kinds: tuple[str, str]) -> list[Word]:
    """Words of the text with the kinds that the model gives them, all of them sure."""
    made, at = [], 0
    for word, kind in kinds:
        at = text.index(word, at)
        label = "PERSON" if kind in {"GIVEN_NAME", "SURNAME"} else "ADDRESS"
        made.append(Word(at, at + len(word), label, kind, 0.9, 0.9 if label == "PERSON" else 0.2))
        at += len(word)
    return made


@pytest.mark.parametrize(
    ("text", "kinds", "expected"),
    [
        pytest.param("are Ezra G. Thornbury, and",
            [("Ezra", "STREET_NAME"), ("G", "STREET_NAME"), (".", "STREET_NAME"), ("Thornbury", "CITY")],
            ["PER:Ezra G. Thornbury"], id="a name taken for a street"),
        pytest.param("Hugh Brooks\n12 Main Rd",
            [("Hugh", "STREET_NAME"), ("Brooks", "STREET_NAME"), ("12", "BUILDING_NUMBER"), ("Main", "STREET_NAME"), ("Rd", "STREET_NAME")],
            ["PER:Hugh Brooks", "ADD:12 Main Rd"], id="the addressee over an address"),
        pytest.param("ask Mei Chowdhury now", [("Mei", "GIVEN_NAME"), ("Chowdhury", "STREET_NAME")],
            ["PER:Mei Chowdhury"], id="a surname taken for a street"),
        pytest.param("and Dr. Guy O'Connor MD came", [("Guy", "GIVEN_NAME"), ("O'Connor", "SURNAME")],
            ["PER:Dr. Guy O'Connor MD"], id="title and degree"),
        pytest.param("for Grant de la Vega today", [("Grant", "GIVEN_NAME")], ["PER:Grant de la Vega"], id="a surname of several words"),
        pytest.param("ask Grant Monday", [("Grant", "GIVEN_NAME")], ["PER:Grant"], id="a day is no surname"),
        pytest.param('{"Iban": 1, "iban": "x"}', [("iban", "GIVEN_NAME")], [], id="a key is no name"),
        pytest.param("Use the word grace here", [("grace", "GIVEN_NAME")], [], id="a word in small letters"),
        pytest.param("i'm trevor", [("trevor", "GIVEN_NAME")], ["PER:trevor"], id="... unless it is said to be one"),
        pytest.param("What is Washington known for?", [("Washington", "STATE")], ["MEN:Washington"], id="a general question"),
        pytest.param("I live in Washington now", [("Washington", "STATE")], ["LOC:Washington"], id="a home"),
        pytest.param("in Boise, GA today", [("Boise", "CITY")], ["LOC:Boise, GA"], id="the code of a state"),
        pytest.param("1 Main St, attn Wanda Stone", [("1", "BUILDING_NUMBER"), ("Main", "STREET_NAME"), ("St", "STREET_NAME"), ("attn", "STREET_NAME"), ("Wanda", "STREET_NAME"), ("Stone", "STREET_NAME")],
            ["ADD:1 Main St", "PER:Wanda Stone"], id="for whom it is"),
    ],
)  # fmt: skip
def test_labelled_words_make_names_and_addresses(text: str, kinds: list[tuple[str, str]], expected: list[str]) -> None:
    assert shown(text, entities(text, words(text, *kinds))) == expected
