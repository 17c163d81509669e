from itertools import pairwise

import pytest

from isthmus.errors import SettingsError
from isthmus.handoff.redaction.detector import Detector
from isthmus.settings import RedactionSettings

BARE = Detector(RedactionSettings(recogniser="off"))
NAMED = Detector(RedactionSettings(recogniser="builtin"))


def found(text, detector=BARE):
    return [(span.kind, text[span.start : span.end]) for span in detector.find(text)]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("write to Mario.Rossi+x@mail.example.org.", "EMAIL", "Mario.Rossi+x@mail.example.org"),
        ("jürgen@bücher.example", "EMAIL", "jürgen@bücher.example"),
        ("mario (at) example (dot) org", "EMAIL", "mario (at) example (dot) org"),
        ('"a\\nmario@example.org"', "EMAIL", "mario@example.org"),
        ("call +39 333 1234567 now", "PHONE", "+39 333 1234567"),
        ("call 0033 6 12 34 56 78 now", "PHONE", "0033 6 12 34 56 78"),
        ("or (415) 555-2671 x12.", "PHONE", "(415) 555-2671 x12"),
        ("ou 01 42 68 53 00", "PHONE", "01 42 68 53 00"),
        ("tel: 3331234567", "PHONE", "3331234567"),
        ("card 4111 1111 1111 1111 ok", "CARD", "4111 1111 1111 1111"),
        ("22 4111-1111-1111-1111", "CARD", "4111-1111-1111-1111"),
        ("iban IT60 X054 2811 1010 0000 0123 456 per favore", "IBAN", "IT60 X054 2811 1010 0000 0123 456"),
        ("DE89370400440532013000", "IBAN", "DE89370400440532013000"),
        ("BIC: DEUTDEFF500", "BIC", "DEUTDEFF500"),
        ("account no. 12345678", "ACCOUNT", "12345678"),
        ("to 0x" + "52908400" * 5, "WALLET", "0x" + "52908400" * 5),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "WALLET", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"),
        ("C.F. RSSMRA85T10A562S", "NATIONAL_ID", "RSSMRA85T10A562S"),
        ("NIR 1 85 12 75 108 012 40", "NATIONAL_ID", "1 85 12 75 108 012 40"),
        ("DNI 12345678Z", "NATIONAL_ID", "12345678Z"),
        ("NIE X1234567L", "NATIONAL_ID", "X1234567L"),
        ("SSN 123-45-6789", "NATIONAL_ID", "123-45-6789"),
        ("NINO AB 12 34 56 C", "NATIONAL_ID", "AB 12 34 56 C"),
        ("AHV 756.9217.0769.85", "NATIONAL_ID", "756.9217.0769.85"),
        ("CPF 390.533.447-05", "NATIONAL_ID", "390.533.447-05"),
        ("PESEL 44051401359", "NATIONAL_ID", "44051401359"),
        ("Partita IVA 00743110157", "TAX_ID", "00743110157"),
        ("IT00743110157", "TAX_ID", "IT00743110157"),
        ("Steuer-ID 36 574 261 809", "TAX_ID", "36 574 261 809"),
        ("NHS number 943 476 5919", "HEALTH_ID", "943 476 5919"),
        ("passport no. YA1234567", "PASSPORT", "YA1234567"),
        ("Targa: AB 123 CD", "PLATE", "AB 123 CD"),
        ("plaque AB-123-CD", "PLATE", "AB-123-CD"),
        ("patente U1A23B456C", "LICENCE", "U1A23B456C"),
        ("born on 12 March 1980", "BIRTH_DATE", "12 March 1980"),
        ("nata il 03/07/1991 a Roma", "BIRTH_DATE", "03/07/1991"),
        ("from 93.184.216.34 today", "IP_ADDRESS", "93.184.216.34"),
        ("at 2001:db8::ff00:42:8329", "IP_ADDRESS", "2001:db8::ff00:42:8329"),
        ("00:1B:44:11:3A:B7", "MAC_ADDRESS", "00:1B:44:11:3A:B7"),
        ("postgres://app:s3cret@example.com/x", "LOGIN", "app:s3cret"),
        ("cd /home/mario/src", "USERNAME", "mario"),
        (r"C:\Users\nina\src", "USERNAME", "nina"),
        ("ssh to nas.lan", "HOSTNAME", "nas.lan"),
        ("ping db-prod-01", "HOSTNAME", "db-prod-01"),
        ("at 41.90278, 12.49636", "COORDINATES", "41.90278, 12.49636"),
        ("sk-proj-abcdefghij0123456789ABCDEFGHIJ", "API_KEY", "sk-proj-abcdefghij0123456789ABCDEFGHIJ"),
        ("AKIAIOSFODNN7EXAMPLE", "API_KEY", "AKIAIOSFODNN7EXAMPLE"),
        ("Authorization: Bearer abc123def456ghi789", "AUTH_TOKEN", "abc123def456ghi789"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.a-D_1", "AUTH_TOKEN", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.a-D_1"),
        ("password: W7iWA(3kfa#C8t", "PASSWORD", "W7iWA(3kfa#C8t"),
        ("DB_PASSWORD=hunter", "PASSWORD", "hunter"),
        ("la password è Gatto99!", "PASSWORD", "Gatto99!"),
        ('{"client_secret": "abc def"}', "PASSWORD", "abc def"),
        ("mysql --password hunter2x", "PASSWORD", "hunter2x"),
        ("x = 'aB3dE5fG7hJ9kL1mN3pQ5rS7tU9v'", "SECRET", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9v"),
    ],
)  # fmt: skip
def test_what_is_private_is_found(text, kind, value):
    assert (kind, value) in found(text)


def test_a_private_key_is_hidden_as_a_whole():
    key = "-----BEGIN RSA PRIVATE KEY-----\n" + "Ab1+" * 900 + "\n-----END RSA PRIVATE KEY-----"
    assert found(f"KEY = '''{key}'''") == [("PRIVATE_KEY", key)]


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:owner/repository.git",
        "icon@2x.png",
        "2026-11-22 13:30:49,123 INFO done",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "id 0b7f3c5e-8a52-4b1e-9c1d-2f6d5a9e4b10",
        "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        "max_tokens = 4096",
        "token = get_token(user)",
        "password = os.environ['PASSWORD']",
        "def login(user: str, password: str) -> None:",
        "compass = 'north'",
        "127.0.0.1 and ::1 and 0.0.0.0",
        "version 1.2.3.4",
        "threading.local()",
        "std::vector<int> a::b",
        "/home/user/x and /Users/Shared/y",
        "Total: 1,234.50 EUR for 12 items",
        "error 4111 1111 1111 1112",
        "src/isthmus/handoff/redaction/detector.py",
        "The quick brown fox jumps over the lazy dog.",
        "mean 0.12345 (n = 100), p < 0.001",
    ],
)
def test_what_is_nobodys_secret_stays(text):
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("Dear Mr. John Smith, thanks", "PERSON", "John Smith"),
        ("Mi chiamo Giulia De Santis.", "PERSON", "Giulia De Santis"),
        ("Best regards,\nZoë O'Neill\n", "PERSON", "Zoë O'Neill"),
        ("From: Łukasz Wójcik <lw@example.org>", "PERSON", "Łukasz Wójcik"),
        ('{"first_name": "Chiara"}', "PERSON", "Chiara"),
        ("ship to 12 Baker Street, London NW1 6XE", "ADDRESS", "12 Baker Street, London NW1 6XE"),
        ("in Via Garibaldi 12, 20121 Milano (MI).", "ADDRESS", "Via Garibaldi 12, 20121 Milano (MI)"),
        ("au 14 rue de la Paix, 75002 Paris", "ADDRESS", "14 rue de la Paix, 75002 Paris"),
        ("Hauptstraße 5, 10115 Berlin", "ADDRESS", "Hauptstraße 5, 10115 Berlin"),
        ("Calle Mayor 5, 28013 Madrid", "ADDRESS", "Calle Mayor 5, 28013 Madrid"),
        ("ul. Marszałkowska 10, 00-590 Warszawa", "ADDRESS", "ul. Marszałkowska 10, 00-590 Warszawa"),
        ("Kungsgatan 12, 111 35 Stockholm", "ADDRESS", "Kungsgatan 12, 111 35 Stockholm"),
    ],
)
def test_names_and_addresses_are_found_by_what_stands_around_them(text, kind, value):
    assert (kind, value) in found(text, NAMED)


def test_spans_come_in_order_and_do_not_overlap():
    text = "Dear Mr. Rossi, mail m@example.org, postgres://a:b@db.corp/x, /home/m/x, 4111111111111111" * 3
    spans = NAMED.find(text)
    assert all(one.end <= other.start for one, other in pairwise(spans))
    assert all(span.start < span.end for span in spans)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("4111111111111111 5555555555554444", ["4111111111111111", "5555555555554444"]),
        ("123456 4111 1111 1111 1111", ["4111 1111 1111 1111"]),
        ("NO9386011117947 GB82WEST12345698765432", ["NO9386011117947", "GB82WEST12345698765432"]),
        ("+39 333 1234567 +39 333 7654321", ["+39 333 1234567", "+39 333 7654321"]),
    ],
)  # fmt: skip
def test_neighbours_do_not_hide_each_other(text, values):
    assert [value for _, value in found(text)] == values


def test_a_pattern_of_ones_own():
    detector = Detector(RedactionSettings(patterns={"PROJECT": r"\bPRJ-\d{4}\b", "GUEST": r"guest=(\w+)"}))
    assert found("PRJ-1234 and guest=anna", detector) == [("PROJECT", "PRJ-1234"), ("GUEST", "anna")]


def test_what_may_leave_stays_in_any_case():
    detector = Detector(RedactionSettings(allow=("Support@Example.org",)))
    assert found("support@example.org or me@example.org", detector) == [("EMAIL", "me@example.org")]


def test_a_kind_that_is_not_wanted():
    detector = Detector(RedactionSettings(off=("EMAIL",)))
    assert found("me@example.org 93.184.216.34", detector) == [("IP_ADDRESS", "93.184.216.34")]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (RedactionSettings(patterns={"PROJECT": "(?<=x)y"}), "patterns.PROJECT is no regular expression"),
        (RedactionSettings(patterns={"PROJECT": "("}), "missing"),
        (RedactionSettings(patterns={"PROJECT": "a*"}), "would match everywhere"),
        (RedactionSettings(patterns={"project": "a"}), "called in capitals"),
        (RedactionSettings(patterns={"PROJECT": "a" * 3000}), "more than 2000 characters"),
        (RedactionSettings(off=("MAIL",)), "nothing called 'MAIL'"),
        (RedactionSettings(recogniser="presidio"), "needs isn't installed"),
    ],
)  # fmt: skip
def test_settings_that_can_not_be_used_are_explained(settings, message):
    with pytest.raises(SettingsError, match=message) as caught:
        Detector(settings)
    assert caught.value.hint or "2000" in message or "everywhere" in message


def test_a_pattern_that_would_take_others_for_ever_is_linear_here():
    detector = Detector(RedactionSettings(patterns={"SLOW": r"(a+)+b"}))
    assert found("a" * 50_000, detector) == []
