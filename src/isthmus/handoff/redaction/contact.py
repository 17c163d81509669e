"""How people and machines are reached: mail addresses, telephone numbers, accounts on hosts."""

import re
from collections.abc import Iterable
from functools import lru_cache

import phonenumbers

from isthmus.handoff.redaction.rules import Check, Labels, Rule, alone, digit_windows, either, labelled

_FILES = frozenset(
    either("""
    png|jpg|jpeg|gif|svg|webp|js|mjs|ts|tsx|jsx|py|css|scss|html|json|md|txt|yml|yaml
""").split("|")
)
"""Endings that make ``icon@2x.png`` a file."""

_SIGN = (
    r"[^\x00-,/:-@\[-^`{-\x{00BF}]"  # of an address: letters and digits of any script, ``-``, ``.`` and ``_``
)
_LETTER = r"[^\x00-@\[-`{-\x{00BF}]"
_MAIL = rf"(?:{_SIGN}|[+%])+@(?:{_SIGN})+\.{_LETTER}{_LETTER}+"
_SPELT_MAIL = (
    rf"(?:{_SIGN}|\+)+\s?[\[({{<]\s?(?:at|chiocciola|arroba|arobase)\s?[\])}}>]\s?"
    r"[a-z0-9\-]+(?:\s?(?:\.|[\[({<]\s?(?:dot|punto|point|punkt)\s?[\])}>])\s?[a-z0-9\-]+)+"
)

_IN_URL = re.compile(r"://[^\s\"'<>/]*\Z")

_SPACE = r"[ \x{00A0}\x{202F}]"
_EXTENSION = r"(?: ?(?:x|ext\.? ?)[0-9]{1,6})?"
_ABROAD = rf"(?:\+|\b00)[1-9](?:[ \x{{00A0}}\x{{202F}}.\-/()]{{0,3}}[0-9]){{6,14}}{_EXTENSION}"
_AT_HOME = rf"\(?[0-9]{{2,5}}\)?(?:[ \x{{00A0}}\x{{202F}}.\-/]{{1,3}}\(?[0-9]{{2,8}}\)?){{1,5}}{_EXTENSION}"
_BARE = rf"[(+]?[0-9](?:[ \x{{00A0}}\x{{202F}}.\-/()]{{0,3}}[0-9]){{5,15}}{_EXTENSION}"

_PHONE_LABELS = Labels(
    *("phone", "tel", "telephone", "mobile", "mob", "cell", "cellulare", "cellular", "call", "fax", "sms"),
    *("whatsapp", "telefono", "téléphone", "portable", "telefon", "handy", "mobil", "móvil", "celular"),
    *(
        "telefone",
        "telefoon",
        "puhelin",
        "telefonnummer",
        "numero di telefono",
        "電話",
        "携帯",
        "ph",
        "msisdn",
    ),
)
_DATE = re.compile(
    r"(?:19|20)\d\d[-./ ][01]?\d[-./ ][0-3]?\d|[0-3]?\d[-./ ][0-3]?\d[-./ ](?:19|20)?\d\d"
    r"|(?:19|20)\d\d ?- ?(?:19|20)?\d\d|\d+\.\d+"
)
_AMERICAN = re.compile(r"\(?[2-9]\d\d\)?[-. ]?[ ]?\d{3}[-.]\d{4}(?: ?(?:x|ext\.? ?)\d{1,6})?")


def contact_rules(regions: tuple[str, ...]) -> list[Rule]:
    """What finds mail addresses and telephone numbers, these also as written in ``regions``."""
    return [
        Rule("EMAIL", _MAIL, _mail, rank=18, needs="@"),
        Rule("EMAIL", _SPELT_MAIL, rank=18, any_case=True, needs=r"[\[({<]\s?(?:at|chiocc|arro|arob)"),
        Rule(
            "USERNAME",
            r"\b([a-z_][a-z0-9_.\-]{1,31})@[A-Za-z0-9][\w.\-]*:[~/]",
            _account,
            1,
            19,
            needs=r"@\S+:[~/]",
        ),
        Rule(
            "USERNAME",
            r"\b(?:ssh|scp|sftp|rsync)\b[^\n@]{0,60}?\s([a-z_][\w.\-]{1,31})@",
            _account,
            1,
            19,
            needs="ssh|scp|sftp|rsync",
        ),
        Rule("PHONE", _ABROAD, _abroad(regions), rank=42, any_case=True, adjoins=True),
        Rule("PHONE", _AT_HOME, _at_home(regions), rank=45, any_case=True),
        Rule("PHONE", _BARE, _after_label, rank=46, any_case=True, needs=_PHONE_LABELS.pattern),
    ]


def same_number(written: str, regions: tuple[str, ...]) -> str:
    """A telephone number in E.164, however it is written; its digits where nobody can say."""
    number, _, extension = re.sub(r"(?i)ext\.?", "x", written).partition("x")
    return (_e164(number.strip(), regions) or re.sub(r"[^0-9+]", "", number)) + (
        f"x{extension.strip()}" if extension else ""
    )


def _mail(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    address = text[start:end]
    name, _, host = address.partition("@")
    lead = len(name) - len(name.lstrip(".-"))
    if host.rpartition(".")[2].lower() in _FILES or (name == "git" and text[end : end + 1] in ":/"):
        return ()
    if _IN_URL.search(text, max(0, start - 160), start):
        return ()  # a login and its host
    return ((start + lead, end),) if name[lead:] else ()


def _account(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    return () if text[start:end] in ("git", "root") else ((start, end),)


def _abroad(regions: tuple[str, ...]) -> Check:
    def check(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
        if not alone(text, start, end):
            return ()
        if _e164(_number(text[start:end]), regions):
            return ((start, end),)
        # What follows may have been taken for its last digits.
        for cut in sorted({match.start() for match in re.finditer(r"[^\d]+", text[start:end])}, reverse=True):
            if cut >= 8 and _e164(_number(text[start : start + cut]), regions):
                return ((start, start + cut),)
        return ((start, end),) if labelled(text, start, _PHONE_LABELS) else ()

    return check


def _at_home(regions: tuple[str, ...]) -> Check:
    def check(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
        if not alone(text, start, end, "_.%$€£,") and text[end : end + 1] not in (".", ","):
            return ()
        if text[start - 1 : start] in ("-", "/", ":", ".", ",", "$", "€", "£", "#"):
            return ()
        written = text[start:end]
        if _DATE.match(written):
            return ()
        if _AMERICAN.fullmatch(written) or _national(_number(written), regions):
            return ((start, end),)
        whole = [w for w in digit_windows(text, start, end, 8, 12) if w[2][0] == "0" or "(" in written]
        return tuple((first, last) for first, last, _ in whole[:3] if _national(text[first:last], regions))[
            :1
        ]

    return check


def _after_label(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    digits = sum(sign.isdigit() for sign in text[start:end])
    named = 7 <= digits <= 15 and alone(text, start, end) and labelled(text, start, _PHONE_LABELS, 24)
    return ((start, end),) if named and not _DATE.fullmatch(text[start:end]) else ()


def _number(written: str) -> str:
    """Without an extension."""
    return re.split(r"(?i) ?(?:x|ext)", written, maxsplit=1)[0]


@lru_cache(4096)
def _e164(number: str, regions: tuple[str, ...]) -> str | None:
    """The number in E.164 if it is one, as written abroad or in one of the regions."""
    if number.startswith("00"):
        number = f"+{number[2:]}"
    candidates: tuple[str | None, ...] = (None,) if number.startswith("+") else regions
    for region in candidates:
        parsed = _parsed(number, region)
        if parsed is not None and phonenumbers.is_possible_number(parsed):
            if region is not None and not phonenumbers.is_valid_number(parsed):
                continue
            return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return None


@lru_cache(4096)
def _national(number: str, regions: tuple[str, ...]) -> bool:
    """Whether people of one of the regions may have such a number."""
    digits = sum(sign.isdigit() for sign in number)
    if not 8 <= digits <= 12:
        return False
    return any(_valid(_parsed(number, region)) for region in regions)


def _valid(number: "phonenumbers.PhoneNumber | None") -> bool:
    return number is not None and phonenumbers.is_valid_number(number)


def _parsed(number: str, region: str | None) -> "phonenumbers.PhoneNumber | None":
    try:
        return phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
