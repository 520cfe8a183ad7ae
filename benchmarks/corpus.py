"""Chat messages for measurements: English, Chinese, code and logs, some with personal data, all invented.

    python benchmarks/corpus.py --count 5 --seed 7

The same seed gives the same messages; a seed that was not used before gives messages that nothing has seen. About six
in ten are English, three in ten Chinese, the rest code and logs; three in ten carry personal data. Half are shorter
than about 160 characters, the mean is about 240: a few are long.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

__all__ = ["Message", "messages"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `kind` is en, zh, code or log, `personal` says whether personal data was put in."""

    text: str
    kind: str
    personal: bool


_EN_SUBJECT = [
    "The team",
    "My manager",
    "Our client",
    "The new intern",
    "A colleague",
    "The committee",
    "Somebody",
    "The driver",
    "She",
    "He",
]
_EN_VERB = [
    "asked whether",
    "explained why",
    "forgot that",
    "is worried that",
    "reported that",
    "noticed how",
    "would like to know if",
    "insists that",
]
_EN_CLAUSE = [
    "the quarterly report can wait until Friday",
    "the heating in the second room does not work",
    "we need a longer summary of the meeting",
    "the translation sounds stiff and too formal",
    "three of the seven tests fail on Windows",
    "the recipe needs less sugar than the book says",
    "the contract was sent to the wrong office",
    "a train at half past nine would still be early enough",
    "the garden gets too much sun in July",
    "nobody has answered the survey yet",
    "the query takes longer than it should",
    "the chapter about rivers is the best one",
    "version 2.4 behaves differently from 2.3",
    "it costs 1,299.50 now",
]
_EN_ASK = [
    "Please rewrite this so that it sounds friendly.",
    "Can you give me three alternatives?",
    "What would you answer?",
    "Keep it short, please.",
    "Summarise it in two sentences.",
    "Which of these points matters most, and why?",
    "Translate it to French.",
]
_ZH_CLAUSE = [
    "会议改到下周三下午三点",
    "请把这份材料整理成一页纸",
    "这个方案的预算还没有批下来",
    "客户对上一版设计不太满意",
    "第三季度的销售额增长了百分之十二",
    "系统升级以后登录变得很慢",
    "孩子的作业里有一道几何题不会做",
    "周末想去近一点的地方走走",
    "这段话读起来有些生硬",
    "仓库里的货还差两箱没有到",
    "新来的同事需要一份入职说明",
    "合同的第五条需要再确认一下",
    "昨天的数据和今天的对不上",
]
_ZH_ASK = [
    "请帮我润色一下。",
    "能不能给三个不同的版本？",
    "写得简短一些。",
    "请总结成两句话。",
    "应该怎么回复比较好？",
    "翻译成英文。",
]
_ZH_FILL = ["另外，", "其实", "目前看来，", "据说", "不过", "因此", "今天早上", "这两天", "我觉得"]
_CODE = (
    "def {a}({b}, {c}=None):\n    for row in {b}:\n        if row[{n}] > {m}:\n            return row\n    return {c}",
    "SELECT {a}, count(*) FROM {b} WHERE {c} >= {n} GROUP BY {a} ORDER BY 2 DESC LIMIT {m};",
    "const {a} = await fetch(`/{b}/${{{c}.id}}?page={n}`);\nif (!{a}.ok) throw new Error('status ' + {a}.status);",
    "for ({a} = 0; {a} < {n}; {a}++) {{\n  {b}[{a}] += {c}[{a} % {m}];\n}}",
)
_NAMES = [
    "items",
    "rows",
    "user_count",
    "total",
    "state",
    "queue",
    "buffer",
    "result",
    "config",
    "handler",
    "index",
    "payload",
    "order_id",
    "worker",
]
_LOG = (
    "{day} {time}.{ms:03d} INFO  [worker-{n}] handled {m} events in {ms} ms",
    "{day} {time} WARN cache miss ratio 0.{ms:03d}, {m} of {k} entries evicted",
    '[{day}T{time}Z] level=error component={a} attempt={n} msg="connection reset" duration={ms}ms',
    "{time} DEBUG {a}: state {b} -> {c}, offset {k}, build 3.{n}.{m}",
)
_GIVEN = ["anna", "li.wei", "m.rossi", "jdoe", "kim", "zhang.min", "o.brien", "petra", "sven", "fatima"]
_HOSTS = [
    "example.com",
    "mail.example.org",
    "shop.example.net",
    "example.co.uk",
    "team.example.com",
    "intern.example.net",
]


def messages(count: int, seed: int) -> Iterator[Message]:
    """`count` messages, the same for the same seed."""
    random = Random(seed)
    kinds = random.choices(("en", "zh", "code", "log"), (60, 32, 4, 4), k=count)
    for kind in kinds:
        personal = random.random() < 0.3
        yield Message(_MAKERS[kind](random, personal), kind, personal)


def _english(random: Random, personal: bool) -> str:
    parts = [
        f"{random.choice(_EN_SUBJECT)} {random.choice(_EN_VERB)} {random.choice(_EN_CLAUSE)}."
        for _ in range(random.choice((1, 1, 2, 2, 3, 4, 5, 12)))
    ]
    if personal:
        for _ in range(random.choice((1, 1, 2, 3))):
            label, value = random.choice(_EN_VALUES)
            parts.insert(random.randrange(len(parts) + 1), f"{label} {value(random)}.")
    if random.random() < 0.6:
        parts.append(random.choice(_EN_ASK))
    return " ".join(parts)


def _chinese(random: Random, personal: bool) -> str:
    parts = []
    for _ in range(random.choice((2, 3, 4, 5, 7, 10, 30))):
        start = random.choice(_ZH_FILL) if random.random() < 0.5 else ""
        parts.append(f"{start}{random.choice(_ZH_CLAUSE)}{random.choice('，，。')}")
    if personal:
        for _ in range(random.choice((1, 1, 2, 3))):
            label, value = random.choice(_ZH_VALUES)
            parts.insert(random.randrange(len(parts) + 1), f"{label}{value(random)}{random.choice('，。')}")
    return "".join(parts) + random.choice(_ZH_ASK)


def _code(random: Random, personal: bool) -> str:
    text = "\n".join(_filled(random, random.choice(_CODE)) for _ in range(random.randrange(1, 4)))
    return f"{text}\n# ask {_mail(random)}" if personal else text


def _log(random: Random, personal: bool) -> str:
    lines = [_filled(random, random.choice(_LOG)) for _ in range(random.randrange(2, 7))]
    if personal:
        lines.append(f"{_filled(random, '{day} {time}')} INFO login of {_mail(random)} from {_address(random)}")
    return "\n".join(lines)


def _filled(random: Random, form: str) -> str:
    a, b, c = random.sample(_NAMES, 3)
    return form.format(
        a=a,
        b=b,
        c=c,
        n=random.randrange(2, 30),
        m=random.randrange(2, 500),
        k=random.randrange(1000, 90000),
        ms=random.randrange(1, 999),
        day=f"2026-{random.randrange(1, 13):02d}-{random.randrange(1, 29):02d}",
        time=f"{random.randrange(24):02d}:{random.randrange(60):02d}:{random.randrange(60):02d}",
    )


def _digits(random: Random, count: int) -> str:
    return "".join(random.choices("0123456789", k=count))


def _luhn(random: Random, start: str, length: int) -> str:
    body = start + _digits(random, length - len(start) - 1)
    total = 0
    for place, digit in enumerate(reversed(body)):
        doubled = int(digit) * (2 - place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return body + str(-total % 10)


def _card(random: Random) -> str:
    number = _luhn(random, random.choice(("411111", "555555", "601111")), 16)
    parting = random.choice(("", "", " ", "-"))
    return parting.join(number[i : i + 4] for i in range(0, 16, 4))


def _mail(random: Random) -> str:
    return f"{random.choice(_GIVEN)}{random.choice(('', '', _digits(random, 2)))}@{random.choice(_HOSTS)}"


def _address(random: Random) -> str:
    return f"{random.choice(('192.0.2', '198.51.100', '203.0.113'))}.{random.randrange(1, 255)}"


def _phone(random: Random) -> str:
    area, end = random.choice(("202", "212", "415", "617")), f"01{_digits(random, 2)}"
    return random.choice(
        (
            f"({area}) 555-{end}",
            f"{area}-555-{end}",
            f"+1 {area} 555 {end}",
            f"020 7946 0{_digits(random, 3)}",
            f"+44 7700 900{_digits(random, 3)}",
            f"07700 900{_digits(random, 3)}",
            f"+49 30 23125 {_digits(random, 3)}",
            f"+33 1 99 00 {_digits(random, 2)} {_digits(random, 2)}",
        )
    )


def _iban(random: Random) -> str:
    body = "0" * 8 + _digits(random, 10)  # no bank has this code
    check = 98 - int(body + "131400") % 97
    number = f"DE{check:02d}{body}"
    return " ".join(number[i : i + 4] for i in range(0, 22, 4)) if random.random() < 0.5 else number


def _ssn(random: Random) -> str:
    return f"{random.randrange(900, 1000)}-{random.randrange(10, 99)}-{random.randrange(1000, 9999)}"


def _order(random: Random) -> str:
    return random.choice((f"A{_digits(random, 8)}", _digits(random, 10), f"2026{_digits(random, 8)}"))


def _date(random: Random) -> str:
    return f"{random.randrange(1, 13)}/{random.randrange(1, 29)}/{random.randrange(1950, 2010)}"


def _mobile(random: Random) -> str:
    return f"1{random.choice('3578')}{_digits(random, 9)}"


def _resident(random: Random) -> str:
    born = f"{random.randrange(1950, 2010)}{random.randrange(1, 13):02d}{random.randrange(1, 29):02d}"
    body = f"99{_digits(random, 4)}{born}{_digits(random, 3)}"
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(body))
    return body + "10X98765432"[total % 11]


_EN_VALUES: tuple[tuple[str, Callable[[Random], str]], ...] = (
    ("Write to", _mail),
    ("Call me at", _phone),
    ("My number is", _phone),
    ("I paid with card", _card),
    ("The server is at", _address),
    ("Transfer it to", _iban),
    ("My SSN is", _ssn),
    ("The order is", _order),
    ("I was born on", _date),
    ("See", lambda random: f"https://www.{random.choice(_HOSTS)}/{_digits(random, 4)}"),
)
_ZH_VALUES: tuple[tuple[str, Callable[[Random], str]], ...] = (
    ("我的手机号是", _mobile),
    ("电话 ", _mobile),
    ("身份证号", _resident),
    ("邮箱是 ", _mail),
    ("请发到", _mail),
    ("卡号 ", _card),
    ("订单号", _order),
    ("服务器 ", _address),
)
_MAKERS = {"en": _english, "zh": _chinese, "code": _code, "log": _log}


def main() -> None:
    parser = argparse.ArgumentParser(description="Print invented messages as JSON lines.")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for one in messages(given.count, given.seed):
        print(json.dumps({"text": one.text, "kind": one.kind, "personal": one.personal}, ensure_ascii=False))


if __name__ == "__main__":
    main()
