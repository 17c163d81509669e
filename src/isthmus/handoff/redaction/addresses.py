"""Postal addresses by how they are written: words for streets, house numbers, postcodes of many countries."""

from collections.abc import Iterable

from isthmus.handoff.redaction.rules import Rule, either
from isthmus.handoff.redaction.spans import GUESS

_CAPITAL = r"[A-Z\x{C0}-\x{DE}\x{100}-\x{24F}]"
_SMALL = r"[A-Za-z\x{C0}-\x{24F}'\x{2019}.\-]"
_WORD = rf"{_CAPITAL}{_SMALL}*"
_JOINT = (
    r"de|da|do|dos|das|del|della|di|du|des|la|le|les|am|an|im|bei|sur|sous|en|of|upon|the|van|von|den|der"
    rf"|[dl]['\x{{2019}}]{_WORD}"
)
_WORDS = rf"(?:d[aeio]s? )?{_WORD}(?: (?:{_WORD}|{_JOINT}|[0-9]+[ªº])){{0,4}}"
_NUMBER = r"[0-9]{1,5}(?: ?[A-Za-z]\b)?(?:[/\-][0-9]{1,4}[A-Za-z]?)?"
_BREAK = r"(?: ?, ?|\s?[\r\n]+\s{0,4}|\\n| - | )"
_POSTCODE = (
    r"(?:[A-Z]{1,2}-)?(?:[0-9]{5}-[0-9]{3,4}|[0-9]{2}-[0-9]{3}|[0-9]{3} [0-9]{2}|[0-9]{4} ?[A-Z]{2}\b"
    r"|[0-9]{4,5}|[A-Z]{1,2}[0-9][0-9A-Z]? ?[0-9][A-Z]{2})"
)
_PROVINCE = r"(?: \([A-Z]{2}\)| ?[/,\-] ?[A-Z]{2}\b)?"
_TOWN = rf"(?:{_BREAK}(?:{_WORDS}{_BREAK}){{0,2}}(?:[A-Z]{{2}} )?(?:{_POSTCODE})(?:,? {_WORDS})?{_PROVINCE})?"
_ENGLISH = either(r"""
    Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Way|Terrace|Square|Sq|
    Crescent|Close|Highway|Hwy|Parkway|Pkwy|Trail|Circle|Plaza|Row|Mews|Grove|Gardens|Hill|Park|Heights|
    Mount|Springs|Station|Walk|Alley|Bridge|Brook|Camp|Canyon|Cape|Cliff|Common|Corner|Course|Cove|Creek|
    Crossing|Dale|Dam|Divide|Estate|Estates|Expressway|Extension|Falls|Ferry|Field|Fields|Flat|Flats|Ford|
    Forest|Forge|Fork|Forks|Fort|Freeway|Garden|Gateway|Glen|Green|Harbor|Haven|Hills|Hollow|Inlet|Island|
    Isle|Junction|Key|Keys|Knoll|Lake|Lakes|Landing|Light|Loaf|Lock|Locks|Lodge|Loop|Manor|Meadow|Meadows|
    Mill|Mills|Mission|Motorway|Mountain|Neck|Orchard|Oval|Overpass|Parks|Parkways|Pass|Passage|Path|Pike|
    Pine|Pines|Plain|Plains|Point|Points|Port|Ports|Prairie|Radial|Ramp|Ranch|Rapid|Rest|Ridge|River|Route|
    Run|Shoal|Shore|Shores|Skyway|Spring|Spur|Spurs|Stravenue|Stream|Summit|Throughway|Trace|Track|
    Trafficway|Tunnel|Turnpike|Underpass|Union|Valley|Via|Viaduct|View|Views|Village|Ville|Vista|Well|Wells|
    Burg|Bypass|Center|Centers|Causeway|Club
""")
_BEFORE = either(  # what comes before the name of a street
    r"""
    Via|C\.|Viale|V\.le|Piazza|P\.za|P\.zza|Piazzale|Corso|C\.so|Largo|Vicolo|Strada|Borgo|Contrada|Rotonda|
    Canale|Incrocio|Stretto|Vico|Lungomare|Lungotevere|Calle|C/|Avenida|Avda\.?|Av\.|Plaza|Pza\.?|Paseo|
    Camino|Ronda|Carrer|Alameda|Glorieta|Pasaje|Vía|Urbanización|Cuesta|Acceso|Callejón|Carretera|Travesía|
    Rambla|Pasadizo|Cañada|Rua|Travessa|Praça|Estrada|Rodovia|Largo|Viela|Vila|Jardim|Loteamento|Condomínio|
    Conjunto|Quadra|Setor|Sítio|Fazenda|Feira|Favela|Morro|Núcleo|Parque|Passarela|Pátio|Recanto|
    Residencial|Trecho|Trevo|Vale|Vereda|Viaduto|Campo|Chácara|Colônia|Distrito|Esplanada|Estação|Ladeira|
    Lago|Lagoa|Área|Aeroporto|ul\.|al\.|pl\.|os\.|aleja|ulica|plac
    """
)
_FRENCH = either(r"""
    rue|avenue|av\.|boulevard|bd|place|chemin|allée|impasse|quai|cours|route|square|passage|ruelle|sentier|
    faubourg
""")
_AFTER = either(  # what a street's name ends with
    r"""
    straße|strasse|str\.|weg|platz|allee|gasse|ring|damm|ufer|graben|hof|steig|stieg|straat|laan|plein|
    gracht|kade|singel|dijk|pad|boulevard|steeg|dreef|baan|hof|ring|gatan|vägen|gränd|torget|gränden|stigen|
    vej|vejen|gade|allé|stræde|plads|parken|veien|gata|katu|tie|kuja|polku|tänav
    """
)
_LABELS = either(r"""
    (?:street|home|mailing|postal|billing|shipping|delivery)?[ _-]?address(?:[ _-]?line[ _-]?1)?|indirizzo|
    residenza|domicilio|adresse|anschrift|wohnhaft in|dirección|endereço|adres|adress|residente in|
    residing at|lives at|live at|abita in|abito in|habite(?: au)?|wohnt in|wohne in|vive en|vivo en|mora na|
    moro na|woon op|woont op|mieszka przy|bor på
""")


def address_rules() -> list[Rule]:
    """What finds postal addresses."""
    flat = r"(?:Flat|Apt|Suite|Unit|Studio|Puerta|Piso|Piano|Appartamento|Apartamento|Interno|#)\.? ?[0-9]\w*"
    french = r"(?:(?:de|du|des|la|le|les|[dl]['\x{2019}]) ?){0,2}"
    field = rf"(?i:{_LABELS})[\"'`]?\s{{0,2}}[:=]?\s{{0,2}}[\"'`]?([^\"'`\n;|{{}}<>]{{6,140}})"
    return [
        _rule(
            rf"\b{_NUMBER},? (?:[NSEW]\.? )?{_WORDS} (?:{_ENGLISH})\b\.?(?:,? {flat})?{_TOWN}",
            needs=rf"[0-9]\S*,? .* (?:{_ENGLISH})",
        ),
        _rule(
            rf"{flat},?\s{{1,3}}(?:{_NUMBER},? )?{_WORDS}(?:{_BREAK}{_WORDS})?{_TOWN}",
            needs="(?:flat|studio|unit|apt|suite) ?[.0-9]",
        ),
        _rule(
            rf"\b(?:{_BEFORE}) ?{_WORDS},? ?(?:n\.? ?|nº ?|n° ?|km ?)?{_NUMBER}(?:,? {flat})?{_TOWN}",
            needs=rf"(?:{_BEFORE}) ?\pL",
        ),
        _rule(
            rf"\b{_NUMBER}(?: (?:bis|ter|quater))?,? (?i:{_FRENCH}) {french}{_WORDS}{_TOWN}",
            needs=rf"[0-9],? (?:bis |ter )?(?:{_FRENCH}) ",
        ),
        _rule(
            rf"{_CAPITAL}{_SMALL}*(?:[ \-]{_WORD}){{0,2}}(?:{_AFTER}|[ \-](?i:{_AFTER})),? {_NUMBER}{_TOWN}",
            needs=rf"(?:{_AFTER}),? [0-9]",
        ),
        Rule("ADDRESS", field, _labelled, 1, GUESS, needs=_LABELS),
    ]


def _rule(pattern: str, needs: str) -> Rule:
    return Rule("ADDRESS", pattern, rank=71, needs=needs)


def _labelled(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    """After a label: up to the end of the sentence or field, if it has a number and a capital letter."""
    value = text[start:end]
    for stop in (". ", "\\n", "\t", "  "):
        value = value.split(stop, 1)[0]
    told = (
        any(map(str.isdigit, value))
        and any(map(str.isupper, value))
        and "@" not in value
        and "://" not in value
    )
    return ((start, start + len(value)),) if told and " " in value.strip() else ()
