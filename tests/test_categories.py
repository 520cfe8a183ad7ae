"""The shipped categories: what they promise, what they find, what they leave alone, how they build on each other."""

from __future__ import annotations

import random
import re
import runpy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from masking import Masker
from masking.core.rule import ModelSource, PatternSource, PresidioSource, Rule
from masking.files import category_names, read_category

ROOT = Path(__file__).parents[1]

PROMISED = {
    "UserInfo": {"PERSON", "PHONE_NUMBER", "ID_CARD", "EMAIL_ADDRESS", "BANK_CARD", "ADDRESS", "PASSPORT", "US_SSN"},
    "Financial": {
        "BANK_CARD", "IBAN", "BANK_ACCOUNT", "SWIFT_BIC", "CRYPTO_WALLET", "CARD_CODE", "CARD_EXPIRY", "CARD_TAIL",
        "ROUTING_NUMBER", "SORT_CODE", "CNAPS_CODE", "BANK_BRANCH", "ALIPAY_ID", "FINANCIAL_ACCOUNT",
    },
    "Credentials": {"API_KEY", "PRIVATE_KEY", "JWT", "CREDENTIAL", "PASSWORD", "SECRET", "ONE_TIME_CODE"},
    "Health": {
        "MEDICAL_RECORD", "HEALTH_INSURANCE_ID", "US_MBI", "US_NPI", "US_DEA", "UK_NHS", "BLOOD_TYPE", "TEST_RESULT",
        "MEDICAL_CONDITION", "MEDICATION",
    },
    "Location": {"ADDRESS", "LOCATION", "COORDINATES", "POSTCODE"},
    "Network": {
        "IP_ADDRESS", "MAC_ADDRESS", "IMEI", "IMSI", "ICCID", "ADVERTISING_ID", "DEVICE_ID", "COOKIE", "SESSION_ID",
    },
    "Enterprise": {
        "USCC", "TAX_ID", "BUSINESS_ID", "US_EIN", "EU_VAT", "LEI", "EMPLOYEE_ID", "CONTRACT_ID", "INVOICE_ID",
        "ORGANIZATION",
    },
    "Profile": {"AGE", "NATIONALITY", "OCCUPATION", "URL"},
    "Minimal": {"ID_CARD", "BANK_CARD", "PHONE_NUMBER", "EMAIL_ADDRESS", "PRIVATE_KEY", "US_SSN"},
    "Everything": set(),
}  # fmt: skip


@cache
def masker(category: str) -> Masker:
    """A shipped category without its models, which have their own tests."""
    return Masker(category, names="off")


def found(category: str, text: str) -> list[tuple[str, str]]:
    return [(finding.entity, text[finding.start : finding.end]) for finding in masker(category).scan(text)]


# What they are


def test_the_shipped_categories_are_those_that_are_promised() -> None:
    assert set(category_names()) == set(PROMISED)


@pytest.mark.parametrize("name", PROMISED)
def test_a_category_names_itself_says_its_purpose_in_two_languages_and_finds_what_it_promises(name: str) -> None:
    category = read_category(name)

    assert category.name == name
    assert re.fullmatch(r"\d+\.\d+", category.version)
    assert set(category.about) == {"en", "zh"}
    assert all("\n" not in line and 4 < len(line) < 260 for line in category.about.values())
    assert set(category.entities) >= PROMISED[name]


def test_credentials_know_more_than_sixty_services_by_rules_of_their_own() -> None:
    by_mark = [rule for rule in read_category("Credentials").rules if rule.entity == "API_KEY"]

    assert len(by_mark) >= 60
    assert len({rule.id for rule in by_mark}) == len(by_mark)


def test_minimal_and_credentials_need_neither_a_model_nor_presidio() -> None:
    sources = {type(rule.source) for name in ("Minimal", "Credentials") for rule in read_category(name).rules}

    assert sources == {PatternSource}


def test_everything_holds_every_rule_of_every_other_category_once() -> None:
    everything = [rule.id for rule in read_category("Everything").rules]
    others = {rule.id for name in category_names() for rule in read_category(name).rules}

    assert set(everything) == others
    assert len(everything) == len(others)


def test_a_category_of_the_users_own_extends_overrides_and_drops(tmp_path: Path) -> None:
    (tmp_path / "Own.yaml").write_text(
        'category: Own\nversion: "1.0"\nabout: {en: Own, zh: 自有}\nextends: [Enterprise]\n'
        "drop: [org.invoice_number]\nrules:\n"
        "  - {id: org.employee_number, entity: EMPLOYEE_ID, pattern: 'AC\\d{6}', hits: [请联系AC000012], misses: [AC1]}\n",
        "utf-8",
    )
    own = Masker(tmp_path / "Own.yaml", names="off")

    def finds(text: str) -> list[str]:
        return [text[finding.start : finding.end] for finding in own.scan(text)]

    assert finds("AC000012和91110105MA0000000Y") == ["AC000012", "91110105MA0000000Y"]
    assert finds("工号B00012，发票号码：00000012") == []


# What they find


@pytest.mark.parametrize(
    ("category", "text", "expected"),
    [
        pytest.param("Financial", "卡号4111111111111111，安全码123，有效期12/28",
            [("BANK_CARD", "4111111111111111"), ("CARD_CODE", "123"), ("CARD_EXPIRY", "12/28")], id="a card and its code"),
        pytest.param("Financial", "开户行：中国某某银行杭州分行，账户名张三，支付宝账号13800138000",
            [("BANK_BRANCH", "中国某某银行杭州分行"), ("ALIPAY_ID", "13800138000")], id="branch and Alipay"),
        pytest.param("Financial", "IBAN GB05TEST00000000000000, SWIFT: TESTGB2L",
            [("IBAN", "GB05TEST00000000000000"), ("SWIFT_BIC", "TESTGB2L")], id="IBAN and BIC"),
        pytest.param("Credentials", "密码是Fake0Fake0，token：fake-0fake-0fake",
            [("PASSWORD", "Fake0Fake0"), ("SECRET", "fake-0fake-0fake")], id="password and token in Chinese"),
        pytest.param("Health", "病历号：00012345，确诊二型糖尿病，服用二甲双胍，血压150/95mmHg。",
            [("MEDICAL_RECORD", "00012345"), ("MEDICAL_CONDITION", "二型糖尿病"), ("MEDICATION", "二甲双胍"),
             ("TEST_RESULT", "150/95mmHg")], id="a Chinese medical note"),
        pytest.param("Health", "MRN 00012345: type 2 diabetes, metformin; HbA1c 8.2%, blood type AB+",
            [("MEDICAL_RECORD", "00012345"), ("MEDICAL_CONDITION", "type 2 diabetes"), ("MEDICATION", "metformin"),
             ("TEST_RESULT", "8.2%"), ("BLOOD_TYPE", "AB+")], id="an English medical note"),
        pytest.param("Location", "坐标31.230416,121.473701，邮编100000",
            [("COORDINATES", "31.230416,121.473701"), ("POSTCODE", "100000")], id="position and postal code"),
        pytest.param("Network", "IMEI：490154203237518，MAC 00:00:5e:00:53:01，网关192.168.0.0",
            [("IMEI", "490154203237518"), ("MAC_ADDRESS", "00:00:5e:00:53:01"), ("IP_ADDRESS", "192.168.0.0")], id="a phone"),
        pytest.param("Network", "Cookie: sid=fake0fake0; theme=dark\n",
            [("COOKIE", "sid=fake0fake0; theme=dark")], id="a cookie with a session in it"),
        pytest.param("Enterprise", "统一社会信用代码91110105MA0000000Y，合同编号：HT-2026-00012，工号A00012",
            [("USCC", "91110105MA0000000Y"), ("CONTRACT_ID", "HT-2026-00012"), ("EMPLOYEE_ID", "A00012")], id="a contract"),
        pytest.param("Enterprise", "VAT number: DE136695976; EIN: 12-3456789",
            [("EU_VAT", "DE136695976"), ("US_EIN", "12-3456789")], id="tax numbers"),
        pytest.param("Minimal", "13800138000，zhang@example.com，110105199001010002",
            [("PHONE_NUMBER", "13800138000"), ("EMAIL_ADDRESS", "zhang@example.com"), ("ID_CARD", "110105199001010002")], id="the least"),
        pytest.param("Everything", "密码是Fake0Fake0，手机13800138000，二型糖尿病，MAC 00:00:5e:00:53:01",
            [("PASSWORD", "Fake0Fake0"), ("PHONE_NUMBER", "13800138000"), ("MEDICAL_CONDITION", "二型糖尿病"),
             ("MAC_ADDRESS", "00:00:5e:00:53:01")], id="something of each"),
    ],
)  # fmt: skip
def test_a_category_finds(category: str, text: str, expected: list[tuple[str, str]]) -> None:
    assert found(category, text) == expected


def test_a_password_that_holds_an_address_is_masked_whole() -> None:
    """The e-mail rule is confirmed by a check, and must not leave the rest of the password behind."""
    text = "postgres://app:Fake0!Fake0@db.example.com:5432/prod"

    assert found("Everything", f"连接{text}，报错") == [("CREDENTIAL", text)]


# What they leave alone

ORDINARY = [
    "请帮我把这段代码改成异步的，并解释一下为什么 for 循环会变慢。",
    "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904 (HEAD -> main, tag: v1.2.3)",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "550e8400-e29b-41d4-a716-446655440000",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
    "!function(e,t){var n=e[0x1f],r=t||{};return n&&r.a1b2c3d4e5f6?n(r):void 0}(window,9e3);",
    "Python 3.11.7 与 numpy 1.26.4 不兼容，升级到 2.4.6 即可。",
    "订单号 20240118123456789 的物流什么时候更新？共 3 件，合计 1,299.00 元。",
    "2026-01-02T03:04:05.123456Z INFO worker=12 took 1234567890 ns",
    "requests==2.31.0 --hash=sha256:58cd2187c01e70e6e26505bca751777aa9f2ee0b7f4300988b709f44e013003f",
    "for i in range(1000000000): x[i] = 0.5772156649015328606",
    '<div class="sk-circle-fade-dots" data-key="row-12" style="color:#deadbe">',
    "aGVsbG8gd29ybGQgdGhpcyBpcyBiYXNlNjQgdGV4dA==",
]  # fmt: skip

NEAR = {
    "Credentials": [
        "api_key = os.environ['API_KEY']", "password = getpass.getpass()", "token = '<YOUR_TOKEN_HERE>'",
        "sk-xxxxxxxxxxxxxxxxxxxx", "AKIAIOSFODNN7EXAMPLE is the sample key in the docs", "密码长度至少八位",
        "The password must be at least 12 characters.", "max_tokens=4096, top_p=0.95", "password: str | None = None",
        "postgresql://user:password@localhost/db", "Authorization: Bearer <token>", "密码用SHA256加盐后再存",
        'ETag: "33a64df551425fcc55e4d42a148795d9f25f89d4"', "-----BEGIN CERTIFICATE-----\nFAKE\n-----END CERTIFICATE-----",
        "the key is to keep it simple", "secret santa 2026", "access_token: ${ACCESS_TOKEN}", "pk_live_Fake0Fake0Fake0",
    ],
    "Financial": [
        "合计 12,345.67 元", "$4,111.11 USD", "4111111111111112", "订单1101051990010100025", "nine digits 000000013",
        "experience 12/28", "Swift is a language", "尾号限行", "iban is a number", "bitcoin fell 12%", "支付宝付款100元", "CVE-2024-1234",
    ],
    "Health": [
        "the Great Depression of 1929", "a stroke of luck", "hearing aids", "A型车", "血压是什么", "健康饮食", "blood on the floor",
        "住院12天", "patient no longer here", "bp 的股票", "B型超声", "体温计多少钱", "MRNA vaccine 2021", "糖果",
    ],
    "Location": [
        "0.5772, 0.6931", "31.230416,121.473701", "邮编是什么", "zip file 12345.zip", "25°C", "北京是中国的首都", "90° rotation",
        "unzip 12345", "Chapter 5 Getting Started", "上海市第一人民医院5号楼", "via HTTP 2", "postcode lookup",
    ],
    "Network": [
        "127.0.0.1", "255.255.255.0", "version 2.0.1.5", "Chrome/120.0.0.0 Safari/537.36", "12:30:45", "std::vector", "::1",
        "aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99", "490154203237518", "cookie: chocolate", "session_id: string",
        "20-24-11-23-12-30", "serial number is required",
    ],
    "Enterprise": [
        "91110105MA00000001", "税号是什么", "VAT 20%", "员工123人", "合同2026年签订", "invoice for 2024", "company number one",
        "contract no longer valid", "DE136695976", "12-3456789", "施工号牌", "项目编号规则", "00000000000000000000",
    ],
    "Minimal": [
        "时间戳1732358400000", "0.13800138000", "icon@2x.png", "978-7-111-12345-6", "4111111111111112", "110105199013010003",
        "git@github.com:org/repo.git", "12800138000", "192.168.1.1", "今天天气很好", "2024-11-23", "order 1101051990010100035",
    ],
    "UserInfo": [
        "01-02-2023", "versions 01.02.03.04.05.06", "微信支付WeChatPay", "QQ浏览器10001", "新RTX4090显卡", "E20231101",
        "born free since 4 days", "rue de rien", "Via Express 10 minutes", "call 911", "手机2台", "passport-jwt 4.0.1",
    ],
}  # fmt: skip
NEAR["Everything"] = []


def left_alone() -> Iterator[Any]:
    for name, texts in NEAR.items():
        for number, text in enumerate([*ORDINARY, *texts]):
            yield pytest.param(name, text, id=f"{name}-{number}")


@pytest.mark.parametrize(("category", "text"), list(left_alone()))
def test_a_category_leaves_alone_what_only_looks_like_its_values(category: str, text: str) -> None:
    assert found(category, text) == []


def test_every_category_has_ten_near_misses_of_its_own() -> None:
    assert {name for name, texts in NEAR.items() if len(texts) < 10} == {"Everything"}


# Keys wherever they stand

SURROUNDINGS = {
    "quotes": 'client = Client(api_key="{}")',
    "Chinese punctuation": "我的密钥是{}，请勿外传（备用：无）。",
    "Chinese brackets": "密钥（{}）已过期",
    "JSON": '{{"token": "{}", "user": "svc"}}',
    "shell": "export API_KEY={}\npython run.py",
    "end of text": "please check {}",
    "URL": "https://api.example.com/v1/items?key={}&page=1",
}
_PARSER: Any = re._parser  # type: ignore[attr-defined]
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def written(tree: Any, chance: random.Random) -> str:
    """A text that a pattern matches, drawn at random from what it allows; repetitions stay near their least."""
    parts = []
    for kind, argument in tree:
        match str(kind):
            case "LITERAL":
                parts.append(chr(argument))
            case "IN":
                parts.append(chance.choice([one for item in argument for one in _members(item)]))
            case "MAX_REPEAT" | "MIN_REPEAT":
                least, most, inner = argument
                times = chance.randint(least, min(most, least + 8))
                parts.extend(written(inner, chance) for _ in range(times))
            case "SUBPATTERN":
                parts.append(written(argument[3], chance))
            case "BRANCH":
                parts.append(written(chance.choice(argument[1]), chance))
            case other:
                raise NotImplementedError(other)
    return "".join(parts)


def _members(item: tuple[Any, Any]) -> Iterator[str]:
    kind, argument = item
    if str(kind) == "LITERAL":
        yield chr(argument)
    elif str(kind) == "RANGE":
        yield from map(chr, range(argument[0], argument[1] + 1))
    else:
        yield from "0123456789" if str(argument) == "CATEGORY_DIGIT" else _LETTERS


def marked_keys(count: int = 3) -> Iterator[tuple[Rule, str]]:
    """Keys of every service that a pattern of its own finds without a word beside it; the same on every run."""
    chance = random.Random(20261121)
    for rule in read_category("Credentials").rules:
        if not isinstance(rule.source, PatternSource) or rule.entity != "API_KEY":
            continue
        for pattern in rule.source.patterns:
            if "(?P<value>" in pattern.source:
                continue
            tree, made = _PARSER.parse(pattern.source), 0
            for _ in range(200):
                key = written(tree, chance)
                # A hyphen or dot at the end of a key cannot be told from the sentence's.
                if key[0].isalnum() and (key[-1].isalnum() or key[-1] == "=") and rule.source.accepts(key):
                    made += 1
                    yield rule, key
                if made == count:
                    break
            assert made == count, rule.id


@pytest.mark.parametrize("surrounding", SURROUNDINGS)
def test_a_random_key_of_every_service_is_found_with_exactly_its_span(surrounding: str) -> None:
    keys = [(rule, key) for rule, key in marked_keys() if surrounding != "URL" or "://" not in key]
    missed = []
    for rule, key in keys:
        text = SURROUNDINGS[surrounding].format(key)
        if key not in [value for _, value in found("Credentials", text)]:
            missed.append(rule.id)

    assert len(keys) >= 350
    assert len(missed) / len(keys) <= 0.02, missed


def examples() -> Iterator[Any]:
    for rule in read_category("Credentials").rules:
        if rule.entity in {"API_KEY", "JWT"} and isinstance(rule.source, PatternSource):
            bare = [pattern for pattern in rule.source.patterns if "(?P<value>" not in pattern.source]
            keys = {
                key for hit in rule.hits for key in hit.finds or () if any(re.fullmatch(p.source, key) for p in bare)
            }
            if keys:
                yield pytest.param(sorted(keys), id=rule.id)


@pytest.mark.parametrize("keys", list(examples()))
def test_every_example_of_a_key_is_found_in_every_surrounding(keys: list[str]) -> None:
    for key in keys:
        for name, surrounding in SURROUNDINGS.items():
            if name == "URL" and "://" in key:
                continue
            text = surrounding.format(key)

            assert key in [value for _, value in found("Credentials", text)], name


@pytest.mark.parametrize("category", ["Credentials", "Financial", "Network", "Enterprise", "Health"])
def test_harmless_prompts_raise_no_alarm(category: str) -> None:
    """The project's own prompts, where they lie beside the checkout; they hold people, but nothing of these kinds."""
    texts = [text for _, _, text in _own_prompts()]
    if not texts:
        pytest.skip("benchmarks/data has no prompts in this checkout")
    expected = {"IP_ADDRESS", "BANK_CARD", "IBAN", "BANK_ACCOUNT", "USCC", "ORGANIZATION"}
    alarms = [entity for text in texts for entity, _ in found(category, text) if entity not in expected]

    assert alarms == []


def _own_prompts() -> Iterator[tuple[str, int, str]]:
    import json

    for file in sorted((ROOT / "benchmarks" / "data").glob("*_own_prompts.jsonl")):
        for number, line in enumerate(file.read_text("utf-8").splitlines()):
            yield file.name, number, json.loads(line)["text"]


# What the documents say of them


def test_the_reference_of_categories_is_what_the_rules_say() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "category_reference.py"))
    text = (ROOT / "docs" / "reference" / "categories.md").read_text("utf-8")

    assert script["page"](text) == text


def test_the_documents_name_every_category_and_what_it_leaves_alone() -> None:
    text = (ROOT / "docs" / "reference" / "categories.md").read_text("utf-8")
    rows = set(
        re.findall(
            r"^\| `(\w+)` \|", text.partition("## What each leaves alone")[2].partition("\n## ")[0], re.MULTILINE
        )
    )

    assert rows == set(category_names()) - {"Everything"}


def test_presidio_is_behind_a_gate_and_models_are_named_in_every_category() -> None:
    rules = [rule for name in category_names() for rule in read_category(name).rules]

    assert all(rule.source.gate is not None for rule in rules if isinstance(rule.source, PresidioSource))
    assert {rule.source.model for rule in rules if isinstance(rule.source, ModelSource)} <= {"zh", "latin"}
