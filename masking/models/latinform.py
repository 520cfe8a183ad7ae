"""Forms of names and addresses in Latin script: what stands between their words, before and behind them.

Patterns are bounded, or anchored where they are asked, so that asking costs the same in a long text.
"""

from __future__ import annotations

import re

LATIN_WORD = re.compile("[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff]{2,}")
_BLANKS = r"[ \t\u00a0]{0,2}"
PERSON_GAP = re.compile(rf"{_BLANKS}[-\u2010\u2011'\u2019]?{_BLANKS}|[ \u00a0][A-Z]\.?[ \u00a0]")
INITIAL_GAP = re.compile(r"\.[ \t\u00a0]?")
# What stands between the parts of an address without being labelled: Suite, Apt., P.O. Box, state codes before a
# postcode.
_DESIGNATOR = r"(?:Suite|Ste|Apt|Apartment|Unit|Room|Rm|Floor|Fl|Flat|Box|P\.?O\.? Box|Street|St|No|Nr|N\u00ba)\.?"
ADDRESS_GAP = re.compile(
    rf"(?i:{_BLANKS}[,.;#/\-\u2013]?{_BLANKS}(?:\n{_BLANKS}){{0,2}}(?:{_DESIGNATOR}{_BLANKS}#?){{0,2}})"
    r"|,?[ \n]{1,2}(?:[A-Z]{2,3} ){1,2}|[,.]? ?\([^()\n]{1,12}\) ?"
)
# ... and what opens one: Unit 12; postcode 3520. Without such a word a number alone is no address.
ADDRESS_START = re.compile(
    rf"(?i:\b(?:Suite|Ste|Apt|Apartment|Unit|Flat|(?:P\.?O\.? )?Box|Postbox|Postfach)\.?{_BLANKS}#?"
    rf"|\b(?P<code>ZIP|ZIP code|Post ?code|Postal code|PLZ|CAP|CEP|C\.?P\.?)(?: is|:)?{_BLANKS})$"
)
# A middle initial with a capitalised word behind it makes that word a surname: Janka M. Szasz.
SURNAME = re.compile(r"[ \u00a0][A-Z]\.?[ \u00a0](?=[^\W\d_a-z])[^\W\d_]+(?:[-'\u2019][^\W\d_]+)?")
BEFORE_INITIAL = re.compile(r"(?:^|(?<=[^\w'\u2019-]))(?P<name>[^\W\d_a-z][^\W\d_]{1,16}[ \u00a0][A-Z]\.?[ \u00a0])$")
# A name with an initial, or with a title: what the model takes for a street.
_CAPITALISED = r"[^\W\d_a-z][^\W\d_]+(?:[-'\u2019][^\W\d_]+)?"
INITIALLED = re.compile(
    rf"(?:{_CAPITALISED} [A-Z]\.? (?:(?:de|van|von|der|la|St\.) ){{0,2}}"
    rf"|(?:Dr|Mrs?|Ms|Miss|Prof|Sir)\.? (?:{_CAPITALISED} )?){_CAPITALISED}"
)
# A first name before a surname, a surname behind a first name, that the model left out in mid sentence.
GIVEN_BEFORE = re.compile(r"[\w,;:)] (?P<name>[^\W\d_a-z][^\W\d_A-Z]{1,14}) $")
FAMILY_BEHIND = re.compile(
    r" (?:(?:de|da|do|dos|del|della|di|du|la|le|van|von|der|den|ten|ter|bin|al|el|St\.) ){0,3}"
    r"(?P<name>(?:[A-Z]['\u2019])?[^\W\d_a-z][^\W\d_A-Z]+(?:[-'\u2019][^\W\d_]+)?)(?![\w'\u2019-]"
    r"| (?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Court|Blvd|Inc|Ltd|LLC|GmbH|Corp|Group|Bank)\b)"
)
# Capitalised words that stand beside a name and are no part of it.
NO_NAMES = frozenset(
    re.findall(
        r"\w+",
        """
    January February March April May June July August September October November December Monday Tuesday Wednesday
    Thursday Friday Saturday Sunday Christmas Easter The This That These Those My Your Our His Her Their Please
    Thanks Thank Can Could Would Will Should What Which Who How Why When Where Is Are And But Or So If In On At To
    For From With By As Of It He She We You They Also Then Today Tomorrow Yesterday Dear Hi Hello Hey Best Regards
    Phone Email Address Name Contact Customer Patient Translate Write Call Send Ask President Minister Senator Judge
    Captain Sergeant Officer Detective King Queen Prince Princess Pope Saint Uncle Aunt Mount Lake River Street Road
    Avenue Hotel Hospital School University College Bank Company Inc English French German Spanish
    """,
    )
)
OPENS = re.compile(r"(?:^|[\s(\"',])(?P<name>[^\W\d_a-z][^\W\d_A-Z]{1,14}) (?:[A-Z]\.? )?$")
FOR = re.compile(
    rf",? ?\b(?:attn|Attn|ATTN|c/o|C/O)[.:]? (?P<name>{_CAPITALISED}(?: [A-Z]\.)?(?: {_CAPITALISED}){{0,2}})"
)
STATE_CODE = re.compile(
    r", ?(?:A[KLRZ]|C[AOT]|D[CE]|FL|G[AU]|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|"
    r"V[AT]|W[AIVY])\b"
)
# What belongs to a name: Dr. Guy O'Connor, Michael Medina MD.
TITLE = re.compile(
    r"(?:^|(?<=[^\w'\u2019-]))(?P<title>(?:Mrs?|Ms|Mx|Miss|Dr|Prof|Sir|Dame|Rev|Herr|Frau|Mme|Mlle|Monsieur|Madame|"
    r"Se\u00f1ora?|Sra?|Dott|Signora?)\.?[ \u00a0])$"
)
SUFFIX = re.compile(r",?[ \u00a0](?P<suffix>(?:Jr|Sr|II|III|IV|MD|M\.D|PhD|Ph\.D|DDS|DVM|Esq|CPA|RN)\b)")
# The first line of a label: a name, where the next begins with a number.
ADDRESSEE = re.compile(
    rf"{_CAPITALISED} (?:[A-Z]\.? )?{_CAPITALISED}"
    r"(?=[ \t]*\n[ \t]*(?:\d|Unit|PSC|CMR|P\.? ?O\.? Box|Apt|Suite|Flat|USNS|USS|USCGC|USNV))"
)
# What an address may end with or begin with beyond what the model has seen: a country, a number.
COUNTRY = re.compile(
    r"(?:,?[ \t]?\n?[ \t]?\n?[ \t])(?:United States(?: of America)?|USA|U\.S\.A\.?|United Kingdom|UK|England|Scotland|"
    r"Wales|Ireland|Canada|Australia|New Zealand|Germany|Austria|Switzerland|France|Belgium|(?:The )?Netherlands|"
    r"Luxembourg|Italy|Spain|Portugal|Denmark|Sweden|Norway|Finland|Iceland|Greenland|Poland|Czech Republic|Czechia|"
    r"Slovakia|Slovenia|Hungary|Croatia|Serbia|Romania|Bulgaria|Greece|Cyprus|Malta|Estonia|Latvia|Lithuania|Turkey|"
    r"Israel|South Africa|India|Japan|South Korea|Singapore|Brazil|Argentina|Uruguay|Chile|Mexico|Deutschland|"
    r"\u00d6sterreich|Schweiz|Espa\u00f1a|Italia|Nederland|Belgique|Suisse)(?![\w-])(?:[ ]\d{4,6}(?!\d))?"
)
NUMBER_BEFORE = re.compile(r"(?:^|(?<=[\s(\"':]))\d{1,6}[A-Za-z]?[ ](?:ul\.[ ])?$")
# Before a place: somebody lives, works or goes there.
STATED = re.compile(
    r"\b(?i:liv(?:e|es|ed|ing)|born|based|resid(?:e|es|ing)|stay(?:s|ed|ing)?|mov(?:e|es|ed|ing)|relocat\w+|grew up|"
    r"raised|from|com(?:e|es|ing)|work(?:s|ed|ing)?|fl(?:y|ew|ying)|travel\w*|trip|go(?:es|ing)?|went|visit\w*|my|our|"
    r"i'm|i am|we're|he is|she is)\b[^.!?\n]{0,24}$"
)
SENTENCE_END = re.compile(r"[.!?](?=\s|$)|\n|$")
ASKS = re.compile(
    r"\s*(?i:what|which|who|how|why|when|where|is|are|does|do|did|was|were|should|tell me about|explain|describe|list|"
    r"compare|write|best|recommend|summar\w+)\b"
)
# One word in small letters is hardly a name where capitals are used, unless it is said to be one: i'm trevor.
NAMED = re.compile(
    r"(?i:\b(?:i'?m|i am|it'?s|its|name is|name:|this is|call me|dear|hi|hey|hello|from|by|with|for|to|ask|tell|thanks|"
    r"regards|user)[ ,:]{1,2}|@)$"
)
KEY = re.compile(r"[\"']?[ ]?[:=]")
STREET_KIND = re.compile(
    r"\b(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Court|Ct|Blvd|Boulevard|Way|Place|Terrace|Square|Highway|Hwy|"
    r"Close|Park)\.?$"
)
OTHER_GAP = re.compile(r"[ \t\u00a0().,/+\-]{0,3}")
# A surname that a company is called by. Two surnames joined by "and" stay people: they may be.
COMPANY = re.compile(
    r",? (?:(?:&|and|und|et|y) (?:Sons|Co|Company|Partners|Brothers|Associates)|Inc|LLC|LLP|Ltd|Limited|PLC|Corp|"
    r"Corporation|Incorporated|Group|Holdings|GmbH|AG|KG|SARL|SAS|SpA|BV|NV)\b"
)
# The rest of a mail address behind what looks like a name, and its beginning before it.
MAIL_BEHIND = re.compile(r"[A-Za-z0-9_.+-]{0,64}@[A-Za-z0-9]")
MAIL_BEFORE = re.compile(r"[A-Za-z0-9]@[A-Za-z0-9.-]{0,64}$")
