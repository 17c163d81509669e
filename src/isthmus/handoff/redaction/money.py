"""Numbers of cards, accounts and wallets, by their check digits."""

import re
from collections.abc import Iterable

from stdnum import bitcoin, iban, luhn

from isthmus.handoff.redaction.rules import Labels, Rule, alone, digit_windows, first_labelled, labelled

_CARD = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|35\d{14}|62\d{14,17}|(?:5[06-9]|6\d)\d{10,17}|(?:2131|1800)\d{11}"
)
_CARD_LABELS = Labels(
    "card", "carta", "carte", "karte", "tarjeta", "cartão", "visa", "mastercard", "amex", "pan"
)
_ACCOUNT_LABELS = Labels(
    *("account", "acct", "a/c", "conto", "compte", "konto", "kontonummer", "cuenta", "conta", "rekening"),
    *("routing", "aba", "sort code", "口座"),
)
_BIC_LABELS = Labels("bic", "swift")
_CVV_LABELS = Labels("cvv", "cvc", "cvv2", "cvc2", "security code", "codice di sicurezza")


def money_rules() -> list[Rule]:
    """What finds card numbers, IBANs, account numbers, BICs and wallets."""
    return [
        Rule("CARD", r"[0-9]{3,6}(?:[ \x{00A0}\-]?[0-9]{3,6}){2,5}", _card, rank=30, adjoins=True),
        Rule("CARD", r"\b[0-9]{3,4}\b", _verification, rank=31, needs=_CVV_LABELS.pattern),
        Rule(
            "IBAN",
            r"\b[A-Z]{2}[0-9]{2}(?:[ \x{00A0}\-]?[A-Z0-9]){11,30}",
            _iban,
            rank=28,
            any_case=True,
            adjoins=True,
        ),
        Rule(
            "ACCOUNT",
            r"\b[0-9]{2}-[0-9]{2}-[0-9]{2}\b|\b[0-9](?:[ \-]?[0-9]){5,17}\b",
            _account,
            rank=47,
            needs=_ACCOUNT_LABELS.pattern,
        ),
        Rule("BIC", r"\b[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?\b", _bic, rank=47, needs=_BIC_LABELS.pattern),
        Rule("WALLET", r"\b(?:bc1[a-z0-9]{25,62}|[13][1-9A-HJ-NP-Za-km-z]{25,34})\b", _bitcoin, rank=29),
        Rule("WALLET", r"\b0x[0-9a-fA-F]{40}\b", rank=29),
    ]


def _card(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    windows = [each for each in digit_windows(text, start, end, 12, 19) if alone(text, each[0], each[1])]
    for first, last, digits in windows:
        if _CARD.fullmatch(digits) and luhn.is_valid(digits):
            return ((first, last),)
    if windows and len(windows[0][2]) >= 13 and labelled(text, windows[0][0], _CARD_LABELS):
        return (windows[0][:2],)
    return ()


def _verification(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    return ((start, end),) if labelled(text, start, _CVV_LABELS, 24) else ()


def _iban(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    """The longest beginning whose check digits are right: words may follow without a break."""
    cuts = [end, *(start + match.start() for match in re.finditer(r"[ \u00a0-]", text[start:end]))]
    for cut in sorted(cuts, reverse=True):
        number = re.sub(r"[ \u00a0-]", "", text[start:cut])
        if len(number) < 15:
            break
        if iban.is_valid(number, check_country=False) and alone(text, start, cut):
            return ((start, cut),)
    return ()


def _account(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    return ((start, end),) if first_labelled(text, start, _ACCOUNT_LABELS, 32) else ()


def _bic(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    return ((start, end),) if labelled(text, start, _BIC_LABELS, 24) else ()


def _bitcoin(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    return ((start, end),) if bitcoin.is_valid(text[start:end]) else ()
