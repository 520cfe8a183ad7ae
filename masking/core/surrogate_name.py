"""Fakes of what people and places are called: invented, of either sex, of at least four characters.

No range of names belongs to nobody. What can be done is done: Chinese names have one of the compound surnames, which
few bear; other surnames and places are put together from parts as no gazetteer has them. A fake may still be somebody's
name somewhere; it is never one that the session has seen.
"""

from __future__ import annotations

import re
from typing import Final

from masking.core.surrogate_draw import Draw, words

__all__ = ["address", "email", "organisation", "person", "place", "url"]

_HAN: Final = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_SURNAMES: Final = words("欧阳 上官 司马 诸葛 司徒 东方 独孤 南宫 夏侯 皇甫 尉迟 公孙 慕容 令狐 宇文 长孙 端木 轩辕")
_GIVEN_HAN: Final = "安宁晨林文然清和言知乐远思景云川子希星辰书南北禾白舟青元初予嘉若昕宜"
_GIVEN: Final = words(
    "Alex Ariel Avery Casey Charlie Devon Emery Finley Jamie Jordan Kendall Kerry Leslie Logan Marley Morgan Parker "
    "Quinn Reese Riley Robin Rowan Skyler Taylor"
)
_FIRST: Final = words(
    "Brindle Calder Dunmar Elmsen Fennel Glenor Hartle Isken Kestrel Larkle Marrow Norrel Ostren Pellan Quill Ravel "
    "Sorrel Tarnel Umber Wexen Yarrow Zennor"
)
_LAST: Final = words("bourne combe dale field ford grove hurst ley mere moor ridge shaw stead thwaite wick wood")
_PLACES: Final = words(
    "青禾 云川 星澜 白露 景和 安澜 松月 竹影 晴岚 枫林 雁栖 听雨 望舒 知行 明溪 远山 和风 霁月 栖霞 初阳"
)
_TRADES: Final = ("Holdings", "Partners", "Trading", "Works", "Services", "Logistics")
_TRADES_HAN: Final = ("贸易", "科技", "物流", "咨询", "实业", "文化")
_STREETS: Final = ("Street", "Lane", "Road", "Avenue")
# RFC 2606 section 3: nobody can register these.
_DOMAINS: Final = ("example.com", "example.net", "example.org")
_POSTCODE: Final = re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b")
_ZIP: Final = re.compile(r"\b\d{5}(?:-\d{4})?\b")


def person(value: str, draw: Draw) -> str:
    """A person's name: Chinese for a Chinese one, otherwise Latin with as many words, one to three."""
    if _HAN.search(value):
        return draw.one(_SURNAMES) + draw.one(_GIVEN_HAN) + draw.one(_GIVEN_HAN)
    count = min(max(len(value.split()), 1), 3)
    return _cased(" ".join((*(draw.one(_GIVEN) for _ in range(count - 1)), _invented(draw))), value)


def place(value: str, draw: Draw) -> str:
    """A town that is on no map."""
    if _HAN.search(value):
        return f"{draw.one('新东西南北')}{draw.one(_PLACES)}{draw.one('市县镇')}"
    return _cased(_invented(draw), value)


def organisation(value: str, draw: Draw) -> str:
    """A firm."""
    if _HAN.search(value):
        return f"{draw.one(_PLACES)}{draw.one(_GIVEN_HAN)}{draw.one(_GIVEN_HAN)}{draw.one(_TRADES_HAN)}有限公司"
    return _cased(f"{_invented(draw)} {draw.one(_TRADES)}", value)


def address(value: str, draw: Draw) -> str:
    """A postal address with the elements that the value has, from the large to the small for Chinese."""
    if _HAN.search(value):
        return _address_han(value, draw)
    number = f"{draw.below(899) + 100} " if re.search(r"\d", value) else ""
    street = f"{number}{_invented(draw)} {draw.one(_STREETS)}"
    town = f", {_invented(draw)}" if "," in value or "\n" in value else ""
    return _cased(street + town, value) + _code(value, draw)


def email(value: str, draw: Draw) -> str:
    """A mail address at a domain that is reserved for examples (RFC 2606)."""
    return f"{draw.one(_GIVEN)}.{_invented(draw)}{draw.below(90) + 10}@{draw.one(_DOMAINS)}".lower()


def url(value: str, draw: Draw) -> str:
    """An address in the web at a domain that is reserved for examples (RFC 2606); nothing of the path stays."""
    scheme = match[0] if (match := re.match(r"[A-Za-z][A-Za-z0-9+.-]{1,9}://", value)) else ""
    return f"{scheme}{draw.one(_DOMAINS)}/{_invented(draw).lower()}{draw.below(900) + 100}"


def _invented(draw: Draw) -> str:
    return draw.one(_FIRST) + draw.one(_LAST)


def _cased(fake: str, value: str) -> str:
    return fake.upper() if value.isupper() else fake.lower() if value.islower() else fake


def _address_han(value: str, draw: Draw) -> str:
    number = draw.below(899) + 100
    parts = (
        ("省", f"新{draw.one(_PLACES)}省"),
        ("市", f"{draw.one('新东西南北')}{draw.one(_PLACES)}市"),
        ("[区县旗]", f"{draw.one(_PLACES)}{draw.one('东西南北')}区"),
        ("[镇乡]", f"{draw.one(_PLACES)}镇"),
        ("[路街道巷弄]", f"{draw.one(_PLACES)}{draw.one(_GIVEN_HAN)}路"),
        ("[号號]", f"{number}号"),
        ("[栋幢座楼]", f"{draw.below(30) + 1}栋"),
        ("单元", f"{draw.below(6) + 1}单元"),
        ("室", f"{draw.below(20) + 1}{draw.below(9) + 1:02}室"),
    )
    chosen = "".join(part for sign, part in parts if re.search(sign, value))
    return chosen if len(chosen) >= 4 else f"{parts[1][1]}{parts[4][1]}{chosen}"


def _code(value: str, draw: Draw) -> str:
    """A postcode where there was one: ZZ99 is nowhere (ONS), and the lowest ZIP code in use is 00501."""
    if _POSTCODE.search(value):
        return f" ZZ99 {draw.below(10)}{draw.one('ABDEFGHJLNPQRSTUWXYZ')}{draw.one('ABDEFGHJLNPQRSTUWXYZ')}"
    found = list(_ZIP.finditer(value))
    return f" 00{draw.below(500):03}" if found and found[-1].start() else ""
