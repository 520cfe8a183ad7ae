"""Chinese names that their surroundings give away: 联系人：马雷，  客户左建军，  和蔡女士，  他叫高峰，  "万霞".

A sequence model misses a rare name now and then, most of all where its characters also make a common word. A word
that announces a person, then a surname and one or two characters, then the end of the clause is evidence enough,
unless what stands there is itself a word of the dictionary (客户方面，  患者应住院，). Where a form asks for a name, or
the sentence goes on as one about a person, a word of the dictionary is a name too (姓名：高兴，  他叫高峰，).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from masking.models.surname import COMPOUND, COMPOUNDS, GIVEN, SURNAMES

__all__ = ["CuedName", "CuedNames"]

# Surnames that are also adverbs, prepositions and the like: 客户常去， 患者应住， 用户方可。 Such a one wants a full
# name or a colon.
_AMBIGUOUS = frozenset("应时常于向连强成方高安万单明查解区曾关路门包原全有从能和管简花")
# ... and characters of given names that such a one is followed by in a sentence: 方可，  应行，  能来。
_VERBAL = frozenset("可能行会来本加用意理正直成和好明立开学言说语道达到定归延法收发利益安全心向生")

# Roles after which a name follows with or without a sign, and those that want a colon or a verb before it.
_FIELDS = (
    "姓名|名字|真实姓名|户名|账户名|联系人|收件人|收货人|寄件人|发件人|取件人|申请人|投诉人|举报人|报案人|报修人|法定代表人|法人代表|候选人|应聘者|"
    "经办人|委托人|代理人|当事人|嫌疑人|担保人|借款人|持卡人|持证人|持有人|开户人|参保人|投保人|被保险人|受益人|监护人|承租人|出租人|"
    "车主|户主|机主|下单人|收款人|付款人|抄送"
)
_ROLES = (
    f"{_FIELDS}|负责人|面试官|管理员|业主|房东|租客|客户|患者|病人|原告|被告|证人|死者|伤者|家属|员工|同事|学员|考生|学生|家长|司机|邻居|"
    "主持人|记录人|缺席|列席|出席|收件人信息|团长|队长|组长|本人|我叫|名叫|请联系|联系|找|@|"
    "(?i:my name is |attn:? ?)|转账给|汇款给|邮件给|收件|出借人|"
    "我(?:朋友|同事|邻居|同学|室友|爱人|爸|妈|哥|姐|弟弟?|妹妹?|儿子|女儿|老公|老婆|孩子|奶奶|爷爷|外婆)"
)
_NAMED_ROLES = (
    "甲方|乙方|丙方|买方|卖方|客户名称|用户|法人|代表|经理|老师|医生|护士|同学|律师|作者|收款方|付款方|导师|班主任|"
    "领导|老板"
)
_SIGN = r"[ \t]?(?:[:：]|是|为|叫|换成|改成|改为|变更为)[ \t\u3000]?"
_NAME = rf"(?:{COMPOUND}|[{SURNAMES}])[\u4e00-\u9fff]{{1,2}}?"
_END = (
    r"(?=$|[\s\d，。、；：！？,.;:!?（）()【】\[\]<>《》“”\"'’|/+*_-]|的(?!士|确|话)|先生|女士|小姐|"
    r"你好|您好|电话|手机|家住|因|两位|今天|昨天|明天|现在|最近|目前|反映|来电|表示|申请|投诉|咨询|称其|说[他她])"
)
_CUED = re.compile(
    rf"(?:(?:{_ROLES})(?P<sign>{_SIGN})?|(?:{_NAMED_ROLES})(?P<named>{_SIGN}|[ \t])"
    rf"|(?i:name)(?P<key>[\"']?[ \t]{{0,2}}[:=][ \t]{{0,2}})|\d[.、）)])[ ]?[“\"'「]?(?P<name>{_NAME}){_END}"
)

_QUOTED = re.compile(rf"(?P<quote>[\"'])(?P<name>{_NAME})(?P=quote)|>(?P<marked>{_NAME})</")

# Here even a word of the dictionary is a name: a field of a form, he is called, a name before sex, phone or mail.
_KIN = "我|他|她|宝宝|孩子|儿子|女儿|弟弟?|妹妹?|哥哥?|姐姐?|爸爸?|妈妈?|老公|老婆|丈夫|妻子|朋友|同事|男|女|对方|名字"
_CLAUSE = r"(?:^|(?<=[\s，。、；：！？,.;:!?（(“\"'|]))"
_FIELD = (
    rf"(?:{_FIELDS})[ \t\u3000]{{0,6}}(?:[】\])\"']{{0,2}}[:：][ \t\u3000\"'“]{{0,3}}|[】\])\"']{{1,2}}[ \"'“]{{0,2}})"
)
_KEY = (
    r"(?i:(?:user|customer|contact|owner|patient|student|full_?|real_?)(?:_?name)?[\"']?[ \t]{0,2}[:=][ \t]{0,2}[\"']?"
    r"|\bcc[:：]?[ \t]{0,2})"
)
_CONTACT = r"电话|手机|1[3-9]\d{9}|\d{17}[\dXx]|[\w.+-]{1,32}@"
_CERTAIN = re.compile(
    rf"(?:{_FIELD}|(?:{_KIN})(?:名|就)?叫)(?P<name>{_NAME}){_END}"
    rf"|(?:{_CLAUSE}|患者|病人|学生|员工|候选人|本人)(?P<listed>{_NAME})"
    rf"(?=[，,、；;|\t ：:（(]{{1,2}}(?:(?:男|女)(?:[，,、。；;\s\d]|$)|{_CONTACT}))"
    rf"|{_KEY}(?P<keyed>{_NAME})(?=[\"'，,、；;\s]|$)"
    rf"|{_CLAUSE}(?P<said>{_NAME})(?=说[他她我]|告诉我|[问约]我|把我)"
    rf"|{_CLAUSE}(?P<greeted>{_NAME})(?=(?:同学|先生|女士|小姐)[你您]好)"
)
_NO_NAMES = frozenset(
    re.findall(
        r"\w+",
        """
    方便 包括 包含 全部 全称 全名 高级 明确 通过 平台 单位 强制
    常用 常见 成员 管理 关闭 时间 时候 安全 原因 马上 毛重 金额
    成年 明细 商品 商家 管理员 支付宝 应该 应当 应付 应收 应发
    项目 宣布 连接 单身 于是 解决 查询 万一 向导 从来 能力 安全员 应聘
    常住 成绩 成本 时长 路线
    """,
    )
)

# 于阿姨,  王总: a surname alone with a title, where a word ends before it.
_LINK = "是和与跟给找叫请让被对由向问见谢陪到为有或位名的"
_TITLES = (
    "先生|女士|小姐|太太|夫人|老师|经理|医生|大夫|主任|教授|律师|阿姨|叔叔|师傅|同学|总监|局长|处长|科长|院长|校长|所长|主管|警官|法官|书记|博士|"
    "护士长?|教练|老板|董事长?|工(?=[，。,、！!？?您你]|$)|总(?=[，。,、！!？?：:您你说让的]|$)"
)
_TITLED = re.compile(
    rf"(?P<before>^|[^\u4e00-\u9fff]|[{_LINK}]|一下)(?P<name>(?P<surname>{COMPOUND}|[{SURNAMES}])(?:{_TITLES}))"
)
_NO_TITLED = frozenset("全包管能应连解查区路门原从和时常强单向")
# 对于老师,  对方经理,  为何老师: the word before ends with the surname.
_NOT_AFTER = {"于": frozenset("对由为"), "方": frozenset("对"), "何": frozenset("为有"), "关": frozenset("有")}
# 金乐乐医生，我是…: called by name and title.
_CALLED = re.compile(
    rf"{_CLAUSE}(?P<name>{_NAME})(?=(?:同学|先生|女士|小姐|老师|医生|护士|教授|经理|律师|师傅|主任)(?:[，,：:。！!]|[你您]好|$))"
)
# A token of a list that is a surname and two characters of given names.
_ALONE = re.compile(
    rf"(?:^|(?<=[\s、，。,;；|：:\]】有是和与跟给帮让请找问被由]))(?P<name>[{SURNAMES}][\u4e00-\u9fff]{{2}})"
    r"(?=[\s、，,;；|：:（(\[于的说在是和与]|两位|$)"
)
# 上官磊、 wherever it stands; 东方 and 南宫 are mostly words and places, 长孙 a grandson.
_RARE = "|".join(sorted(COMPOUNDS - {"东方", "南宫", "长孙"}))
_COMPOUND = re.compile(
    rf"(?P<name>(?:{_RARE})(?P<given>[\u4e00-\u9fff]{{1,2}}))(?=$|[^\u4e00-\u9fff]|[和与的是说在]|两位|同学|老师)"
)
_SURNAMED = re.compile(
    rf"(?:我|他|她|妈|爸|人家|先生|女士|本人|免贵)姓(?P<name>{COMPOUND}|[{SURNAMES}])(?=[，。,；;、\s]|$)"
)


class CuedName(NamedTuple):
    """Where a name is announced, in code points."""

    start: int
    end: int


class CuedNames:
    """Finds announced names; `words` is the dictionary of what is a word and therefore no name."""

    def __init__(self, words: frozenset[str]) -> None:
        self._words = words

    def find(self, text: str, start: int, end: int) -> list[CuedName]:
        """The announced names between two offsets of a text, each once; the patterns are bounded, so time is linear."""
        return sorted(set(self._all(text, start, end)))

    def _all(self, text: str, start: int, end: int) -> Iterator[CuedName]:
        for found in _CUED.finditer(text, start, end):
            signed = any(found[sign] is not None for sign in ("sign", "named", "key"))
            if not self._is_word(found["name"], signed=signed):
                yield CuedName(*found.span("name"))
        for found in _CERTAIN.finditer(text, start, end):
            group = found.lastgroup or "name"
            if found[group] not in _NO_NAMES:
                yield CuedName(*found.span(group))
        for found in _QUOTED.finditer(text, start, end):
            group = "marked" if found["name"] is None else "name"
            if not self._is_word(found[group], signed=True):
                yield CuedName(*found.span(group))
        for found in _TITLED.finditer(text, start, end):
            surname = found["surname"]
            if surname not in _NO_TITLED and found["before"] not in _NOT_AFTER.get(surname, ()):
                yield CuedName(*found.span("name"))
        for found in (*_CALLED.finditer(text, start, end), *_ALONE.finditer(text, start, end)):
            name = found["name"]
            if GIVEN.issuperset(name[1:]) and name not in self._words:
                yield CuedName(*found.span("name"))
        for found in _COMPOUND.finditer(text, start, end):
            if GIVEN.issuperset(found["given"]):
                yield CuedName(*found.span("name"))
        for found in _SURNAMED.finditer(text, start, end):
            yield CuedName(*found.span("name"))

    def _is_word(self, name: str, *, signed: bool) -> bool:
        if name in self._words or name in _NO_NAMES:
            return True
        if signed or len(name) > 3:
            return False
        if len(name) == 2:
            return name[0] in _AMBIGUOUS and (name[1] not in GIVEN or name[1] in _VERBAL)
        if GIVEN.issuperset(name[1:]):
            return False
        return name[1:] in self._words or (name[:2] in self._words and name[0] in _AMBIGUOUS)
