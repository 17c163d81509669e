"""Names of people by what stands around them: no dictionary, so it knows every name and misses bare ones.

A name is found behind a title, a greeting, an introduction, a label or the end of a letter, and before a mail
address in brackets. Names in running text without any of these need a recogniser that has learnt them
(isthmus[privacy]).
"""

from collections.abc import Iterable

from isthmus.handoff.redaction.rules import Rule, either

_CAPITAL = r"[A-Z\x{C0}-\x{DE}\x{100}-\x{24F}\x{386}-\x{3AB}\x{400}-\x{42F}]"
_SMALL = r"[A-Za-z\x{C0}-\x{24F}\x{370}-\x{3FF}\x{400}-\x{52F}'\x{2019}\-]"
_WORD = rf"{_CAPITAL}{_SMALL}+"
_JOINT = r"(?:van|von|der|den|de|da|di|del|della|dos|du|la|le|af|bin|ibn|['\x{2019}]t|[OD]['\x{2019}]|Mc)"
_SURNAME = rf"(?:(?:{_JOINT} ){{0,2}}{_WORD}|{_CAPITAL}\.)"
NAME = rf"{_WORD}(?:[ \x{{00A0}}]{_SURNAME}){{0,3}}"
FULL_NAME = rf"(?:{_WORD}|{_CAPITAL}\.)(?:[ \x{{00A0}}]{_SURNAME}){{1,3}}"

_TITLES = either(r"""
    Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Sir|Lady|Lord|Madam|Rev|Sig|Signor|Signora|Signorina|Sig\.ra|
    Sig\.na|Dott|Dott\.ssa|Dottor|Dottoressa|Ing|Avv|Geom|Prof\.ssa|Mme|Mlle|Monsieur|Madame|Mademoiselle|
    Maître|Herr|Herrn|Frau|Sr|Sra|Srta|Señor|Señora|Señorita|Don|Doña|Senhor|Senhora|Dhr|Mevr|Mevrouw|
    Meneer|Pan|Panie|Pani|Pana|Panią|Hr|Fru|Herra|Rouva|Fröken|Dipl\.-Ing
""")
_SMALL_TITLES = (
    r"(?:sig|sig\.ra|sig\.na|dott|dott\.ssa|prof|prof\.ssa|ing|avv|geom|dr|mr|mrs|ms|mme|mlle)\."
    r"|signora?|signorina|monsieur|madame|señora?|señorita|senhora?|meneer|mevrouw|dottoressa|dottor"
)
_GREETINGS = either(r"""
    Dear|Hi|Hello|Hey|Ciao|Salve|Gentile|Gent\.mo|Gent\.ma|Caro|Cara|Egregio|Spettabile|Cher|Chère|Bonjour|
    Salut|Lieber|Liebe|Hallo|Sehr geehrter|Sehr geehrte|Hola|Estimado|Estimada|Querido|Querida|Olá|Oi|
    Prezado|Prezada|Caro|Beste|Geachte|Kjære|Kære|Kära|Hej|Hei|Cześć|Drogi|Droga|Szanowny|Szanowna|
    Good morning|Good evening|Buongiorno
""")
_INTRODUCTIONS = either(r"""
    [Mm]y name is|[Mm]y name['\x{2019}]s|[Mm]i chiamo|[Ii]l mio nome è|[Jj]e m['\x{2019}]appelle|
    [Mm]on nom est|[Ii]ch heiße|[Ii]ch heisse|[Mm]ein Name ist|[Mm]e llamo|[Mm]i nombre es|[Mm]eu nome é|
    [Mm]e chamo|[Mm]ijn naam is|[Ii]k heet|[Jj]ag heter|[Mm]itt namn är|[Mm]it navn er|[Jj]eg hedder|
    [Jj]eg heter|[Nn]azywam się|[Mm]am na imię|[Nn]imeni on|[Ss]igned by|[Cc]alled|[Nn]amed
""")
_STATEMENTS = either(r"""
    I am|I['\x{2019}]m|[Tt]his is|[Ss]ono|[Jj]e suis|[Cc]['\x{2019}]est|[Ii]ch bin|[Ss]oy|[Ss]ou|[Ii]k ben|
    [Jj]ag är|[Jj]eg er|[Jj]estem|[Oo]len|[Ss]peak (?:to|with)|[Ss]poke (?:to|with)|
    [Tt]alk(?:ed)? (?:to|with)|[Mm]eeting with|[Mm]et with|[Cc]ontact|[Aa]sk for|[Cc]all(?:ed)? from|
    [Oo]n behalf of|[Ww]rote|[Ww]ritten by|[Aa]ssigned to|[Rr]eported by
""")
_LABELS = either(r"""
    full[ _-]?name|name|customer|customer[ _-]?name|client|patient|contact|author|recipient|sender|owner|
    holder|assignee|employee|manager|beneficiary|from|to|cc|attn|nome e cognome|nome|nominativo|cliente|
    paziente|destinatario|mittente|intestatario|titolare|referente|nom complet|nom|titulaire|destinataire|
    expéditeur|kunde|kundin|inhaber|empfänger|absender|ansprechpartner|nombre completo|nombre|titular|
    remitente|nome completo|destinatário|remetente|naam|ontvanger|klant|namn|navn|kund|kunde|
    imię i nazwisko|nazwisko|klient|nimi|display[ _-]?name|cardholder|cardholder[ _-]?name|
    account[ _-]?holder|requester|reporter|approver|signed|user[ _-]?full[ _-]?name|committer|maintainer
""")
_PART_LABELS = either(r"""
    first[ _-]?name|last[ _-]?name|given[ _-]?name|family[ _-]?name|surname|middle[ _-]?name|
    maiden[ _-]?name|cognome|prénom|prenom|nom de famille|vorname|nachname|familienname|apellidos?|
    primer nombre|sobrenome|apelido|voornaam|achternaam|förnamn|efternamn|fornavn|efternavn|etternavn|imię|
    etunimi|sukunimi
""")
_ENDINGS = either(r"""
    (?:[Bb]est|[Kk]ind|[Ww]arm)(?: [Rr]egards| [Ww]ishes)?|[Rr]egards|
    [Yy]ours(?: sincerely| faithfully| truly)?|[Ss]incerely|[Cc]heers|[Tt]hanks|[Tt]hank you|[Mm]any thanks|
    [Cc]ordiali saluti|[Dd]istinti saluti|[Ss]aluti|[Uu]n saluto|[Gg]razie|[Cc]ordialement|[Bb]ien à vous|
    [Ss]alutations|[Mm]erci|[Mm]it freundlichen Grüßen|[Vv]iele Grüße|[Ll]iebe Grüße|[Gg]ruß|[Ss]aludos|
    [Uu]n saludo|[Aa]tentamente|[Gg]racias|[Aa]tenciosamente|[Aa]braços|[Oo]brigad[oa]|
    [Mm]et vriendelijke groet|[Gg]roeten|[Mm]ed vänlig hälsning|[Hh]älsningar|[Vv]änliga hälsningar|
    [Vv]enlig hilsen|[Mm]ed venlig hilsen|[Hh]ilsen|[Mm]vh|[Pp]ozdrawiam|[Zz] poważaniem|
    [Yy]stävällisin terveisin|[Tt]erveisin
""")
_SAID = r"[\"'`]?\s{0,2}(?:=>|:=|[:=])\s{0,3}[\"'`]?"

NO_NAMES = frozenset(
    either("""
    the|this|that|all|team|sir|madam|everyone|there|world|support|customer|user|admin|i|you|we|they|it|he|
    she|here|null|none|true|false|name|string|january|february|march|april|may|june|july|august|september|
    october|november|december|monday|tuesday|wednesday|thursday|friday|saturday|sunday|english|python|json|
    error|hello|dear|hi|bearer|basic|authorization
""").split("|")
)
"""Words in capitals that are no names."""


def name_rules() -> list[Rule]:
    """What finds names of people."""
    return [
        _rule(
            rf"\b(?:(?:{_TITLES})\.?|{_SMALL_TITLES}) (?:(?:{_TITLES})\.? )?({NAME})",
            needs=rf"(?:(?:{_TITLES})\.?|{_SMALL_TITLES}) ",
        ),
        _rule(
            rf"\b(?:{_GREETINGS}),? (?:(?:{_TITLES})\.? )*({NAME})\s{{0,2}}[,!.:;\n\\]",
            needs=rf"(?:{_GREETINGS}) ",
        ),
        _rule(rf"(?:{_INTRODUCTIONS}):? ({NAME})", needs=_INTRODUCTIONS),
        _rule(rf"\b(?:{_STATEMENTS}):? ({FULL_NAME})", needs=_STATEMENTS),
        _rule(rf"(?:^|[^\pL])(?i:{_LABELS}){_SAID}({FULL_NAME})", needs=_LABELS),
        _rule(rf"(?:^|[^\pL])(?i:{_PART_LABELS}){_SAID}({NAME})", needs=_PART_LABELS),
        _rule(
            rf"(?:{_ENDINGS})[,.!]?[ \t]*\r?\n\s{{0,8}}[—\-\x{2013}]? ?({NAME})\s*(?:\r?\n|$)", needs=_ENDINGS
        ),
        _rule(rf"({FULL_NAME})\"? ?<[^<>\s@]+@", needs="<[^<>\\s@]+@"),
        _rule(rf"({FULL_NAME}) ?\((?:[^()\s@]+@|\+\d)", needs=r"\((?:[^()\s@]+@|\+\d)"),
    ]


def _rule(pattern: str, needs: str) -> Rule:
    return Rule("PERSON", pattern, _name, group=1, rank=70, needs=needs)


def _name(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    words = text[start:end].split()
    while words and words[-1].lower().strip(".'\u2019-") in NO_NAMES:
        words.pop()
    if not words or words[0].lower() in NO_NAMES or (words[0].isupper() and len(words) == 1):
        return ()
    last = text.rfind(words[-1], start, end) + len(words[-1])
    return ((start, last),)


def is_name(value: str) -> bool:
    """Whether what a model took for a name may be one: a capital, if its script has any, and no digit."""
    spoken = any(sign.isalpha() and not sign.islower() for sign in value)
    return spoken and not any(map(str.isdigit, value)) and value.lower() not in NO_NAMES
