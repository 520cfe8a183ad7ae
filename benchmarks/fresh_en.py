"""Values for fresh English texts, and for those of six other European languages."""

from __future__ import annotations

from typing import ClassVar

from fresh_maker import Maker, Part

__all__ = ["English"]


class English(Maker):
    WORDS = "en_words.json"
    LABELS: ClassVar = {
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
