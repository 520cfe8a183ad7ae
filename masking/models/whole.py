"""Chinese names of persons and organisations made whole: what a sequence model cuts off is put back.

The model leaves a surname out (有任佳琪: 佳琪), a rare last character (孟芳萌: 孟芳), all behind the dot of a name from
another language (阿依古丽·买买提: 阿依古丽), or the kind of an organisation (第一中学: 第一). What stands beside
the cut decides, by the lists of surnames and of characters that given names are made of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from masking.core.entity import Entity
from masking.models.meeting import meeting
from masking.models.surname import COMPOUNDS, GIVEN, SURNAMES

__all__ = ["whole_names"]

_PERSON = "PERSON"
_ORGANIZATION = "ORGANIZATION"
_PLACE = "LOCATION"
_SINGLE = frozenset(SURNAMES)
_SOUNDS = frozenset("哈呵嘿嘻呜啊呃嗯哦喔嗨哎呀噢")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_LEAD = re.compile("开户(?:银行|行)(?=.)|公司名称|单位名称")  # the field of a form, not the firm in it
_KIND = re.compile(
    "(?:妇幼)?保健院|(?:律师|会计师)?事务所|外国语学校|职业技术学院|[支分]行|营业部|分理处|(?:有限)?公司|[小中大]学|学[院校]|"
    "医院|幼儿园|委员会"
)
# Where the part before the dot begins behind, and the part after it ends before: words that no transcribed name has.
_NO_PART = (
    "的了在是和与及到去从有我你他她它们这那吗呢吧请把被让给对为跟很都也就不没住往离或等说叫做找将已于想要会"
    "人主户方名位者姓先女男电现身因由学师收号生今昨明写著演唱拍导画讲"
)
_PART = rf"(?:(?![{_NO_PART}])[\u4e00-\u9fff]){{1,7}}"
_DOTS = "·•‧・"
_DOTTED = re.compile(rf"{_PART}(?:[{_DOTS}]{_PART}){{1,3}}")
_BETWEEN = re.compile(r"(?P<sign>[、，,/ ])(?P<name>[\u4e00-\u9fff]{2,3})(?:(?P=sign)|和|与|及|以及)")
_LISTED = 0.5  # score of a name that only its neighbours give away
_GIVEN_NAME = re.compile(f"[{''.join(sorted(GIVEN))}]+")
_LAST = re.compile(rf"(?![{_NO_PART}])[\u4e00-\u9fff](?![\u4e00-\u9fff])")
# What may follow a name directly; a clause that goes on otherwise makes the last character doubtful.
_BEHIND = re.compile(
    r"$|[^\u4e00-\u9fff]|[的是在说和与于把被给让从到向去因住跟]|先生|女士|小姐|老师|护士|医生|同学|教授|经理|[你您]好|家[漏里的住门]"
)
_BEFORE = frozenset("是和与跟给找叫请让被对由向问见谢陪到为有或位名的归及户主人者系即如像着替帮送以客家里东友")


def whole_names(text: str, entities: Sequence[Entity]) -> list[Entity]:
    """The same entities, persons among them completed, and dotted names found; in order, none overlapping."""
    completed: list[Entity] = []
    for index, entity in enumerate(entities):
        if entity.label != _PERSON:
            behind = entities[index + 1] if index + 1 < len(entities) else None
            completed.append(_organisation(text, entity, behind) if entity.label == _ORGANIZATION else entity)
            continue
        if _SOUNDS.issuperset(text[entity.start : entity.end]):
            continue
        floor = completed[-1].end if completed else 0
        ceiling = entities[index + 1].start if index + 1 < len(entities) else len(text)
        start, end = _start(text, entity, floor), _end(text, entity, ceiling)
        completed.append(Entity(start, end, _PERSON, entity.score))
    return _listed(text, _with_dotted(text, completed))


def _listed(text: str, entities: Sequence[Entity]) -> list[Entity]:
    """The same entities, and names that stand between two others in a list: 唐婉清、万健、丁宇轩."""
    result: list[Entity] = []
    for index, entity in enumerate(entities):
        people = [one for one in entities[index - 1 : index + 2 : 2] if one.label == _PERSON] if index else []
        if len(people) == 2 and entity.label == _ORGANIZATION and _is_listed_name(text, people[0], entity, people[1]):
            entity = Entity(entity.start, entity.end, _PERSON, _LISTED)
        result.append(entity)
        behind = entities[index + 1] if index + 1 < len(entities) else None
        if entity.label != _PERSON or behind is None or behind.label != _PERSON:
            continue
        found = _BETWEEN.match(text, entity.end, behind.start)
        if found is not None and found.end() == behind.start and text[found.start("name")] in _SINGLE:
            result.append(Entity(*found.span("name"), _PERSON, _LISTED))
    return result


def _organisation(text: str, entity: Entity, behind: Entity | None) -> Entity:
    """An organisation with its kind; a short one that a place follows is a place itself: 惠州 before 南海区."""
    touches = behind is not None and text[entity.end : behind.start] in {"", " "}
    if touches and behind is not None and behind.label == _PLACE and entity.end - entity.start <= 3:
        return Entity(entity.start, entity.end, _PLACE, entity.score)
    kind = None if touches else _KIND.match(text, entity.end)
    lead = _LEAD.match(text, entity.start, entity.end)
    start, end = lead.end() if lead else entity.start, kind.end() if kind else entity.end
    return Entity(start, end, _ORGANIZATION, entity.score) if start < end else entity


def _start(text: str, entity: Entity, floor: int) -> int:
    """Where the name begins, a surname before it included."""
    start, end = entity.start, entity.end
    if end - start > 3 or text[start : start + 2] in COMPOUNDS:
        return start
    for begin in (start - 2, start - 1):  # 上官 before 磊; 端 before 木沐宸; 团长 before 孙婉清 is none
        whole = begin == start - 2 or text[start] not in _SINGLE
        if begin >= floor and whole and text[begin : begin + 2] in COMPOUNDS - {"长孙"}:
            return begin
    before = start - 1
    if before < floor or text[before] not in _SINGLE:
        return start
    alone = before == 0 or _HAN.match(text, before - 1) is None or text[before - 1] in _BEFORE
    lacks = end - start == 2 and text[start] not in _SINGLE and GIVEN.issuperset(text[start:end])
    return before if lacks and alone else start


def _end(text: str, entity: Entity, ceiling: int) -> int:
    """Where the name ends, a third character behind surname and one more included."""
    start, end = entity.start, entity.end
    if text[start:end] in COMPOUNDS:  # 慕容 | 国庆
        given = _GIVEN_NAME.match(text, end, min(ceiling, end + 2))
        return given.end() if given else end
    short = end - start == 2 and text[start] in _SINGLE and end < ceiling
    return end + 1 if short and text[end] in GIVEN and _BEHIND.match(text, end + 1) else end


def _is_listed_name(text: str, before: Entity, entity: Entity, behind: Entity) -> bool:
    """Whether a short name between two people, taken for a firm's, is the third's: 唐婉清、万健、丁宇轩."""
    signs = {text[before.end : entity.start], text[entity.end : behind.start]}
    name = text[entity.start : entity.end]
    return signs <= set("、，,/ ") and len(name) <= 3 and name[0] in _SINGLE and GIVEN.issuperset(name[1:])


def _with_dotted(text: str, entities: list[Entity]) -> list[Entity]:
    """Names of several parts with dots between them, where the model sees a person in any part."""
    result: list[Entity] = []
    index = 0
    for found in _DOTTED.finditer(text):
        start, end = found.span()
        passed = index
        index, behind = meeting(entities, passed, start, end)
        result += entities[passed:index]
        met = entities[index:behind]
        people = [entity for entity in met if entity.label == _PERSON]
        if not people:
            continue
        first = people[0]
        if text.startswith(tuple(_DOTS), first.end) and first.start - start != 1:
            start = first.start  # 持有人娜仁·: the model knows better where the first part begins
        start, end = min(start, met[0].start), max(end, met[-1].end)
        if _LAST.match(text, end):  # 阿不|都|拉: 不 is a word elsewhere
            end += 1
        result.append(Entity(start, end, _PERSON, max(entity.score for entity in people)))
        index = behind
    return [*result, *entities[index:]]
