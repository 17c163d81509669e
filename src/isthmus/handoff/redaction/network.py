"""Where machines and people's files are: addresses, host names, logins in URLs, home folders, coordinates."""

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache

from isthmus.handoff.redaction.rules import Labels, Rule, alone, either, labelled

_PUBLIC_USERS = frozenset(
    either("""
    user|users|username|you|me|name|your-name|yourname|public|shared|default|admin|root|ubuntu|runner|
    vscode|node|app|guest|administrator|all|linuxbrew
""").split("|")
)
"""Home folders that say nothing of anybody."""

_VERSION = Labels("version", "v", "ver", "release", "firmware")
_HOSTS = "host|hostname|server|node|machine|computer[ _]?name|nodename|fqdn"
_USERS = (
    "user|user[ _]?name|login|logname|utente|nome[ _]utente|utilisateur|benutzer(?:name)?|usuario|usuário"
    "|gebruiker|gebruikersnaam|account[ _]?name"
)
_PLACES = "lat|latitude|lon|lng|longitude|latitudine|longitudine"
_PLACE = Labels(*_PLACES.split("|"), "coordinates", "gps")
_SAID = r"[\"'`]?\s{0,2}(?:=>|:=|[:=]|\bis\b)\s{0,2}[\"'`]?"
"""What stands between a label and its value."""
_INNER = (
    "internal|local|lan|corp|intra|intranet|private|localdomain|home|home\\.arpa|svc|cluster\\.local|consul"
)
_ATTRIBUTES = (".internal", ".local", ".home", ".private", ".svc")
"""Endings that an attribute in a program may have, too: ``threading.local``."""
_ROLE = either(r"""
    prod|prd|stage|staging|stg|dev|test|qa|uat|db|web|app|api|srv|server|node|worker|master|vm|host|mail|
    smtp|dc|sql|mysql|postgres|pg|redis|kafka|mongo|nas|fs|file|backup|proxy|lb|gw|vpn|bastion|jump|ci|
    build|git|k8s|es
""")


def network_rules() -> list[Rule]:
    """What finds addresses of machines, logins in URLs, user names in paths, and coordinates."""
    return [
        Rule("IP_ADDRESS", r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", _ipv4, rank=32),
        Rule(
            "IP_ADDRESS",
            r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}(?:(?:\.[0-9]{1,3}){3})?",
            _ipv6,
            rank=32,
        ),
        Rule("MAC_ADDRESS", r"\b[0-9A-Fa-f]{2}(?:[:\-][0-9A-Fa-f]{2}){5}\b", _mac, rank=27),
        Rule("MAC_ADDRESS", r"\b[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\b", rank=27),
        Rule(
            "LOGIN",
            r"[A-Za-z][A-Za-z0-9+.\-]+://([^\s/@:\"'<>]*:[^\s/@\"'<>]+)@",
            group=1,
            rank=12,
            needs="://",
        ),
        Rule("LOGIN", r"[A-Za-z][A-Za-z0-9+.\-]+://([^\s/@:\"'<>]+)@", _login, 1, 13, needs="://"),
        Rule(
            "USERNAME",
            r"/(?:home|Users|export/home|data/home)/([^\s/\\:\"'<>|*?,;)(\]\[}{]+)",
            _folder,
            1,
            24,
        ),
        Rule(
            "USERNAME",
            r"(?:[A-Za-z]:|%SystemDrive%)[/\\]{1,2}(?:Users|Documents and Settings)[/\\]{1,2}"
            r"([^\s/\\:\"'<>|*?,;]+)",
            _folder,
            1,
            24,
        ),
        Rule(
            "USERNAME",
            rf"\b(?:{_USERS}){_SAID}([^\s\"'`,;:)(\[\]{{}}<>=]{{2,64}})",
            _named_user,
            1,
            55,
            any_case=True,
        ),
        Rule(
            "HOSTNAME", rf"\b(?:[a-zA-Z0-9](?:[a-zA-Z0-9\-]{{0,62}})\.)+(?:{_INNER})\b", _inner_host, rank=35
        ),
        Rule(
            "HOSTNAME",
            rf"\b(?:[a-z0-9]+-)*(?:{_ROLE})[a-z]{{0,8}}(?:-[a-z0-9]{{1,12}}){{0,4}}-?[0-9]{{1,4}}\b",
            _numbered_host,
            rank=56,
        ),
        Rule(
            "HOSTNAME",
            rf"\b(?:{_HOSTS}){_SAID}([A-Za-z0-9][A-Za-z0-9\-.]{{2,80}})",
            _named_host,
            1,
            57,
            any_case=True,
        ),
        Rule("HOSTNAME", r"\\\\([A-Za-z0-9][A-Za-z0-9.\-]{1,62})\\", group=1, rank=35),
        Rule(
            "COORDINATES",
            r"[+\-]?[0-9]{1,2}\.[0-9]{3,12}°?\s?[NS]?\s{0,2}[,;]\s{0,2}[+\-]?[0-9]{1,3}\.[0-9]{3,12}°?"
            r"(?:\s?[EWO]\b)?",
            _pair,
            rank=37,
        ),
        Rule(
            "COORDINATES",
            r"[0-9]{1,3}°\s?[0-9]{1,2}[\x{2032}']\s?(?:[0-9]{1,2}(?:\.[0-9]+)?[\x{2033}\"]\s?)?[NSEWO]\b",
            rank=37,
        ),
        Rule(
            "COORDINATES",
            rf"\b(?:{_PLACES}){_SAID}([+\-]?[0-9]{{1,3}}\.[0-9]{{3,15}})",
            group=1,
            rank=48,
            any_case=True,
        ),
    ]


@lru_cache(4096)
def _tells(address: str, kind: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address]) -> bool:
    """Whether it is an address, and says more than "this machine" or "any"."""
    try:
        read = kind(address)
    except ValueError:
        return False
    return not (read.is_loopback or read.is_unspecified or address.startswith("255."))


def _ipv4(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    if (
        not alone(text, start, end)
        or text[start - 1 : start] == "."
        or re.match(r"\.\d", text[end : end + 2])
    ):
        return ()
    told = _tells(text[start:end], ipaddress.IPv4Address) and not labelled(text, start, _VERSION, 12)
    return ((start, end),) if told else ()


def _ipv6(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    if not alone(text, start, end, "_:"):
        return ()
    if text.count(":", start, end) == 8:
        end = text.rindex(":", start, end)  # a port
    if not _tells(text[start:end], ipaddress.IPv6Address):
        return ()
    groups = [group for group in text[start:end].split(":") if group]
    worded = len(groups) < 3 and not any(sign.isdigit() for sign in text[start:end])
    return () if worded else ((start, end),)


def _mac(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    return ((start, end),) if alone(text, start, end, "_:-") else ()


def _login(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    return () if text[start:end].startswith(("git", "$", "{")) else ((start, end),)


def _folder(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    name = text[start:end].rstrip("/\\.")
    if name.lower() in _PUBLIC_USERS or not name or name[0] in "$%{~":
        return ()
    return ((start, start + len(name)),)


_NOT_SAID = frozenset(
    either("""
    none|null|true|false|undefined|nil|string|str|int|type|self|this|the|a|an|is|was|has|not|and|or|of|to|
    in|name|username|user|password|root|admin|localhost|get|set|new|id|optional|required|unknown|anonymous|
    app|postgres|mysql|deploy|service|test|demo|www-data|nobody|default|session
""").split("|")
)


def _named_user(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    value = text[start:end].rstrip(".!?")
    if text[end : end + 1] in ("(", "[") or value.lower() in _NOT_SAID or value[:1] in "$%@&*-+/\\":
        return ()
    return ((start, start + len(value)),)


def _inner_host(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    name = text[start:end]
    called = text[end : end + 1] in ("(", "=", "_") or name.startswith(("self.", "this."))
    address = text[start - 1 : start] in ("/", "@") or re.match(r":\d", text[end : end + 2])
    if name.endswith(_ATTRIBUTES) and not address and not re.search(r"[-\d]|\..*\.", name):
        return ()
    follows = re.match(r"\.\w", text[end : end + 2])
    return () if called or follows or text[start - 1 : start] in (".", "_", "$") else ((start, end),)


def _numbered_host(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    name = text[start:end]
    before, after = text[max(0, start - 2) : start], text[end : end + 1]
    path = before[-1:] == "/" and before != "//"
    if name.count("-") < 2 or path or _IDENTIFIER.fullmatch(name):
        return ()
    return () if before[-1:] in (".", "_", "-", "$") or after in ("_", "(", "-") else ((start, end),)


_IDENTIFIER = re.compile(r"[0-9a-f]{4,}(?:-[0-9a-f]{4,})+")


def _named_host(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    name = text[start:end].rstrip(".-")
    if name.lower() in _NOT_SAID or name.isdigit() or not ("-" in name or "." in name or name[-1].isdigit()):
        return ()
    if text[end : end + 1] in ("(", "[") or re.fullmatch(r"[\d.]+", name):
        return ()
    return ((start, start + len(name)),)


def _pair(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    numbers = [float(each) for each in re.findall(r"[+-]?\d+\.\d+", text[start:end])]
    exact = all(len(each) >= 4 for each in re.findall(r"\.(\d+)", text[start:end]))
    inside = len(numbers) == 2 and abs(numbers[0]) <= 90 and abs(numbers[1]) <= 180
    wanted = exact or labelled(text, start, _PLACE)
    return ((start, end),) if inside and wanted and alone(text, start, end) else ()
