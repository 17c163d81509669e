"""Who somebody is to an office: numbers of people, taxpayers, patients, their papers, cars and birthdays.

A number whose shape is nobody else's counts by itself, or where its check digits are right; one that any
eleven digits could be counts where a label says what it is, too.
"""

from collections.abc import Callable, Iterable
from importlib import import_module

from msgspec import Struct

from isthmus.handoff.redaction.rules import (
    Check,
    Labels,
    Rule,
    alone,
    compiled,
    labelled,
    part_of_longer,
)

_S = r"[ \x{00A0}.\-]?"


class Number(Struct, frozen=True):
    """How a country writes a number: its shape, the stdnum module that checks it, the labels it needs.

    ``labels`` None: it needs none. ``module`` None: its shape says enough. After a label check digits aren't
    asked for: people mistype.
    """

    kind: str
    shape: str
    module: str | None = None
    labels: Labels | None = None


_TAX = Labels(
    *(
        "vat",
        "tva",
        "iva",
        "p iva",
        "piva",
        "partita iva",
        "ust",
        "ust id",
        "ustid",
        "uid",
        "mwst",
        "btw",
        "nif",
    ),
    *(
        "tin",
        "tax",
        "taxid",
        "fiscal",
        "fiscale",
        "steuer",
        "steuernummer",
        "steuer id",
        "idnr",
        "ein",
        "siren",
    ),
    *(
        "siret",
        "nip",
        "regon",
        "contribuinte",
        "rfc",
        "cuit",
        "cuil",
        "pps",
        "utr",
        "inn",
        "инн",
        "identifikation",
    ),
)
_PERSON = Labels(
    *("ssn", "social security", "national id", "national insurance", "nino", "ni number", "id number", "sin"),
    *(
        "bsn",
        "burgerservice",
        "sofi",
        "pesel",
        "personnummer",
        "personal number",
        "cpr",
        "fødselsnummer",
        "cnp",
    ),
    *(
        "sécurité sociale",
        "securite sociale",
        "insee",
        "nir",
        "codice fiscale",
        "cod fisc",
        "c f",
        "cf",
        "dni",
    ),
    *("documento", "oib", "egn", "amka", "asmens", "isikukood", "tckn", "kimlik", "aadhaar", "my number"),
    *(
        "マイナンバー",
        "個人番号",
        "sozialversicherung",
        "sv nummer",
        "svnr",
        "rvnr",
        "versicherungsnummer",
        "ahv",
        "avs",
    ),
    *(
        "rijksregister",
        "registre national",
        "rrn",
        "rodné číslo",
        "snils",
        "снилс",
        "tfn",
        "hetu",
        "insz",
        "niss",
    ),
)
_HEALTH = Labels(
    *(
        "nhs",
        "medicare",
        "health",
        "patient",
        "mrn",
        "medical record",
        "tessera sanitaria",
        "versichertennummer",
    ),
    *("krankenkasse", "cartella clinica", "historia clínica", "insurance number", "policy", "polizza"),
)

NUMBERS = (
    Number("NATIONAL_ID", r"[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]"),
    Number(
        "NATIONAL_ID",
        rf"[12]{_S}\d\d{_S}[01235-9]\d{_S}(?:\d\d|2[AB]){_S}\d{{3}}{_S}\d{{3}}{_S}\d\d",
        "fr.nir",
    ),
    Number("NATIONAL_ID", r"\d{8}[ \-]?[A-HJ-NP-TV-Z]", "es.dni"),
    Number("NATIONAL_ID", r"[XYZ][ \-]?\d{7}[ \-]?[A-Z]", "es.nie"),
    Number("NATIONAL_ID", r"\d{3}-\d{2}-\d{4}"),
    Number("NATIONAL_ID", r"\d{3} ?\d{2} ?\d{4}", None, Labels("ssn", "social security")),
    Number("NATIONAL_ID", rf"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]{_S}\d\d{_S}\d\d{_S}\d\d{_S}[A-D]"),
    Number("NATIONAL_ID", rf"[A-Z]{{2}}{_S}\d\d{_S}\d\d{_S}\d\d{_S}[A-Z]", None, _PERSON),
    Number("NATIONAL_ID", r"\d\d ?\d{6} ?[A-Z] ?\d{3}", None, _PERSON),
    Number("NATIONAL_ID", r"\d{8}[A-Z]\d{3}"),
    Number("NATIONAL_ID", r"\d\d\.\d\d\.\d\d[ \-]\d{3}[.\- ]\d\d", "be.nn"),
    Number("NATIONAL_ID", r"\d{6}(?:\d\d)?[\-+]\d{4}", "se.personnummer"),
    Number("NATIONAL_ID", r"\d{6}-\d{4}", "dk.cpr"),
    Number("NATIONAL_ID", r"\d{6} ?\d{5}", "no.fodselsnummer"),
    Number("NATIONAL_ID", r"\d{6}[\-+A-FU-Y]\d{3}[0-9A-Z]", "fi.hetu"),
    Number("NATIONAL_ID", r"756\.?\d{4}\.?\d{4}\.?\d\d", "ch.ssn"),
    Number("NATIONAL_ID", r"\d{6}/\d{3,4}", "cz.rc"),
    Number("NATIONAL_ID", r"[1-8]\d{12}", "ro.cnp"),
    Number("NATIONAL_ID", r"\d{11}", "pl.pesel"),
    Number("NATIONAL_ID", r"\d{13}", "za.idnr"),
    Number("NATIONAL_ID", r"\d{7}[A-W][A-IW]?", "ie.pps"),
    Number("NATIONAL_ID", r"\d{3}\.\d{3}\.\d{3}-\d\d"),
    Number("NATIONAL_ID", r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d"),
    Number("NATIONAL_ID", r"\d{1,2}\.\d{3}\.\d{3}-[0-9kK]", "cl.rut"),
    Number("NATIONAL_ID", r"[2-9]\d{3}[ \-]\d{4}[ \-]\d{4}", "in_.aadhaar"),
    Number("NATIONAL_ID", r"[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]", "in_.pan"),
    Number("NATIONAL_ID", r"\d{17}[0-9X]", "cn.ric"),
    Number("NATIONAL_ID", r"\d{6}-[1-8]\d{6}"),
    Number("NATIONAL_ID", r"\d{3}[ \-]\d{3}[ \-]\d{3}", "ca.sin"),
    Number("NATIONAL_ID", r"\d{3}-\d{3}-\d{3} \d\d"),
    Number("NATIONAL_ID", rf"\d(?:{_S}\d){{7,14}}", None, _PERSON),
    Number("NATIONAL_ID", r"[A-Z]{1,3}[ \-]?\d{5,9}[A-Z]{0,2}\d?", None, _PERSON),
    Number("TAX_ID", r"[A-Z]{2} ?[A-Z0-9]{0,2}[ .]?\d{3}[ .]?\d{3}[ .]?\d{0,4}[A-Z0-9]{0,3}", "eu.vat"),
    Number("TAX_ID", r"CHE[ \-]?\d{3}\.?\d{3}\.?\d{3}(?: ?(?:MWST|TVA|IVA))?"),
    Number("TAX_ID", r"GB(?:GD|HA)\d{3}|FR[ ]?[A-Z0-9]{2} ?\d{9}|[A-Z]{2} ?\d{9}B\d\d"),
    Number("TAX_ID", r"\d{2}\.\d{3}\.\d{3}/\d{4}-\d\d"),
    Number("TAX_ID", r"\d\d-\d{8}-\d", "ar.cuit"),
    Number("TAX_ID", r"[A-ZÑ&]{3,4}\d{6}[A-Z0-9]{3}", "mx.rfc"),
    Number("TAX_ID", r"\d\d \d{3} \d{3} \d{3}", "de.idnr"),
    Number(
        "TAX_ID",
        rf"(?:[A-Z]{{2}}{_S})?[0-9A-Z]?\d(?:[ \x{{00A0}}.\-/]?\d){{6,13}}[A-Z]?(?:B\d\d)?",
        None,
        _TAX,
    ),
    Number("TAX_ID", r"[A-Z]\d{7}[0-9A-J]", "es.cif"),
    Number("HEALTH_ID", r"\d{3}[ \-]?\d{3}[ \-]?\d{4}", None, Labels("nhs")),
    Number("HEALTH_ID", r"[A-Z]{0,3}[\-]?\d(?:[ \-]?[0-9A-Z]){5,19}", None, _HEALTH),
    Number(
        "PASSPORT",
        r"[A-Z]{0,2}\d[0-9A-Z]{5,8}",
        None,
        Labels(
            *(
                "passport",
                "passaporto",
                "passeport",
                "reisepass",
                "pass nr",
                "pasaporte",
                "passaporte",
                "paspoort",
            ),
            *("パスポート", "旅券"),
        ),
    ),
    Number(
        "LICENCE",
        r"[A-Z]{0,6}\d(?:[ \-]?[A-Z0-9]){4,17}",
        None,
        Labels(
            *("driving licence", "driving license", "driver license", "driver's license", "drivers license"),
            *(
                "driver licence",
                "patente",
                "patente di guida",
                "permis de conduire",
                "führerschein",
                "rijbewijs",
            ),
            *("carnet de conducir", "permiso de conducir", "carta de condução", "cnh", "prawo jazdy"),
        ),
    ),
    Number("DEVICE_ID", r"\d{2}-?\d{6}-?\d{6}-?\d", None, Labels("imei")),
    Number(
        "VEHICLE", r"[A-HJ-NPR-Z0-9]{17}", None, Labels("vin", "telaio", "chassis", "fahrgestell", "bastidor")
    ),
    Number("PLATE", r"[A-Z]{2}-\d{3}-[A-Z]{2}"),
    Number(
        "PLATE",
        r"[A-ZÄÖÜ0-9]{1,4}(?:[ \-]?[A-Z0-9]{1,4}){1,2}",
        None,
        Labels(
            *(
                "plate",
                "license plate",
                "licence plate",
                "number plate",
                "targa",
                "immatriculation",
                "plaque",
            ),
            *(
                "kennzeichen",
                "matrícula",
                "matricula",
                "kenteken",
                "placa",
                "rejestracyjny",
                "registration number",
            ),
        ),
    ),
)

_MONTHS = (
    "jan|feb|mar|apr|mai|may|jun|jul|aug|sep|oct|nov|dec|gen|mag|giu|lug|ago|set|ott|dic|janv|févr|fév|avr"
    "|juin|juil|août|déc|ene|abr|märz|mär|okt|dez|fev|out|mrt|mei|maj|sty|lut|kwi|cze|lip|sie|wrz|paź|lis|gru"
)
_DATE = (
    r"(?:\d{4}[\-./年] ?\d{1,2}[\-./月] ?\d{1,2}日?|\d{1,2}[\-./ ]\s?\d{1,2}[\-./ ]\s?(?:\d{4}|\d{2})"
    rf"|\d{{1,2}}(?:st|nd|rd|th|er|º|°|\.)? (?:de |d')?(?:{_MONTHS})[\pL]*\.?,?(?: de)? \d{{4}}"
    rf"|(?:{_MONTHS})[\pL]*\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}|\d{{8}})"
)
_BIRTH = Labels(
    *(
        "born",
        "dob",
        "d o b",
        "date of birth",
        "birth date",
        "birthdate",
        "birthday",
        "nato",
        "nata",
        "nascita",
    ),
    *(
        "né",
        "née",
        "naissance",
        "geboren",
        "geb",
        "geburtsdatum",
        "geburtstag",
        "nacimiento",
        "nacido",
        "nacida",
    ),
    *("nascimento", "nascido", "nascida", "geboortedatum", "geboren op", "urodzenia", "urodzony", "urodzona"),
    *("födelsedatum", "född", "født", "fødselsdato", "syntymäaika", "生年月日", "誕生日"),
)


def identity_rules() -> list[Rule]:
    """What finds numbers of persons and their papers, and dates of birth."""
    return [
        *map(_rule, NUMBERS),
        Rule("BIRTH_DATE", _DATE, _birthday, rank=38, any_case=True, needs=_BIRTH.pattern),
    ]


def _rule(number: Number) -> Rule:
    if number.labels is not None:
        check = _after_label(number.labels, number.shape)
        return Rule(number.kind, number.labels.pattern, check, rank=36, any_case=True)
    shape, rank = rf"\b({number.shape})\b", 34 if number.module is None else 33
    return Rule(number.kind, shape, _by_itself(number.module), 1, rank, any_case=True)


def _by_itself(module: str | None) -> Check:
    """Of a candidate without a label."""
    valid = _validator(module) if module else None

    def check(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
        if not alone(text, start, end) or part_of_longer(text, start, end):
            return ()
        return ((start, end),) if valid is None or valid(text[start:end]) else ()

    return check


_REACH = 40
"""Characters after a label in which its value stands."""


def _after_label(words: Labels, shape: str) -> Check:
    """Of a label: the first thing after it in its line that has the shape, if no number stands between."""
    pattern = compiled(rf"\b({shape})\b", any_case=True)

    def check(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
        if (label := words.search(text, start, end + 1)) is None:
            return ()
        line_end = text.find("\n", label.end())
        until = min(label.end() + _REACH, line_end if line_end >= 0 else len(text))
        for match in pattern.finditer(text, label.end(), until):
            first, last = match.span(1)
            if any(map(str.isdigit, text[label.end() : first])):
                return ()
            if part_of_longer(text, first, last):  # what follows may have been taken for its last part
                last = max(text.rfind(" ", first, last), first)
            if any(map(str.isdigit, text[first:last])) and alone(text, first, last):
                return () if part_of_longer(text, first, last) else ((first, last),)
        return ()

    return check


def _birthday(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    return ((start, end),) if alone(text, start, end) and labelled(text, start, _BIRTH, 48) else ()


def _validator(module: str) -> Callable[[str], bool]:
    """What stdnum checks a number with; loaded when a candidate first needs it."""
    loaded: list[Callable[[str], bool]] = []

    def valid(number: str) -> bool:
        if not loaded:
            loaded.append(import_module(f"stdnum.{module}").is_valid)
        return loaded[0](number)

    return valid
