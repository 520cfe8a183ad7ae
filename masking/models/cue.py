"""Chinese names that their surroundings give away: 联系人：马雷，  客户左建军，  法定代表人石诗。

A sequence model misses a rare name now and then, most of all where its characters also make a common word. A word
that announces a person, then a surname and one or two characters, then the end of the clause is evidence enough,
unless what stands there is itself a word of the dictionary (客户方面，  患者应住院，).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["CuedName", "CuedNames"]

_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭"
    "陆范汪廖石金韦贾夏付傅方邹熊白孟秦邱侯江尹薛闫阎段雷龙史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤康易乔赖文施洪辛柯"
    "庄温牛樊葛邢安齐倪俞章鲁聂庞梅童凌毕祝霍翟詹左兰涂柳甘蓝欧阮殷裴游闵舒骆焦关祁路盛华纪耿路宁费冉商柴褚应成项"
    "解房裘丘尤柏窦苗古屈岳鲍揭池仇宗臧卫郁冷农帅蒙禹虞桂宫查单景党卓宫边卞伍米贝姬申栗茅荣燕麦车巫季岑楚佟鹿廉佘蔺苟晏敖"
    "籍戚司符瞿艾储隋谷狄逄滕巩邸沙郎劳伊匡楼岳包强明宾区喻尚封郜原晋连简饶曲麻富闻井花时元占阳占皮苑鞠门丛候"
)
_COMPOUND = "欧阳|上官|司马|诸葛|司徒|东方|独孤|南宫|夏侯|皇甫|尉迟|公孙|慕容|令狐|宇文|长孙|端木|轩辕"
# Surnames that are also adverbs, prepositions and the like: 客户常去， 患者应住， 用户方可。 Such a one wants a full
# name or a colon.
_AMBIGUOUS = frozenset("应时常于向连强成方高安万单明查解区曾关路门包原全有从能和管简花")

# Roles after which a name follows with or without a sign, and those that want a colon or a verb before it.
_ROLES = (
    "姓名|名字|联系人|收件人|收货人|寄件人|发件人|取件人|申请人|投诉人|举报人|报案人|报修人|负责人|法定代表人|法人代表|候选人|应聘者|"
    "面试官|管理员|经办人|委托人|代理人|当事人|嫌疑人|担保人|借款人|持卡人|开户人|参保人|投保人|被保险人|受益人|监护人|承租人|出租人|"
    "车主|户主|业主|房东|租客|机主|客户|患者|病人|原告|被告|证人|死者|伤者|家属|员工|同事|学员|考生|我叫|名叫|请联系|转账给|汇款给|邮件给"
)
_NAMED_ROLES = (
    "甲方|乙方|丙方|买方|卖方|客户名称|户名|用户|法人|代表|经理|老师|医生|护士|同学|律师|作者|司机|收款方|付款方"
)
_SIGN = r"[ \t]?(?:[:：]|是|为|叫)[ \t\u3000]?"
_NAME = rf"(?P<name>(?:{_COMPOUND}|[{_SURNAMES}])[\u4e00-\u9fff]{{1,2}}?)"
_END = r"(?=$|[\s\d，。、；：！？,.;:!?（）()【】\[\]<>《》“”\"'’|/+*_-]|的(?!士|确|话)|先生|女士|小姐)"
_CUED = re.compile(rf"(?:(?:{_ROLES})(?P<sign>{_SIGN})?|(?:{_NAMED_ROLES})(?P<named>{_SIGN}))[“\"「]?{_NAME}{_END}")


class CuedName(NamedTuple):
    """Where a name is announced, in code points."""

    start: int
    end: int


class CuedNames:
    """Finds announced names; `words` is the dictionary of what is a word and therefore no name."""

    def __init__(self, words: frozenset[str]) -> None:
        self._words = words

    def find(self, text: str, start: int, end: int) -> Iterator[CuedName]:
        """The announced names between two offsets of a text; each pattern is bounded, so time is linear."""
        for found in _CUED.finditer(text, start, end):
            name = found["name"]
            signed = found["sign"] is not None or found["named"] is not None
            if self._is_word(name, signed=signed):
                continue
            yield CuedName(found.start("name"), found.end("name"))

    def _is_word(self, name: str, *, signed: bool) -> bool:
        if name in self._words:
            return True
        if signed or len(name) > 3:
            return False
        if len(name) == 2:
            return name[0] in _AMBIGUOUS
        return name[1:] in self._words or (name[:2] in self._words and name[0] in _AMBIGUOUS)
