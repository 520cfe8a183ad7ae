"""Whether what stands in a secret's place is one: no variable, no placeholder of a manual, no word of a sentence.

A key's fixed prefix or the word before it finds the place; these checks keep code (`os.environ["KEY"]`), templates
(`<YOUR_TOKEN>`) and prose (`password is required`) out.
"""

from __future__ import annotations

import binascii
import re
from math import log2
from typing import Final

__all__ = [
    "entropy",
    "is_credential_url",
    "is_jwt",
    "is_password",
    "is_private_key",
    "is_random",
    "is_secret",
    "is_word_password",
]

# What manuals and templates write instead of a secret.
_TEMPLATE: Final = re.compile(
    r"example|your|xxxx|\*{3}|\.{3}|placeholder|redacted|changeme|change[_-]me|replace|dummy|todo|(.)\1{7}"
    r"|^[<\[{%].*[>\]}%]$|\$\{|\{\{|%\(|<[a-z_ -]+>|^\$[a-z_]\w*$|^%[a-z_]\w*%?$|^[@:][a-z_]+$",
    re.ASCII | re.IGNORECASE,
)
# A name of a program: called, indexed or dotted.
_CODE: Final = re.compile(
    r"[A-Za-z_$][\w$]*(?:(?:\.|->|::)[A-Za-z_$][\w$]*)*(?:[(\[{].*|(?:\.|->|::)(?:[A-Za-z_$][\w$.]*)?)", re.ASCII
)
_DOTTED: Final = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|->|::)[A-Za-z_$][\w$]*)+", re.ASCII)
_PATH: Final = re.compile(r"(?:[.~]?/|[A-Za-z]:\\|https?://|file:)", re.ASCII)
# Terms of the trade that have a letter and a digit, as passwords do.
_TERM: Final = re.compile(
    r"(?:(?:sha|md|aes|des|rsa|ecdsa|ed|hmac|base|utf|argon|pbkdf|bcrypt|scrypt|oauth|http|tls|v|x|p|top|web|int|uint"
    r"|float|u|i|h|s|k8|ipv|win|es|rs|hs|ps|cp|iso|gb|fido|kdf|nist)[-_]?\d[\w./-]*"
    r"|(?:required|optional|nullable|string|sometimes|confirmed)[|:,;].*"
    r"|\d+[-_]?(?:bits?|bytes?|chars?|characters?|digits?|days?|hours?|h|min|minutes?|s|sec|seconds?|ms|[kmgt]b?|fa|d"
    r"|st|nd|rd|th|x|%)|\d+(?:[.,:/~-]\d+)*\+?|(?:[a-z]+_)+[a-z]*\d?|(?-i:[A-Z]+(?:_(?:[A-Z]+\d{0,2}|\d{1,2}))+))",
    re.ASCII | re.IGNORECASE,
)
_NOT_A_WORD_PASSWORD: Final = re.compile(
    r"pass|pwd|secret|token|key|user|login|name|type|field|input|valid|requir|hash|string|str|none|null|true|false"
    r"|undefined|nil|text|hidden|empty|encrypt|prompt|option|missing|wrong|correct|strong|weak|reset|forg|expire|never"
    r"|must|should|please|enter|this|that|self|config|default|value|label|title|error|prod|test|bool|number|object|date"
    r"|auth|sign|admin|root|account|optional|nullable|unicode|varchar|any",
    re.ASCII | re.IGNORECASE,
)
_URL: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?([^\s/@]*?):(.+)@[^@]*|([^\s/@:]*):(.+)", re.ASCII | re.IGNORECASE)
_URL_TEMPLATES: Final = frozenset(
    {"password", "passwd", "pass", "pwd", "pw", "secret", "token", "key", "p", "x", "xxx"}
)
_ARMOUR: Final = re.compile(
    r"(?:-{4,5} ?BEGIN [A-Z0-9 ]+?-{4,5}|Private-Lines: \d+)(.*?)(?:-{4,5} ?END|\Z)", re.ASCII | re.DOTALL
)


def is_secret(text: str) -> bool:
    """Whether a key of letters and digits is one: neither a template nor almost one character repeated."""
    return len(set(text)) >= 5 and _TEMPLATE.search(text) is None


def entropy(text: str) -> float:
    """Shannon's entropy of the characters of `text`, in bits a character; 0 for the empty text."""
    size = len(text)
    counts = (text.count(character) for character in set(text))
    return sum(count / size * log2(size / count) for count in counts)


def is_password(text: str) -> bool:
    """A password as it stands in a sentence: letters with digits or signs, or six digits and more.

    A password of letters only is not told from a word there, and not confirmed.
    """
    if _is_code(text):
        return False
    if text.isdigit():
        return 6 <= len(text) <= 16
    letters = any(map(str.isalpha, text))
    digits = any(map(str.isdigit, text))
    signs = re.search(r"[!@#$%^&*+=~?|]", text[1:]) is not None
    if letters and digits:
        return _TERM.fullmatch(text) is None
    return (letters or digits) and signs and len(text) >= 6


def is_word_password(text: str) -> bool:
    """A password as it is assigned to a name: also letters only, unless they are a word of the programs around it."""
    if is_password(text):
        return True
    letters_only = re.fullmatch(r"[A-Za-z]+(?:[-_.][A-Za-z]+)*", text) is not None
    return letters_only and len(text) >= 6 and not _is_code(text) and _NOT_A_WORD_PASSWORD.search(text) is None


def _is_code(text: str) -> bool:
    if _TEMPLATE.search(text) or _PATH.match(text) or _DOTTED.fullmatch(text):
        return True
    return _CODE.fullmatch(text) is not None


def is_random(text: str) -> bool:
    """Whether a run of letters and digits in `text` mixes both, as no word and no number does."""
    runs = re.findall(r"[A-Za-z0-9]{8,}", text)
    return is_secret(text) and any(not run.isalpha() and not run.isdigit() for run in runs)


def is_jwt(text: str) -> bool:
    """A JSON Web Token or its encrypted sister by RFC 7519: its first part is the base64url of a JSON header."""
    head = text.partition(".")[0]
    try:
        header = binascii.a2b_base64(head.translate({45: "+", 95: "/"}) + "==")
    except (binascii.Error, ValueError):
        return False
    return header.startswith(b"{") and (b'"alg"' in header or b'"typ"' in header or b'"enc"' in header)


def is_private_key(text: str) -> bool:
    """A private key in the armour of RFC 7468 or of OpenPGP (RFC 9580), with something inside that is no template."""
    match = _ARMOUR.search(text)
    body = match[1] if match else ""
    bare = re.sub(r"\\[nr]|[^A-Za-z0-9+/=]", "", body)
    return len(bare) >= 8 and "..." not in body


def is_credential_url(text: str) -> bool:
    """A URL, or a URL's `user:password`, whose password is no template's word and no variable (RFC 3986, 3.2.1)."""
    match = _URL.fullmatch(text)
    if match is None:
        return False
    user, password = (match[1], match[2]) if match[2] is not None else (match[3], match[4])
    # A colon in the host's part of a URL without a user: `http://host:80/@me`.
    if "/" in user or re.match(r"\d{1,5}/", password):
        return False
    return password.lower() not in _URL_TEMPLATES and not _TEMPLATE.search(password) and password[0] not in "{<$%["
