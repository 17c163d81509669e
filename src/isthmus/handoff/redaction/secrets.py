"""Keys, tokens and passwords: by their issuers' shapes, by what they are called, by their entropy."""

import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import cast

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins.base import RegexBasedDetector

from isthmus.handoff.redaction.rules import Rule, alone, either

_OURS_INSTEAD = frozenset(
    {
        *("Private Key", "JSON Web Token", "Basic Auth Credentials", "Public IP (ipv4)", "NPM tokens"),
        *("IBM Cloud IAM Key", "IBM COS HMAC Credentials", "Artifactory Credentials"),
    }
)
"""Detectors of detect-secrets that find a mark of a secret and not its bounds, or that a rule here covers."""

_ISSUED = (
    r"sk-(?:proj|svcacct|admin|ant|or|live|test)?-?[A-Za-z0-9_\-]{20,200}",  # OpenAI, Anthropic, OpenRouter
    r"github_pat_[A-Za-z0-9_]{22,255}",
    r"gh[pousr]_[A-Za-z0-9]{30,255}",
    r"gl(?:pat|dt|ft|soat|rt|ptt|imt|oas|agent|cbt)-[A-Za-z0-9_\-]{20,200}",
    r"AIza[0-9A-Za-z_\-]{35}",  # Google
    r"ya29\.[0-9A-Za-z_\-]{20,200}",
    r"GOCSPX-[0-9A-Za-z_\-]{20,40}",
    r"(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA|ANPA)[0-9A-Z]{16}",
    r"xox[abeoprs]-[0-9A-Za-z\-]{10,200}",
    r"xapp-[0-9]-[A-Za-z0-9\-]{10,200}",
    r"(?:sk|rk|pk|whsec)_(?:live|test)?_?[0-9a-zA-Z]{16,200}",  # Stripe
    r"SG\.[\w\-]{16,32}\.[\w\-]{16,64}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-[A-Za-z0-9_\-]{50,255}",
    r"hf_[A-Za-z0-9]{30,64}",
    r"r8_[A-Za-z0-9]{30,64}",
    r"gsk_[A-Za-z0-9]{40,64}",  # Groq
    r"xai-[A-Za-z0-9]{40,100}",
    r"pplx-[A-Za-z0-9]{40,64}",
    r"dop_v1_[a-f0-9]{64}",
    r"do[or]_v1_[a-f0-9]{64}",
    r"glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}",  # Grafana
    r"dckr_pat_[A-Za-z0-9_\-]{20,64}",
    r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",  # Shopify
    r"sq0[a-z]{3}-[0-9A-Za-z_\-]{22,64}",
    r"EAA[A-Za-z0-9]{80,255}",  # Meta
    r"hvs\.[A-Za-z0-9_\-]{20,200}",  # Vault
    r"[MNO][A-Za-z0-9_\-]{23,25}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27,38}",  # Discord
    r"[0-9]{8,10}:[A-Za-z0-9_\-]{35}",  # Telegram
    r"(?:AC|SK)[0-9a-f]{32}",  # Twilio
    r"key-[0-9a-f]{32}",  # Mailgun
    r"[0-9a-f]{32}-us[0-9]{1,2}",  # Mailchimp
    r"lin_api_[A-Za-z0-9]{40}",
    r"secret_[A-Za-z0-9]{40,64}",  # Notion
    r"figd_[A-Za-z0-9_\-]{40,64}",
    r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}",
    r"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    r"https://hooks\.slack\.com/services/[A-Za-z0-9_/]{20,100}",
    r"https://discord(?:app)?\.com/api/webhooks/[0-9]+/[A-Za-z0-9_\-]{20,100}",
)

_PEM_NAME = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_PEM = rf"-----BEGIN {_PEM_NAME}(?:[^-]|-[^-]|--[^-])+-{{0,5}}(?:END {_PEM_NAME})?"
_JWT = r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{4,}(?:\.[A-Za-z0-9_\-]*)?"

_CALLED = either(r"""
    pass(?:word|wd|phrase|code|wort)?|pwd|pswd|kennwort|parola(?: d'ordine)?|mot[ _]?de[ _]?passe|mdp|
    contrase(?:ñ|n)a|clave|senha|wachtwoord|has(?:ł|l)o|l(?:ö|o)senord|salasana|パスワード|密码|пароль|secret|
    token|api[ _\-]?key|apikey|access[ _\-]?key(?:[ _\-]?id)?|secret[ _\-]?key|private[ _\-]?key|
    client[ _\-]?secret|auth[ _\-]?key|auth(?:orization)?[ _\-]?token|bearer|credentials?|session[ _\-]?id|
    cookie|pin(?: code)?|otp|signature|sig|encryption[ _\-]?key|signing[ _\-]?key|account[ _\-]?key|
    shared[ _\-]?key|webhook[ _\-]?secret|passkey
""")
_SAID = r"[\"'`\])]{0,2}\s{0,3}(?:=>|:=|==|=|:|：| (?:is|è|est|ist|es|é) )\s{0,4}"  # noqa: RUF001
_ASSIGNED = rf"(?:{_CALLED}){_SAID}(?:[\"'`]([^\"'`\n][^\"'`\n][^\"'`\n]+)[\"'`]|([^\s\"'`,;}}\]<>{{]+))"
_FLAG = rf"--?(?:{_CALLED})[ =][\"']?([^\s\"']+)"
_CALLED_SO = re.compile(rf"(?:\A|(?P<joint>[^\W\d_]))?(?P<name>{_CALLED}){_SAID}[\"'`]?\Z", re.IGNORECASE)
_HEADER = r"(?:Bearer|Basic|Token|ApiKey)\s+([A-Za-z0-9._~+/=\-]{12,})"

_NO_SECRET = re.compile(
    "(?:"
    + either(r"""
    none|null|nil|true|false|undefined|str(?:ing)?|int|bool|bytes|optional|required|any|secretstr|text|value|
    redacted|hidden|password|passwd|secret|token|changeme|example|your\b.*|my[_-]?(?:password|secret|token|key)|
    x{3,}|\*+|\.{3,}|_+|-+|<.*>|\{.*\}?|\$.*|%\w+%?|@\w+|self\..*|this\..*|os\..*|process\..*|env\..*|
    config\..*|settings\..*|args\..*|request\..*|getpass.*|input|not|the|a|an|is|was|are|be|for|and|to|in|of|
    on|with|too|wrong|correct|incorrect|invalid|missing|expired|empty|always|never|stored|sent|used|needed|here|
    that|this|bearer|basic|utf-?8|sha-?\d+|hs256|rs256|base64|hex
    """)
    + ")[.,;:!?]?",
    re.IGNORECASE,
)
"""Words that stand where a secret might."""
_PLAIN_WORD = re.compile(r"[a-zà-ÿ]+(?:_[a-z]+)*|[A-Z][a-z]+(?:[A-Z][a-z]+)*")
_LOOKED_UP = re.compile(r"[a-z_][a-z0-9_.]*[(\[]|[A-Za-z_][\w.]*\(.*\)$|[A-Za-z_]\w*\.[A-Za-z_][\w.]*$")
"""A call, an index or an attribute: what a program writes where a person writes a password."""

_DENSE = r"[A-Za-z0-9+/_\-]{24}[A-Za-z0-9+/_\-]*={0,2}"
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def secret_rules() -> list[Rule]:
    """What finds keys, tokens, passwords and other secrets."""
    issued = [Rule("API_KEY", rf"\b{shape}", _whole, rank=10) for shape in _ISSUED]
    return [
        Rule("PRIVATE_KEY", _PEM, rank=1),
        Rule("AUTH_TOKEN", _JWT, _jwt, rank=5),
        *issued,
        *_from_detect_secrets(),
        Rule("AUTH_TOKEN", _HEADER, _header, 1, 14),
        Rule("PASSWORD", _ASSIGNED, _assigned, 1, 15, any_case=True, needs=_CALLED),
        Rule("PASSWORD", _ASSIGNED, _assigned_bare, 2, 15, any_case=True, needs=_CALLED),
        Rule("PASSWORD", _FLAG, _flagged, 1, 15, any_case=True, needs=r"--?\w"),
        Rule("SECRET", _DENSE, _dense, rank=60),
    ]


def _from_detect_secrets() -> Iterable[Rule]:
    """detect-secrets' detectors of issued keys, as far as RE2 reads their patterns."""
    for name, detector in get_mapping_from_secret_type_to_class().items():
        if not issubclass(detector, RegexBasedDetector) or name in _OURS_INSTEAD:
            continue
        # Its author declares a property; what the classes have are lists.
        for pattern in cast("Iterable[re.Pattern[str]]", detector.denylist):
            shape = pattern.pattern.removesuffix(r"(?!\w)").replace("{50,1024}", "{50,1000}")
            if "(?<" not in shape and "(?!" not in shape:
                any_case = bool(pattern.flags & re.IGNORECASE)
                yield Rule("API_KEY", shape, _whole, rank=11, any_case=any_case)


def _whole(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    return ((start, end),) if alone(text, start, end, "") else ()


def _jwt(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    return ((start, end),) if text[start:end].count(".") or end - start > 40 else ()


def _header(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    value = text[start:end]
    return ((start, end),) if any(map(str.isdigit, value)) or _entropy(value) > 3.5 else ()


def _assigned(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    known = _NO_SECRET.fullmatch(text[start:end].strip()) or not _called_so(text, start)
    return () if known else ((start, end),)


def _called_so(text: str, start: int) -> bool:
    """Whether the name before a value is that of a secret: ``dbPassword`` is, ``compass`` is not."""
    called = _CALLED_SO.search(text, max(0, start - 48), start)
    return called is not None and (called["joint"] is None or called["name"][0].isupper())


def _assigned_bare(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    """Without quotes it may be a name, a call or a word of a sentence."""
    value = text[start:end].rstrip(".,?")
    if value.endswith(")") and "(" not in value:
        value = value.rstrip(")")
    if len(value) < 3 or _NO_SECRET.fullmatch(value) or _LOOKED_UP.match(value + text[end : end + 1]):
        return ()
    if not _called_so(text, start):
        return ()
    if _PLAIN_WORD.fullmatch(value) and not _said_outright(text, start):
        return ()
    return ((start, start + len(value)),)


def _flagged(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    """After a command's flag: ``--password hunter2``."""
    known = _NO_SECRET.fullmatch(text[start:end]) or end - start < 4 or text[start] == "-"
    return () if known else ((start, end),)


def _said_outright(text: str, start: int) -> bool:
    """Whether a plain word is given as somebody's password: ``PASSWORD=hunter``, ``password: hunter``."""
    line = text[text.rfind("\n", 0, start) + 1 : start]
    return bool(
        re.search(r"(?i)(?:pass\w*|pwd|parola|clave|senha|mdp|kennwort)[\"']?\s*[=:]\s*[\"'`]?$", line)
    ) and (not re.search(r"\bdef |\bfunc|\bfn |=>|->|\(", line))


def _dense(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    """Random-looking: letters of both cases and digits, no path, no name, no hash of a commit."""
    value = text[start:end]
    kinds = [any(test(sign) for sign in value) for test in (str.islower, str.isupper, str.isdigit)]
    if (
        not alone(text, start, end, "")
        or _UUID.fullmatch(value)
        or value.count("/") > max(1, len(value) // 16)
    ):
        return ()
    if not all(kinds) or _wordy(value):
        return ()
    if re.search(r"base64,$|sha\d{3}-$", text[max(0, start - 8) : start]):
        return ()
    return ((start, end),) if _entropy(value) >= 4.0 else ()


_WORD = re.compile(r"[A-Z]?[a-z]{3,}|[A-Z]{3,}(?![a-z])")


def _wordy(value: str) -> bool:
    """Whether most of it is words run together, as in names of classes and files."""
    words = [
        word for word in _WORD.findall(value) if sum(sign in "aeiouyAEIOUY" for sign in word) * 4 >= len(word)
    ]
    return sum(map(len, words)) > 0.6 * sum(map(str.isalpha, value))


def _entropy(value: str) -> float:
    """Shannon's, in bits for each character."""
    return -math.fsum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())
