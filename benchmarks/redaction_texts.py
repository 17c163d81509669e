"""Made-up texts with private values at known places: prose in ten languages, code, logs, JSON and settings.

Values come from Faker in twelve locales. The sentences, lines and fields around them are made for this
(`redaction_frames.json`) and split in two: redaction was tuned on the even ones of each list
(``split="tune"``), figures are reported on the odd ones, with another seed. Between the values stand things
that are nobody's secret but look like one: prices, dates, versions, commits, identifiers, digests.
"""

import base64
import json
import random
import string
import uuid
from hashlib import sha1, sha256
from pathlib import Path

from faker import Faker

LOCALES = {
    "en_US": "en",
    "en_GB": "en",
    "it_IT": "it",
    "fr_FR": "fr",
    "de_DE": "de",
    "es_ES": "es",
    "pt_BR": "pt",
    "nl_NL": "nl",
    "pl_PL": "pl",
    "sv_SE": "sv",
    "da_DK": "da",
    "fr_CH": "fr",
}
"""Faker's locales, and the languages of the sentences around their values."""

NAMED = ("PERSON", "ADDRESS")
FORMS = ("prose", "code", "log", "json", "settings")

FRAMES = json.loads(Path(__file__).with_name("redaction_frames.json").read_text())
"""Sentences, lines and fields, each with a place for a value. Of each list the even ones are to tune on."""


def _joined(lines, separator):
    """Lines as one text, and where their values are in it."""
    text, found = "", []
    for line, values in lines:
        if text:
            text += separator
        found += [(start + len(text), end + len(text), kind) for start, end, kind in values]
        text += line
    return text, found


HEX = "0123456789abcdef"
MIXED = string.ascii_letters + string.digits
KEYS = (
    *(
        ("sk-proj-", 48, MIXED),
        ("sk-ant-api03-", 93, MIXED),
        ("AKIA", 16, string.ascii_uppercase),
        ("ghp_", 36, MIXED),
    ),
    *(
        ("github_pat_", 82, MIXED),
        ("glpat-", 20, MIXED),
        ("AIza", 35, MIXED),
        ("xoxb-", 36, MIXED),
        ("hf_", 34, MIXED),
    ),
    *(("sk_live_", 24, MIXED), ("npm_", 36, MIXED), ("key-", 32, HEX), ("AC", 32, HEX), ("shpat_", 32, HEX)),
    *(("gsk_", 52, MIXED), ("r8_", 37, MIXED), ("dop_v1_", 64, HEX), ("pypi-AgEIcHlwaS5vcmc", 80, MIXED)),
    *(("xai-", 80, MIXED), ("SG.abcdefghijklmnopqrstuv.", 43, MIXED)),
)
"""What issued keys begin with, how long the rest is, and of what."""


class Maker:
    """Makes one text after another.

    Args:
        seed: Of everything.
        split: "tune" or "report": which half of the sentences is used.
    """

    def __init__(self, seed, split):
        self.random = random.Random(f"{split}:{seed}")
        self.parity = 0 if split == "tune" else 1
        self.fakers = {locale: Faker(locale) for locale in LOCALES}
        for index, faker in enumerate(self.fakers.values()):
            faker.seed_instance(self.random.randrange(2**32) + index)

    def text(self):
        """A text, its form, and its private values: (start, end, kind)."""
        locale = self.random.choice(list(LOCALES))
        form = self.random.choice(FORMS)
        return getattr(self, f"_{form}")(locale), form, locale

    def _frame(self, frames):
        mine = frames[self.parity :: 2] or frames
        return self.random.choice(mine)

    def _decoy(self):
        r = self.random
        return r.choice(FRAMES["decoys"]).format(
            *(r.randrange(1, 99) for _ in range(4)), d=r.randrange(1, 29),
            sha=sha1(r.randbytes(8)).hexdigest(), digest=sha256(r.randbytes(8)).hexdigest(),
            uuid=uuid.UUID(bytes=r.randbytes(16)), hexa=r.randbytes(4).hex(),
        )  # fmt: skip

    # ------------------------------------------------------------ forms

    def _prose(self, locale):
        language = LOCALES[locale]
        lines = []
        for _ in range(self.random.randint(1, 4)):
            kind = self.random.choice(KINDS)
            if kind == "PERSON":
                frame = self._frame(FRAMES["persons"][language])
            elif kind == "ADDRESS":
                frame = self._frame(FRAMES["addresses"][language])
            elif kind in FRAMES["labelled"]:
                frame = self._frame(FRAMES["labelled"][kind][language])
            elif kind in ("USERNAME", "LOGIN"):
                frame = self._frame(FRAMES["code"][kind])
            else:
                frame = self._frame(FRAMES["neutral"][language])
            lines.append(self._filled(frame, kind, locale))
            if self.random.random() < 0.5:
                lines.append((self._decoy() + ".", []))
        return _joined(lines, "\n" if self.random.random() < 0.5 else " ")

    def _code(self, locale):
        return self._lines(FRAMES["code"], locale, decoy=lambda: f"value = '{self._decoy()}'")

    def _log(self, locale):
        r = self.random

        def stamped(line):
            stamp = (
                f"2026-03-{r.randrange(1, 29):02d} 10:{r.randrange(60):02d}:31,{r.randrange(999):03d} INFO "
            )
            return stamp + line[0], [(s + len(stamp), e + len(stamp), k) for s, e, k in line[1]]

        return self._lines(FRAMES["logs"], locale, decoy=self._decoy, each=stamped)

    def _settings(self, locale):
        return self._lines(FRAMES["settings"], locale, decoy=lambda: f"# {self._decoy()}")

    def _lines(self, frames, locale, decoy, each=lambda line: line):
        lines = []
        for _ in range(self.random.randint(2, 5)):
            kind = self.random.choice(list(frames))
            lines.append(each(self._filled(self._frame(frames[kind]), kind, locale)))
            lines.append(each((decoy(), [])))
        return _joined(lines, "\n")

    def _json(self, locale):
        kinds = self.random.sample(list(FRAMES["fields"]), self.random.randint(2, 5))
        record = {"id": str(uuid.UUID(bytes=self.random.randbytes(16))), "note": self._decoy(), "count": 12}
        values = {}
        for kind in kinds:
            value = self.value(kind, locale)
            record[self._frame(FRAMES["fields"][kind])] = value
            values[value] = kind
        text = json.dumps(record, ensure_ascii=False, indent=self.random.choice((None, 2)))
        found = []
        for value, kind in values.items():
            written = json.dumps(value, ensure_ascii=False)[1:-1]
            start = text.index(written)
            found.append((start, start + len(written), kind))
        return text, sorted(found)

    def _filled(self, frame, kind, locale):
        value = self.value(kind, locale)
        before, _, after = frame.replace("{{", "\0").replace("}}", "\1").partition("{}")
        before, after = (part.replace("\0", "{").replace("\1", "}") for part in (before, after))
        return before + value + after, [(len(before), len(before) + len(value), kind)]

    # ------------------------------------------------------------ values

    def value(self, kind, locale):
        """A value of a kind, as people of the locale have it."""
        return getattr(self, f"_{kind.lower()}")(self.fakers[locale], locale)

    def _chars(self, count, alphabet=MIXED):
        return "".join(self.random.choice(alphabet) for _ in range(count))

    def _person(self, faker, locale):
        return f"{faker.first_name()} {faker.last_name()}"

    def _address(self, faker, locale):
        return faker.address().replace("\n", ", ")

    def _email(self, faker, locale):
        return self.random.choice((faker.email, faker.ascii_company_email, faker.ascii_safe_email))()

    def _phone(self, faker, locale):
        return faker.phone_number()

    def _card(self, faker, locale):
        number = faker.credit_card_number(self.random.choice(("visa16", "mastercard", "amex")))
        grouped = " ".join(number[i : i + 4] for i in range(0, len(number), 4))
        return self.random.choice((number, grouped, grouped.replace(" ", "-")))

    def _iban(self, faker, locale):
        iban = faker.iban()
        return (
            iban if self.random.random() < 0.5 else " ".join(iban[i : i + 4] for i in range(0, len(iban), 4))
        )

    def _bic(self, faker, locale):
        return faker.swift8()

    def _national_id(self, faker, locale):
        return faker.cpf() if locale == "pt_BR" else faker.ssn()

    def _tax_id(self, faker, locale):
        if locale == "pt_BR":
            return faker.cnpj()
        if locale == "en_US":
            return faker.ein()
        return faker.vat_id() if hasattr(faker, "vat_id") else faker.numerify("CHE-###.###.###")

    def _passport(self, faker, locale):
        return self._chars(2, string.ascii_uppercase) + self._chars(7, string.digits)

    def _plate(self, faker, locale):
        return faker.license_plate()

    def _birth_date(self, faker, locale):
        day = faker.date_of_birth(minimum_age=18)
        return day.strftime(self.random.choice(("%d/%m/%Y", "%Y-%m-%d", "%d.%m.%Y")))

    def _ip_address(self, faker, locale):
        return self.random.choice((faker.ipv4_public, faker.ipv4_private, faker.ipv6))()

    def _mac_address(self, faker, locale):
        return faker.mac_address()

    def _hostname(self, faker, locale):
        r = self.random
        role = r.choice(("db", "web", "api", "build", "mail"))
        site = r.choice(("fra", "mil", "par"))
        number = r.randrange(1, 40)
        return r.choice(
            (f"{role}-{site}-{number:02d}", f"{role}{number}.{site}.corp", f"{role}-{number}.internal")
        )

    def _username(self, faker, locale):
        return faker.user_name()

    def _login(self, faker, locale):
        return f"{faker.user_name()}:{self._chars(12)}"

    def _password(self, faker, locale):
        word = self._chars(4, string.ascii_lowercase) + "-" + self._chars(5)
        return self.random.choice((self._chars(12), self._chars(8) + "!" + self._chars(3), word))

    def _api_key(self, faker, locale):
        prefix, count, alphabet = self.random.choice(KEYS)
        return prefix + self._chars(count, alphabet)

    def _auth_token(self, faker, locale):
        def part(content):
            return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

        head, body = {"alg": "HS256", "typ": "JWT"}, {"sub": faker.user_name(), "iat": 1772000000}
        return f"{part(head)}.{part(body)}.{self._chars(43)}"

    def _private_key(self, faker, locale):
        body = "\n".join(self._chars(64, string.ascii_letters + string.digits + "+/") for _ in range(6))
        name = self.random.choice(("RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "EC PRIVATE KEY"))
        return f"-----BEGIN {name}-----\n{body}\n-----END {name}-----"

    def _secret(self, faker, locale):
        return self._chars(self.random.choice((32, 40, 44)))

    def _wallet(self, faker, locale):
        return self.random.choice(("0x" + self._chars(40, HEX), "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"))

    def _coordinates(self, faker, locale):
        return f"{float(faker.latitude()):.5f}, {float(faker.longitude()):.5f}"


KINDS = (
    *("EMAIL", "PHONE", "CARD", "IBAN", "BIC", "NATIONAL_ID", "TAX_ID", "PASSPORT", "PLATE", "BIRTH_DATE"),
    *("IP_ADDRESS", "MAC_ADDRESS", "HOSTNAME", "USERNAME", "LOGIN", "PASSWORD", "API_KEY", "AUTH_TOKEN"),
    *("PRIVATE_KEY", "SECRET", "WALLET", "COORDINATES", "PERSON", "ADDRESS", "PERSON", "ADDRESS"),
)
