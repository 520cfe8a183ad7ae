"""Tells places and organisations that belong to somebody from those that a text merely speaks of.

北京有什么好玩的 is a general question, 我住在北京 is not. A place or an organisation stays one where its own form says
enough (a road, two divisions, a legal form), where the words beside it say that somebody lives, works or goes there,
or where the text holds a person, a number or an address of a mailbox, outside of questions about the world.
Otherwise it leaves as a mention, which rules may read and the shipped ones do not.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from masking.core.entity import Entity

__all__ = ["stated"]

_MENTIONED = {"LOCATION": "MENTIONED_PLACE", "ORGANIZATION": "MENTIONED_ORGANIZATION"}

_AROUND = 16  # characters on either side in which a cue is looked for
_DIVISION = re.compile(r"自治[区州县旗]|特别行政区|[省市区县镇乡村州旗]|街道|社区")
_PLACE_BEFORE = re.compile(
    r"(?:住在?|家在|家住|老家(?:是|在)?|籍贯(?:是|为)?|户籍地?(?:是|在)?|户口在?|生于|出生[于在地]?|来自|居住?[于在]?|"
    r"定居[于在]?|暂居|人[在到]|"
    r"搬[到去来回]了?|搬家到|[寄送发][到往至回]|配送[到至]|去了|到了|来到|回到|回了|飞[到往]了?|抵达|前往|途经|位于|坐落于?|派驻|调到|分到|"
    r"(?:地址|住址|所在地|城市|地区|地点|常驻|驻地|收货地|目的地|工作地|办公地)(?:是|为|在|于)?)"
    r"[ \t\"']{0,2}[:：=]?[ \t\"']{0,2}$"
)
_ENGLISH = re.compile(r"[A-Za-z] (?:in|from|to|at|near|of|for|with)[ ]?$")
_PLACE_AFTER = re.compile(
    r"(?:[，,]|那边|市区?|当地|这边)?(?:做|当)?(?:人[，。,;；、的]|人$|户口|户籍|籍[，。,]|的?老家|工作|上班|上学|读书|打工|出差|长大|生活|买房|租房|实习|当兵|"
    r"住院|定居|开户|开店|做生意|搬来|搬到|寄来|的(?:家|房子|住址|住处|亲戚|客户)|分公司|办事处)"
)
_ORGANIZATION_FORM = re.compile(
    r"(?:公司|集团|厂|商店|事务所|合作社|[支分]行|营业部|分理处|医院|卫生院|诊所|小学|中学|[一二三四五六七八九十]中|幼儿园|派出所|学校|"
    r"工作室|超市|酒店|宾馆|餐厅|饭店|药房|药店|有限合伙|居委会|村委会|物业)$"
)
_ORGANIZATION_BEFORE = re.compile(
    r"(?:在|于|就职|任职|供职|入职|加入|离职|就读|毕业|考[上入进]|院校|单位|公司|雇主|投诉|起诉|我们|我司|供应商|客户|[甲乙丙]方|开户行|银行|"
    r"来自|我是|这里是|代表|发给|联系|欠|与)(?:了|是|为|在|于)?[ \t\"']{0,2}[:：=]?[ \t\"']{0,2}$"
)
# A passport, a kind of food or a station is called after the place; a bank without its branch is everybody's.
_THING = re.compile("(?:居民)?(?:来往|往来)?(?:内地|大陆)?(?:通行证|身份证|护照|签证)|时间|[菜话]")
_BANK = re.compile("银行$")
_NUMBER = re.compile(r"(?<![\d.])\d{3}[\d -]{4,20}\d(?![\d.])|[A-Za-z0-9]@[A-Za-z0-9]")
# What is asked or told about the world, and not about somebody.
_GENERAL = re.compile(
    r"[?？]|什么|为何|怎么|如何|哪[些个里儿座条年]|多[少远久大高]|几[个年]|介绍|简述|评价|解释|概述|分析|比较|谁|吗|区别"
)
_WAYS = ("在", "从", "到", "去", "飞", "赴", "往", "回", "至")
_SENTENCE = re.compile(r"[^。！!？?\n]*[。！!？?\n]?")


def stated(text: str, entities: Sequence[Entity]) -> list[Entity]:
    """The same entities; plain places and organisations that are only mentioned are labelled so."""
    doubtful = [entity for entity in entities if _is_doubtful(text, entity)]
    if not doubtful:
        return list(entities)
    sentences = _Sentences(text, [entity for entity in entities if entity.label in {"PERSON", "ADDRESS"}])
    if sentences.tell_of_people or _NUMBER.search(text) is not None:
        doubtful = [entity for entity in doubtful if _is_public(text, entity)]
    unsaid = {entity for entity in doubtful if not _is_said(text, entity, sentences)}
    return [Entity(one.start, one.end, _MENTIONED[one.label], one.score) if one in unsaid else one for one in entities]


class _Sentences:
    """The sentences of a text that ask or tell about the world, and those with people in them."""

    def __init__(self, text: str, people: Sequence[Entity]) -> None:
        spans = [found.span() for found in _SENTENCE.finditer(text)]
        self._starts = [start for start, _ in spans]
        self._general = [_GENERAL.search(text, start, end) is not None for start, end in spans]
        self._peopled = {self._at(entity.start) for entity in people}
        self.tell_of_people = any(not self._general[number] for number in self._peopled)
        """Whether a sentence is about somebody and not about the world."""

    def _at(self, offset: int) -> int:
        return bisect_right(self._starts, offset) - 1

    def tell(self, offset: int) -> bool:
        """Whether the sentence at an offset is about somebody: 听说邓芳在温州结婚了吗 asks, but about a person."""
        number = self._at(offset)
        return not self._general[number] or number in self._peopled


def _is_doubtful(text: str, entity: Entity) -> bool:
    if entity.label == "LOCATION":
        return len(_DIVISION.findall(text, entity.start, entity.end)) < 2
    return entity.label == "ORGANIZATION" and not _ORGANIZATION_FORM.search(text, entity.start, entity.end)


def _is_public(text: str, entity: Entity) -> bool:
    """Whether a name is nobody's in any company: 港澳 in 港澳通行证, a bank as such."""
    if entity.label == "LOCATION":
        return _THING.match(text, entity.end) is not None
    return _BANK.search(text, entity.start, entity.end) is not None


def _is_said(text: str, entity: Entity, sentences: _Sentences) -> bool:
    """Whether the words beside a place or an organisation say whose it is."""
    before = text[max(0, entity.start - _AROUND) : entity.start]
    if _ENGLISH.search(before):
        return True
    if entity.label == "ORGANIZATION":
        return _ORGANIZATION_BEFORE.search(before) is not None and sentences.tell(entity.start)
    if _PLACE_BEFORE.search(before) or _PLACE_AFTER.match(text, entity.end, entity.end + _AROUND):
        return True
    return before.endswith(_WAYS) and sentences.tell(entity.start)
