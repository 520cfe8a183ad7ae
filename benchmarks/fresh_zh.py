"""Values for fresh Chinese texts: names, numbers, addresses in many layouts."""

from __future__ import annotations

import string
from typing import ClassVar

from fresh_maker import Maker, Part

__all__ = ["Chinese"]


class Chinese(Maker):
    WORDS = "zh_words.json"
    LABELS: ClassVar = {
        **dict.fromkeys(("per", "word", "minor", "sur"), "PERSON"),
        **dict.fromkeys(("mobile", "mobile_sp", "tel", "telx"), "PHONE"),
        **dict.fromkeys(("id", "idsp", "badid", "passport", "hkmo", "twp", "social"), "ID"),
        **dict.fromkeys(("card", "card_sp", "badcard"), "BANK"),
        **dict.fromkeys(("plate", "nev"), "PLATE"),
        **dict.fromkeys(("qq", "wx"), "SOCIAL"),
        **dict.fromkeys(("org", "school", "hospital"), "ORGANIZATION"),
        "city": "LOCATION",
        "addr": "ADDRESS",
        "email": "EMAIL",
        "ip": "IP",
        "uscc": "USCC",
        "dob": "DATE",
    }

    def of_per(self) -> str:
        kind = self.draw.random()
        if kind < 0.04:
            return self.one("minority")
        if kind < 0.07:
            return self.one("word_name")
        if kind < 0.13:
            return self.one("compound") + self.one("given")
        given = self.one("given")
        if len(given) == 1 and self.draw.random() < 0.3:
            given += self.draw.choice([one for one in self.words["given"] if len(one) == 1])
        return self.one("surname") + given

    def of_word(self) -> str:
        return self.one("word_name")

    def of_minor(self) -> str:
        return self.one("minority")

    def of_sur(self) -> str:
        return self.one("surname")

    def of_titled(self) -> list[Part]:
        surname = self.one("compound") if self.draw.random() < 0.12 else self.one("surname")
        return [(surname, "PERSON"), (self.one("title"), None)]

    def of_nick(self) -> list[Part]:
        return [(self.one("nick") + self.one("surname"), "PERSON")]

    def of_mobile(self) -> str:
        return self.one("mobile_head") + self.some(8)

    def of_mobile_sp(self) -> str:
        head, middle, tail = self.one("mobile_head"), self.some(4), self.some(4)
        return self.draw.choice(("{} {} {}", "{}-{}-{}", "+86 {}{}{}", "+86-{}-{}-{}", "(+86){}{}{}")).format(
            head, middle, tail
        )

    def of_tel(self) -> str:
        area = self.one("tel_area")
        number = self.draw.choice("2345678") + self.some(7 if len(area) == 3 else 6)
        return self.draw.choice((f"{area}-{number}", f"{area}{number}", f"({area}){number}", f"{area} {number}"))

    def of_telx(self) -> str:
        area = self.one("tel_area")
        number = self.draw.choice("2345678") + self.some(7 if len(area) == 3 else 6)
        return f"{area}-{number}" + self.draw.choice(("-", "转", " 转 ", "转分机")) + self.some(self.draw.randint(3, 4))

    def of_id(self) -> str:
        body = f"{self.one('area')}{self._born('{:04}{:02}{:02}')}{self.some(3)}"
        weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
        return body + "10X98765432"[sum(int(a) * b for a, b in zip(body, weights, strict=True)) % 11]

    def of_badid(self) -> str:
        right = self.of_id()
        return right[:-1] + self.draw.choice([digit for digit in string.digits if digit != right[-1]])

    def of_idsp(self) -> str:
        right = self.of_id()
        return f"{right[:6]} {right[6:14]} {right[14:]}"

    def _born(self, form: str) -> str:
        return form.format(self.draw.randint(1948, 2015), self.draw.randint(1, 12), self.draw.randint(1, 28))

    def of_dob(self) -> str:
        return self._born(self.draw.choice(("{}年{}月{}日", "{:04}-{:02}-{:02}", "{}.{}.{}", "{}/{}/{}")))

    def of_card(self) -> str:
        return self.luhn(self.one("bin"), self.draw.choice((16, 19, 19, 17, 18)))

    def of_badcard(self) -> str:
        right = self.luhn(self.one("bin"), self.draw.choice((16, 19)))
        return right[:-1] + str((int(right[-1]) + self.draw.randint(1, 9)) % 10)

    def of_card_sp(self) -> str:
        right = self.luhn(self.one("bin"), self.draw.choice((16, 19)))
        return " ".join(right[at : at + 4] for at in range(0, len(right), 4))

    def of_plate(self) -> str:
        tail = self.some(4) + self.draw.choice(string.digits + "ABCDEFGHJKLMNPQRSTUVWXYZ")
        return f"{self.one('plate_head')}{self.draw.choice('ABCDEFGH')}{self.draw.choice(('', '·', ''))}{tail}"

    def of_nev(self) -> str:
        return f"{self.one('plate_head')}{self.draw.choice('ABCDEFG')}{self.draw.choice('DF')}{self.some(5)}"

    def of_passport(self) -> str:
        return (
            self.draw.choice(("E", "EA", "EJ", "G"))[:2].ljust(1) + self.some(8)
            if self.draw.random() < 0.6
            else ("E" + self.draw.choice("ABCDEFGHJK") + self.some(7))
        )

    def of_hkmo(self) -> str:
        return (
            self.draw.choice("CW") + self.some(8)
            if self.draw.random() < 0.6
            else "C" + self.draw.choice("ABCDEFGH") + self.some(7)
        )

    def of_twp(self) -> str:
        return self.some(8)

    def of_social(self) -> str:
        return self.some(self.draw.choice((10, 12)))

    def of_qq(self) -> str:
        return self.draw.choice("123456789") + self.some(self.draw.randint(6, 9))

    def of_wx(self) -> str:
        return (
            self.draw.choice(("wxid_", "", ""))
            + self.some(4, string.ascii_lowercase)
            + self.draw.choice(("_", "", "-"))
            + self.some(self.draw.randint(3, 5))
        )

    def of_uscc(self) -> str:
        letters = "0123456789ABCDEFGHJKLMNPQRTUWXY"
        body = self.draw.choice(("91", "92", "12")) + self.one("area") + self.some(9, letters)
        total = sum(letters.index(letter) * pow(3, at, 31) for at, letter in enumerate(body))
        return body + letters[-total % 31]

    def of_org(self) -> str:
        place = self.one("city") + self.draw.choice(("", "市")) if self.draw.random() < 0.5 else ""
        return place + self.one("org_stem") + self.one("org_kind")

    def of_school(self) -> str:
        return (
            self.one("city")
            + self.draw.choice(("市", ""))
            + self.draw.choice(("第一中学", "实验小学", "职业技术学院", "理工大学", "中心幼儿园", "外国语学校"))
        )

    def of_branch(self) -> list[Part]:
        return [(self.one("bank") + self.one("branch"), "ORGANIZATION")]

    def of_hospital(self) -> str:
        return self.one("city") + self.draw.choice(("市第一人民医院", "市中医院", "妇幼保健院", "大学附属医院"))

    def of_addr(self) -> str:
        place = self.draw.choice((self.one("province_city"), self.one("city") + "市", self.one("city"), ""))
        number = f"{self.draw.randint(1, 999)}号"
        block = f"{self.draw.randint(1, 40)}{self.draw.choice(('栋', '号楼', '幢', '座', '#'))}"
        unit = self.draw.choice(("", f"{self.draw.randint(1, 6)}单元"))
        room = f"{self.draw.randint(1, 32)}0{self.draw.randint(1, 8)}{self.draw.choice(('室', '', '户', '房'))}"
        estate = self.one("estate") + block + unit + room
        road = self.one("district") + self.one("road") + number
        kind = self.draw.random()
        if kind < 0.35:
            return place + road + estate
        if kind < 0.5:
            return place + road
        if kind < 0.62:
            return place + road + self.one("tower") + f"{self.draw.choice('ABC')}座{self.draw.randint(2, 30)}层"
        if kind < 0.74:
            return place + self.one("district") + estate
        if kind < 0.84:
            return (place or self.one("city") + "市") + self.one("village") + f"{self.draw.randint(1, 9)}组{number}"
        if kind < 0.92:
            return estate
        return f"{self.one('city')}市 {self.one('district')} {self.one('road')}{number} {estate}"
