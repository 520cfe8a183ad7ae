"""Labelled texts that are written anew for every seed: two wordings, A to tune rules on and B to report on.

    python benchmarks/fresh.py zh b 7 > zh_b.jsonl

Kinds: `zh` and `en`, prompts, forms, code and logs about invented people; `synth`, short English sentences with titles,
ages, nationalities and places; `secrets`. The first, second and fourth hold harmless look-alikes too. Templates and
words lie in `fresh_words/`, one template a line, `{slot}` for a value; nothing of them is taken from `data/`.
"""

from __future__ import annotations

import json
import re
import string
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

FOLDER = Path(__file__).resolve().parent / "fresh_words"
KINDS = ("zh", "en", "synth", "secrets")
ROUNDS = {"zh": 6, "en": 6, "synth": 8, "secrets": 8}
_SLOT = re.compile(r"\{([a-z][a-z0-9_]*)\}")

Part = tuple[str, str | None]


def documents(kind: str, wording: str, seed: int) -> list[dict[str, Any]]:
    """The labelled documents of a kind (`KINDS`) in a wording, `a` or `b`."""
    draw = Random(f"{kind} {wording} {seed}")
    maker = {"zh": _Chinese, "secrets": _Secrets}.get(kind, _English)(draw)
    language = "zh" if kind == "zh" else "en"
    made = [
        _filled(template, maker, language) for _ in range(ROUNDS[kind]) for template in _lines(f"{kind}_{wording}.txt")
    ]
    harmless = {"zh": f"harmless_zh_{wording}", "en": f"harmless_en_{wording}", "secrets": "harmless_secrets"}
    if kind in harmless:
        made += [{"text": text, "spans": [], "lang": language} for text in _lines(f"{harmless[kind]}.txt")]
    return made


def _lines(name: str) -> list[str]:
    return [line.replace("\\n", "\n") for line in (FOLDER / name).read_text("utf-8").splitlines() if line]


def _filled(template: str, maker: _Maker, language: str) -> dict[str, Any]:
    text, spans = "", []
    for at, piece in enumerate(_SLOT.split(template)):
        parts = [(piece, None)] if at % 2 == 0 else maker.parts(piece)
        for value, label in parts:
            if label is not None:
                spans.append({"start": len(text), "end": len(text) + len(value), "label": label})
            text += value
    return {"text": text, "spans": spans, "lang": language}


class _Maker:
    """Draws values; a method per slot gives the text, `LABELS` its label, or the method gives labelled parts."""

    WORDS: str
    LABELS: dict[str, str]

    def __init__(self, draw: Random) -> None:
        self.draw = draw
        raw: dict[str, str] = json.loads((FOLDER / self.WORDS).read_text("utf-8"))
        self.words = {key: value.split("|") if "|" in value else value.split() for key, value in raw.items()}

    def one(self, key: str) -> str:
        """A word of a list."""
        return self.draw.choice(self.words[key])

    def some(self, count: int, letters: str = string.digits) -> str:
        """So many letters."""
        return "".join(self.draw.choice(letters) for _ in range(count))

    def parts(self, slot: str) -> list[Part]:
        """The labelled parts that fill a slot; an unknown one stays as it is written."""
        method: Callable[[], Any] | None = getattr(self, f"of_{slot}", None)
        if method is None:
            return [(self.one(slot), self.LABELS.get(slot))] if slot in self.words else [(f"{{{slot}}}", None)]
        made = method()
        return made if isinstance(made, list) else [(made, self.LABELS.get(slot))]

    def luhn(self, head: str, size: int) -> str:
        """A number with Luhn's check digit."""
        body = head + self.some(size - len(head) - 1)
        total = sum(
            (2 * int(digit) - 9 * (int(digit) > 4)) if at % 2 == 0 else int(digit)
            for at, digit in enumerate(reversed(body))
        )
        return body + str(-total % 10)

    def of_ip(self) -> str:
        return ".".join(str(self.draw.randint(11, 120)) for _ in range(4))

    def of_email(self) -> str:
        local = self.draw.choice(("{}.{}", "{}_{}", "{}{}")).format(
            self.some(self.draw.randint(3, 7), string.ascii_lowercase), self.some(self.draw.randint(2, 4))
        )
        return f"{local}@{self.one('mail_host')}"


class _Chinese(_Maker):
    WORDS = "zh_words.json"
    LABELS = {
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


class _English(_Maker):
    WORDS = "en_words.json"
    LABELS = {
        **dict.fromkeys(("per", "eu_per", "first", "first_low", "last"), "PERSON"),
        **dict.fromkeys(
            ("us_phone", "us_phone_short", "uk_phone", "de_phone", "fr_phone", "es_phone", "it_phone"), "PHONE"
        ),
        **dict.fromkeys(("nl_phone", "pt_phone", "intl_phone"), "PHONE"),
        **dict.fromkeys(("ssn", "us_passport", "uk_passport", "dl", "nino", "nhs", "itin", "student"), "ID"),
        **dict.fromkeys(("card", "iban", "routing", "account"), "BANK"),
        **dict.fromkeys(("org", "real_org"), "ORGANIZATION"),
        **dict.fromkeys(("us_address", "us_street", "street_l", "zip"), "ADDRESS"),
        **{f"{land}_address": "ADDRESS" for land in ("uk", "de", "fr", "es", "it", "nl", "pt")},
        **dict.fromkeys(("world_city", "us_city", "us_city_state", "state", "st", "country_l"), "LOCATION"),
        **dict.fromkeys(("ip", "ip6"), "IP"),
        **dict.fromkeys(("dob", "date", "year"), "DATE"),
        "email": "EMAIL",
        "site": "URL",
        "nrp": "NRP",
        "job": "TITLE",
        "age": "AGE",
    }

    def of_per(self) -> str:
        first, last = self.one("first"), self.one("last_list")
        form = self.draw.random()
        if form < 0.15:
            return f"{first} {self.draw.choice('ABCDEFGHJKLMNPRSTW')}. {last}"
        if form < 0.2:
            return f"{first} {self.one('first')} {last}"
        return self.one("eu_name") if form < 0.25 else f"{first} {last}"

    def of_eu_per(self) -> str:
        return self.one("eu_name")

    def of_first_low(self) -> str:
        return self.one("first").lower()

    def of_last(self) -> str:
        return self.one("last_list")

    def of_titled(self) -> list[Part]:
        return [(f"{self.one('honorific')} ", None), (self.draw.choice((self.of_last, self.of_per))(), "PERSON")]

    def of_title_per(self) -> list[Part]:
        name = self.draw.choice((self.of_last, self.of_per))()
        return [(self.one("honorific"), "TITLE"), (" ", None), (name, "PERSON")]

    def of_us_street(self) -> str:
        tail = self.draw.choice(("", "", f" Apt {self.draw.randint(1, 40)}", f", Suite {self.draw.randint(100, 900)}"))
        return f"{self.draw.randint(2, 9899)} {self.one('street')} {self.one('street_kind')}{tail}"

    def of_street_l(self) -> str:
        return self.one("street")

    def of_us_address(self) -> str:
        break_ = self.draw.choice((", ", ", ", ", ", "\n"))
        return f"{self.of_us_street()}{break_}{self.one('us_city')}, {self.one('us_state')} {self.of_zip()}"

    def of_us_city_state(self) -> str:
        return f"{self.one('us_city')}, {self.draw.choice((self.one('us_state'), self.one('state_name')))}"

    def of_state(self) -> str:
        return self.one("state_name")

    def of_st(self) -> str:
        return self.one("us_state")

    def of_country_l(self) -> str:
        return self.one("country")

    def of_zip(self) -> str:
        return self.some(5) + self.draw.choice(("", "", "-" + self.some(4)))

    def of_us_phone(self) -> str:
        area, middle, tail = self.draw.choice("23456789") + self.some(2, "2345678"), "555", f"01{self.some(2)}"
        if self.draw.random() < 0.6:
            area = self.draw.choice(("212", "415", "617", "503", "713", "208", "319", "423"))
            middle, tail = self.draw.choice("23456789") + self.some(2, "2345678"), self.some(4)
        form = self.draw.choice(("({}) {}-{}", "{}-{}-{}", "{}.{}.{}", "+1 {} {} {}", "+1-{}-{}-{}", "{}{}{}"))
        return form.format(area, middle, tail)

    def of_us_phone_short(self) -> str:
        return f"{self.draw.choice('23456789')}{self.some(2)}-{self.some(4)}"

    def of_uk_phone(self) -> str:
        return self.draw.choice(
            ("020 7946 0{}", "+44 20 7946 0{}", "07700 900{}", "0161 496 0{}", "+44 7700 900{}")
        ).format(self.some(3))

    def of_de_phone(self) -> str:
        return self.draw.choice(("030 23125 {}", "+49 30 23125{}", "0171 39200{}", "+49 (0)89 99998{}")).format(
            self.some(3)
        )

    def of_fr_phone(self) -> str:
        return self.draw.choice(
            ("01 99 00 {0} {1}", "06 39 98 {0} {1}", "+33 6 39 98 {0} {1}", "0199 00{0}{1}")
        ).format(self.some(2), self.some(2))

    def of_es_phone(self) -> str:
        return self.draw.choice(("6{} {} {}", "+34 6{} {} {}", "91{:.1} {} {}")).format(
            self.some(2), self.some(3), self.some(3)
        )

    def of_it_phone(self) -> str:
        return self.draw.choice(("33{:.1} {}{}", "+39 34{:.1} {} {}", "06 {:.1}{} {}")).format(
            self.some(1, "34567"), self.some(3), self.some(4)
        )

    def of_nl_phone(self) -> str:
        return self.draw.choice(("06-{}{}", "020 {} {}", "+31 6 {}{}")).format(self.some(3, "2345"), self.some(5))[:14]

    def of_pt_phone(self) -> str:
        return self.draw.choice(("91{} {} {}", "+351 93{} {} {}", "21{} {} {}")).format(
            self.some(1), self.some(3), self.some(3)
        )

    def of_intl_phone(self) -> str:
        return self.draw.choice((self.of_uk_phone, self.of_de_phone, self.of_us_phone))()

    def of_iban(self) -> str:
        land, size = self.draw.choice((("DE", 18), ("GB", -18), ("FR", 23), ("ES", 20), ("NL", -14), ("IT", -23)))
        bank = self.draw.choice(("NWBK", "ABNA", "INGB")) if size < 0 else ""
        body = bank + self.some(abs(size) - len(bank))
        if land == "IT":
            body = "X" + self.some(22)
        spelled = "".join(str(int(letter, 36)) for letter in body + land + "00")
        whole = f"{land}{98 - int(spelled) % 97:02}{body}"
        if self.draw.random() < 0.5:
            return whole
        return " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))

    def of_ssn(self) -> str:
        area = f"{self.draw.choice([number for number in range(1, 899) if number != 666]):03}"
        return f"{area}-{self.draw.randint(1, 99):02}-{self.draw.randint(1, 9999):04}"

    def of_itin(self) -> str:
        return f"9{self.some(2)}-{self.draw.choice((70, 75, 81, 88, 92, 95))}-{self.some(4)}"

    def of_us_passport(self) -> str:
        return self.draw.choice(("", "A", "X")).ljust(1, self.draw.choice("456")) + self.some(8)

    def of_uk_passport(self) -> str:
        return self.draw.choice("125") + self.some(8)

    def of_dl(self) -> str:
        return self.draw.choice("ABDKMSW") + self.some(self.draw.choice((7, 8, 12)))

    def of_nino(self) -> str:
        form = self.draw.choice(("{}{}{}{}{}", "{} {} {} {} {}"))
        head = self.draw.choice(("JG", "AB", "SC", "WK", "LM"))
        return form.format(head, self.some(2), self.some(2), self.some(2), self.draw.choice("ABCD"))

    def of_nhs(self) -> str:
        while True:
            body = self.draw.choice("4567") + self.some(8)
            check = -sum(int(digit) * weight for digit, weight in zip(body, range(10, 1, -1), strict=True)) % 11
            if check < 10:
                return f"{body[:3]} {body[3:6]} {body[6:]}{check}"

    def of_student(self) -> str:
        return self.draw.choice(("S", "U", "")) + self.some(8)

    def of_card(self) -> str:
        right = self.luhn(*self.draw.choice((("4", 16), ("53", 16), ("37", 15), ("6011", 16))))
        return (
            right
            if self.draw.random() < 0.5 or len(right) == 15
            else " ".join(right[at : at + 4] for at in range(0, 16, 4))
        )

    def of_routing(self) -> str:
        while True:
            body = self.draw.choice(("02", "11", "12", "26")) + self.some(6)
            total = sum(int(digit) * weight for digit, weight in zip(body, (3, 7, 1) * 3, strict=False))
            return body + str(-total % 10)

    def of_account(self) -> str:
        return self.some(self.draw.randint(9, 12))

    def of_ip6(self) -> str:
        return "2001:db8:" + ":".join(self.some(4, "0123456789abcdef") for _ in range(4)) + "::1"

    def of_org(self) -> str:
        return f"{self.one('org_stem')} {self.one('org_kind')}"

    def of_dob(self) -> str:
        year, month, day = self.draw.randint(1940, 2012), self.draw.randint(1, 12), self.draw.randint(1, 28)
        name = self.words["month"][month - 1]
        return self.draw.choice(
            (
                f"{month:02}/{day:02}/{year}",
                f"{year}-{month:02}-{day:02}",
                f"{day} {name} {year}",
                f"{name} {day}, {year}",
            )
        )

    def of_date_free(self) -> list[Part]:
        form = self.draw.choice((f"{self.one('month')} {self.draw.randint(1, 28)}, {self.draw.randint(1990, 2025)}",))
        return [(form, "DATE")]

    def of_year(self) -> str:
        return str(self.draw.randint(1950, 2025))

    def of_age(self) -> str:
        return str(self.draw.randint(18, 95))


class _Secrets(_Maker):
    WORDS = "secret_kinds.json"
    LABELS = dict.fromkeys(
        "key password password_plain password_url aws_secret ali_secret pem hex32 hex40 alnum32".split(), "SECRET"
    )
    ALPHABETS = {
        "w": string.ascii_letters + string.digits + "-_",
        "a": string.ascii_letters + string.digits,
        "l": string.ascii_letters,
        "h": "0123456789abcdef",
        "d": string.digits,
        "u": string.ascii_uppercase + string.digits,
        "b": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        "s": string.ascii_letters + string.digits + "+/",
        "g": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
    }

    def of_key(self) -> str:
        form = self.one(self.draw.choice(sorted(self.words)))
        drawn = re.sub(r"\{([a-z])(\d+)\}", lambda found: self.some(int(found[2]), self.ALPHABETS[found[1]]), form)
        return drawn[:-1] + "k" if drawn[-1] in "-_" else drawn

    def of_password(self) -> str:
        word = self.draw.choice(("Tulip", "harbor", "Zx", "MountK2", "qwer", "Lan", "sunny"))
        return (
            word
            + self.draw.choice("!@#$%&*_-.")
            + self.some(self.draw.randint(3, 6))
            + self.draw.choice(("", "Qz", "Aa", "kk"))
        )

    def of_password_plain(self) -> str:
        return self.some(10, string.ascii_letters + string.digits)

    def of_password_url(self) -> str:
        return self.some(14, string.ascii_letters + string.digits)

    def of_db_url(self) -> list[Part]:
        scheme = self.draw.choice(("postgresql", "mysql", "mongodb+srv", "redis", "amqp"))
        return [
            (f"{scheme}://app:", None),
            (self.of_password_url(), "SECRET"),
            ("@db.example.internal:5432/shop", None),
        ]

    def of_aws_secret(self) -> str:
        return self.some(39, self.ALPHABETS["s"]) + "k"

    def of_ali_secret(self) -> str:
        return self.some(30, self.ALPHABETS["a"])

    def of_pem(self) -> str:
        lines = "\n".join(self.some(64, self.ALPHABETS["s"]) for _ in range(4))
        return f"-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----"

    def of_hex32(self) -> str:
        return self.some(32, self.ALPHABETS["h"])

    def of_hex40(self) -> str:
        return self.some(40, self.ALPHABETS["h"])

    def of_alnum32(self) -> str:
        return self.some(32, self.ALPHABETS["a"])


def _printed(kind: str, wording: str, seed: int) -> Iterator[str]:
    return (json.dumps(document, ensure_ascii=False) for document in documents(kind, wording, seed))


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in KINDS:
        sys.exit(__doc__)
    print("\n".join(_printed(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
