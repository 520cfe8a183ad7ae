"""Joins Chinese place names and what follows them to postal addresses.

The model stops at the road, or cuts an address in pieces: 浙江省 / 杭州市 / 西湖区 / 文三路, and 489弄21号511室 is no
name at all. A Chinese address runs from the large to the small: division, road, number, estate, building, unit,
floor, room. So each place is followed to the right for as long as smaller elements come. One pass with bounded
patterns: time linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from masking.core.entity import Entity
from masking.models.meeting import meeting

__all__ = ["join_addresses"]

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
# Particles, pronouns, prepositions and verbs of moving or dwelling end a name; hardly any road or estate has one
# inside.
_WORDS = "的了在是和与及到去从有我你他她它们这那吗呢吧请把被让给对为跟很都也就不没住往离或等说叫做"
_NAME = rf"(?:(?![{_WORDS}])[{_HAN}])"
_NUMBER = (
    r"(?:[A-Za-z]?\d{1,5}(?:[-—–－](?:\d{1,4}|[A-Za-z]))?[A-Za-z]?|[A-Za-z甲乙丙丁戊]|"
    r"[〇零一二三四五六七八九十百]{1,4})"
)
_STRETCH = r"(?:[东南西北中]?[一二三四五六七八九十]?段)?"

# An element with a name of its own. 公路, 铁路, 马路 are kinds of road; 路过 and 路上 are no road at all.
_NAMED = re.compile(
    rf"{_NAME}{{1,8}}?(?:大道|大街|胡同|街道|社区|小区|花园|公寓|大厦|广场|新村|开发区|自治[州县旗]|"
    rf"(?<![公铁马网线思出电半])路(?![过上由线径费人程途况])|[街道巷里村镇乡区县市州旗苑园城府湾坊庄]){_STRETCH}"
)
# A number counts something. 号 alone wants a road before it: 北京5号 is a date, 北京地铁5号线 a metro line.
_NUMBERED = re.compile(
    rf"[ \u3000]?(?P<name>{_NAME}{{0,8}}?)[ \u3000]?第?{_NUMBER} ?"
    r"(?P<unit>[号號][院楼樓门]|[号號](?![线店机码令车文公选位前后上下晚早])|弄|栋|棟|幢|座(?![谈城位])|单元|層|层|樓|楼(?![盘市])|室|"
    r"户(?![口外])|院(?![士长校])|组(?![织长合])|房(?![间产价东])|[#＃](?=\d))"
)
_ROOM = re.compile(
    r"[ \u3000\-—－]?[A-Za-z]?\d{2,4}(?:[-—－]\d{1,4})?"
    r"(?:室|房(?![间产价东])|户(?![口外])|(?![\dA-Za-z:：年月日元个点%％号楼层栋]|\.\d))"
)
_ROAD_END = re.compile(r"(?:[路街道巷里村弄坊庄]|胡同|段)$")
_ROAD = re.compile(rf"(?:大道|大街|胡同|[街巷弄]|(?<![公铁马网线思出电半])路){_STRETCH}$")
# What the model itself has seen of numbers: a road with a number, a building at the end.
_ROAD_NUMBER = re.compile(
    rf"(?:大道|大街|胡同|[路街道巷弄村段])第?{_NUMBER}[号號弄]|{_NUMBER}(?:[号號][院楼樓]|[栋棟幢座室户]|单元)|\d[#＃]\d"
)
_BUILDING = re.compile(rf"{_NUMBER}(?:[号號][院楼樓]|[栋棟幢座层層楼樓弄#＃]|单元)$")
_STOREY = re.compile(r"(?<=[号號])[院楼樓](?![盘市长])")

# A building and a room in it are somebody's home or office, whatever the estate is called.
_HOME = re.compile(
    rf"(?P<name>(?![号弄]){_NAME}{{2,12}})(?=\d{{1,3}}(?:号楼|[栋幢座#＃])[ ]?(?:\d{{1,2}}单元[ ]?)?"
    r"(?:\d{2,4}(?:[室房户]|(?!\d))|\d{1,2}[层楼]))"
)
_LEAD = re.compile(r".*(?:改[成为到]|地址|位于|业主|收货|房子|学校|小区|寄|送|回|放|搬|家住)")
_ESTATE = re.compile(r"家园|花园|小区|庄园|公馆|公寓|国际|新村|[苑城府湾里村院]")
_CUT = re.compile(r"(?<=\d)(?:号楼|单元|[栋幢座层楼室户房])")  # 28号楼4 | 单元1406
_INSTITUTION = re.compile(r"(?:医院|大学|学院|学校|公司)$")
_HOMELY = 0.5  # score of a place that the model did not see

_NAMED_AT_MOST = 4  # named elements in a row that the model did not see: 县, 路, estate, and one to spare
_PLACE = "LOCATION"
_ADDRESS = "ADDRESS"


def join_addresses(text: str, entities: Sequence[Entity]) -> list[Entity]:
    """The same entities with places joined: LOCATION for a plain place, ADDRESS where a road or a number belongs to it.

    `entities` come in order and do not overlap. People and organisations that lie inside an address (丽娟县,
    中海国际社区) are part of it and disappear; one that an address would cut in two stops the address before it.
    """
    entities = _with_homes(text, entities)
    joined: list[Entity] = []
    index = 0
    while index < len(entities):
        entity = entities[index]
        index += 1
        if entity.label != _PLACE:
            joined.append(entity)
            continue
        start = entity.start
        end, index, numbered = _follow(text, start, entity.end, entities, index)
        fine = numbered or _ROAD.search(text, start, end) or _ROAD_NUMBER.search(text, start, end)
        joined.append(Entity(start, end, _ADDRESS if fine else _PLACE, entity.score))
    return _over_commas(text, joined)


def _with_homes(text: str, entities: Sequence[Entity]) -> list[Entity]:
    """The same entities, and as places also what a building and a room follow: 机械厂家属院17#4单元304."""
    result: list[Entity] = []
    index = 0
    for home in _HOME.finditer(text):
        start, end = home.span("name")
        lead = _LEAD.match(text, start, end)
        start = lead.end() if lead else start
        passed = index
        index, behind = meeting(entities, passed, start, end)
        result += entities[passed:index]
        met = entities[index:behind]
        if any(entity.label == _PLACE for entity in met) or _INSTITUTION.search(text, start, end):
            continue
        if end - start < 2 or (met and met[-1].end > end):
            continue
        # 紫薇家园 is an estate, 张三紫薇家园 a person and an estate
        named = bool(met) and met[0].label == "PERSON"
        if named and (met[0].start < start or not _ESTATE.fullmatch(text, met[0].end, end)):
            continue
        result.append(Entity(min([start, *(entity.start for entity in met)]), end, _PLACE, _HOMELY))
        index = behind
    return [*result, *entities[index:]]


def _follow(text: str, start: int, end: int, entities: Sequence[Entity], index: int) -> tuple[int, int, bool]:
    """How far the address goes that runs from `start` to `end` so far.

    Gives its end, the index of the first entity after it, and whether a number belongs to it that the model did not
    see.
    """
    numbered = False
    while True:
        if index < len(entities) and entities[index].label == _PLACE and text[end : entities[index].start] in {"", " "}:
            end = entities[index].end
            index += 1
            continue
        building = _BUILDING.search(text, max(start, end - 12), end)
        grown = end
        for more in (_STOREY.match(text, end), _ROOM.match(text, end) if building else None):
            grown = more.end() if more else grown
        if grown == end and (cut := _CUT.match(text, end)):
            grown = cut.end()
        if grown == end:
            grown = _numbered_end(text, end, already=numbered)
        behind = index
        while behind < len(entities) and entities[behind].start < grown:
            behind += 1
        if grown == end:
            return end, index, numbered
        if behind > index and entities[behind - 1].end > grown:
            if entities[behind - 1].label != _PLACE:
                return end, index, numbered
            grown = entities[behind - 1].end  # 融 | 景城7号楼: the model cut a name in two
        end, index, numbered = grown, behind, True


def _numbered_end(text: str, end: int, *, already: bool) -> int:
    """End of the named elements from `end` on with the number that closes them; `end` itself where there is none.

    Named elements without any number after them are not taken: 北京 高速公路 is no address, and where they are one
    the model sees them itself.
    """
    at = end
    for _ in range(_NAMED_AT_MOST):
        found = _NUMBERED.match(text, at)
        if found is not None:
            before = (
                text[max(end - 4, 0) : found.end("name")] if found["name"] or at == end else text[max(at - 4, 0) : at]
            )
            if already or found["unit"] not in {"号", "號"} or _ROAD_END.search(before.rstrip()):
                return found.end()
        named = _NAMED.match(text, at)
        if named is None:
            break
        at = named.end()
    return end


def _over_commas(text: str, entities: list[Entity]) -> list[Entity]:
    """浙江省杭州市，文三路489号 is one address: a division joins over one comma with the address that follows."""
    result: list[Entity] = []
    for entity in entities:
        if (
            entity.label == _ADDRESS
            and result
            and result[-1].label == _PLACE
            and text[result[-1].end : entity.start] in {",", "，", ", "}
            and text[result[-1].end - 1] in "省市区县州镇乡"
        ):
            before = result.pop()
            entity = Entity(before.start, entity.end, _ADDRESS, min(before.score, entity.score))
        result.append(entity)
    return result
