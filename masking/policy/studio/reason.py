"""The reasons of `masking.core.explain`, and what `masking.policy.run` says of a case that fails, in Chinese."""

from __future__ import annotations

import re

__all__ = ["translated"]

_PHRASES: tuple[tuple[str, str], ...] = (
    (r"pattern, check ", "模式，校验 "),
    (r"pattern\b", "模式"),
    (r"a term of the list", "词表中的词"),
    (r"model (\S+), (\S+)", r"模型 \1，\2"),
    (r"spaCy (\S+), (\S+)", r"spaCy \1，\2"),
    (r"Presidio's (\S+)", r"Presidio 的 \1"),
    (r", context word ", "，上下文词 "),
    (r"an allow list holds it", "在允许名单中"),
    (r"no context word stands within (\d+) characters (before|behind|beside) it", r"\1 个字符内（\2）没有上下文词"),
    (r"（before）", "之前"),
    (r"（behind）", "之后"),
    (r"（beside）", "前后"),
    (r"check (.+?) does not hold", r"校验 \1 不成立"),
    (r"its score is below (\S+)", r"分数低于 \1"),
    (r"a letter, a digit, or a point with a digit behind it", "字母、数字或后接数字的小数点"),
    (r"a digit, or a sign with a digit behind it", "数字或后接数字的符号"),
    (r"a letter, a digit or _", "字母、数字或下划线"),
    (r"a letter or digit of some script", "某种文字的字母或数字"),
    (r"a letter or digit", "字母或数字"),
    (r"a letter", "字母"),
    (r"a digit", "数字"),
    (r" stands before and behind it", "紧邻其前后"),
    (r" stands before it", "紧邻其前"),
    (r" stands behind it", "紧邻其后"),
    (r"inside it is ", "其中有 "),
    (r"of the rest (\S+) stays", r"其余 \1 保留"),
    (r" at (\d+-\d+)", r"（\1）"),
    (r"score (\S+) against ([\d.]+)", r"分数 \1 对 \2"),
    (r"earlier in the category", "在类别中更靠前"),
    (r"earlier in the text", "在文本中更靠前"),
    (r"\(checked\)", "（已校验）"),
    (r"\(longer\)", "（更长）"),
    (r" is better", " 更优"),
    (r"another value", "另一个值"),
    (r"a value that is found elsewhere in the text", "文本别处已发现的值"),
    (r"a value that is found elsewhere in the conversation", "对话别处已发现的值"),
    (r"text that looks like a placeholder", "形似占位符的文本"),
    # What a case that fails is told.
    (r"must be kept, and is found: ", "应当保留，却被发现："),
    (r"must be kept, and does not leave", "应当保留，却没有发出"),
    (r"must be masked, and nothing is found", "应当脱敏，却未被发现"),
    (r"must be masked, and only (\d+) of its (\d+) characters are found", r"应当脱敏，但 \2 个字符中只发现 \1 个"),
    (r"must be masked, and leaves", "应当脱敏，却会发出"),
    (r"must be (.+?), and is ", r"应为 \1，实为 "),
    (r"is found, and its operator leaves it as it is", "已被发现，但其处理方式未作改动"),
    (r"(\S+) is found by (.+?) where nothing should be", r"\2 在不应有发现之处发现了 \1"),
    (r"([A-Z_]{2,}) by (\S+)", r"\1（\2）"),
    (r"one character at a time, the answer is not what it is as a whole", "逐字到达时，回答与整段处理的结果不同"),
    (
        r"cut behind (\d+) of (\d+) characters, the answer is not what it is as a whole",
        r"在 \2 个字符中的第 \1 个之后切开时，回答与整段处理的结果不同",
    ),
    (r"a model that writes it is not redacted", "模型写出它时未被遮盖"),
    (r"a model that writes it is redacted", "模型写出它时被遮盖"),
    (
        r"the restored answer is not the original .*",
        "还原后的回答与原文不同（链接中的占位符保持不变时请写 round_trip: false）",
    ),
    (r"the (masked text|content that leaves) is not as the (case says|text alone)", r"发出的内容与预期不同"),
    (r": it differs from character (\d+) on", r"：自第 \1 个字符起不同"),
    (r"the request is refused: ", "请求被拒绝："),
    (r"the text is refused: ", "文本被拒绝："),
    (r" and ", " 和 "),
    (r"; ", "；"),
    (r" ?\(分数 ([^()]*)\)", r"（分数 \1）"),
    (r"(?<=[）；，]) | (?=（)", ""),
    (r"）（", "，"),
)
_COMPILED = tuple((re.compile(pattern), said) for pattern, said in _PHRASES)


def translated(why: str, lang: str) -> str:
    """A reason in a language of the page; names of rules, checks and context words stay as they are."""
    if lang != "zh":
        return why
    for pattern, said in _COMPILED:
        why = pattern.sub(said, why)
    return why
