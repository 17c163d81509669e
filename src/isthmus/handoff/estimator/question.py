"""What the shape of a question says of its difficulty: numbers, steps, kinds of work, form.

Every feature is bounded, so that a long text is not a hard one by its length, and only the two ends of a
long text are looked at. Words for kinds of work are English; in other languages the counts still speak.
"""

import math
import re

from isthmus.handoff.estimator.words import seen
from isthmus.scoring import quantities

_NUMBER_WORD = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty"
    r"|hundred|thousand|million)\b"
)
_RATIO = re.compile(
    r"%|\b(?:percent|half|third|quarter|fourth|fifth|twice|double|triple|times (?:as|more)|dozen|ratio"
    r"|average|rate|fraction|remaining|rest of)\b|\d/\d"
)
_CLAUSE = re.compile(
    r"[.;?!](?=\s|$)|,\s|\b(?:if|then|when|while|each|every|after|before|but|than|because|unless|until)\b"
)
_CONDITION = re.compile(r"\b(?:if|unless|until|assuming|suppose|given that|provided|let)\b")
_COMPARISON = re.compile(r"\b(?:more|less|fewer|greater|older|younger|faster|longer|left|difference)\b")
_WORK = re.compile(
    r"\b(?:how (?:many|much|long|far|old|fast)|calculate|compute|solve|step by step|in total|altogether"
    r"|what percentage|evaluate)\b"
)
_ABSTRACT = re.compile(
    r"\b(?:prove|proof|derive|integral|derivative|theorem|lemma|probability|equation|polynomial|matrix"
    r"|eigenvalues?|algebra|modulo|complexity|optimal|optimi[sz]e|converge[sd]?|differential|combinatori\w+)\b"
    r"|[∫∑∏√∂∀∃≤≥]|\\(?:int|sum|frac|sqrt|prod)\b"
)
_ENGINEERING = re.compile(
    r"\b(?:debug|refactor|race condition|deadlock|concurren\w+|thread-safe|memory leak|segfault|traceback"
    r"|stack trace|algorithm|implement|architecture|migrat\w+|backwards? compatib\w+|vulnerabilit\w+"
    r"|distributed|consensus|compiler|parser|lock-free|regression)\b"
)
_ANALYSIS = re.compile(
    r"\b(?:analy[sz]e|critique|compare and contrast|trade-?offs?|design a|devise|strategy|diagnos\w+"
    r"|differential diagnosis|evaluate the|in depth|comprehensive|justify|rigorous\w*)\b"
)
_REWORK = re.compile(
    r"\b(?:summari[sz]e|summary|translate|rewrite|rephrase|paraphrase|extract|proofread|shorten|tl;?dr"
    r"|correct the|fix the (?:grammar|spelling|typos)|reformat|bullet points|classify|make it shorter)\b"
)
_OPEN = re.compile(
    r"\b(?:write|compose|tell|give|make|create|invent|draft|suggest|come up with|imagine|describe)\b"
    r"[^.?!]{0,40}\b(?:poems?|haikus?|limericks?|sonnets?|rhymes?|lyrics|songs?|stor(?:y|ies)|tales?|fables?|jokes?|puns?"
    r"|riddles?|slogans?|taglines?|mottos?|names?|titles?|ideas?|messages?|letters?|e-?mails?|toasts?|speech(?:es)?"
    r"|greetings?|invitations?|dialogues?|conversations?|scenes?)\b|\bbrainstorm\w*"
)
_NEGATED = re.compile(r"\b(?:NOT|EXCEPT|LEAST|not true|false|incorrect)\b")
_OPTION = re.compile(r"^\(?[A-J][.):]\s", re.MULTILINE)
_CODE = re.compile(
    r"```|\bdef \w+\(|\bclass \w+[:({]|[{};]\s*$|#include|=>|\bSELECT\b.*\bFROM\b", re.MULTILINE
)
_FORMULA = re.compile(r"[=+*^<>]|\b[a-z]\^?\d|\b[xyz]\b|\\\w+|[√∫∑π°]")
_SYSTEM = re.compile(r"\bStatement (?:\d|I+)\b|\bI+ (?:and|or) I+\b|\bstatements?\b")


def open_ended(text: str) -> bool:
    """Whether answers that share no word may be equally good: poems, jokes, names; not sums, proofs or code.

    How sure a model was of each of its words then says nothing of what it wrote.
    """
    text = seen(text)
    lower = text.lower()
    closed = (_WORK, _ABSTRACT, _ENGINEERING)
    return bool(_OPEN.search(lower)) and not (
        _CODE.search(text) or any(each.search(lower) for each in closed)
    )


def question_features(text: str) -> dict[str, float]:
    """The shape of a question, as bounded counts; at most a fifth of a millisecond for any text."""
    whole, text = text, seen(text)
    lower = text.lower()
    numbers = quantities(text)
    options = len(_OPTION.findall(text))
    stem = _OPTION.split(text, maxsplit=1)[0] if options >= 2 else text
    count = stem.count(" ") + 1
    return {
        "length": math.log(min(count, 300)),
        "very long": float(len(whole) > 2000),
        "numbers": float(min(len(numbers) + len(_NUMBER_WORD.findall(lower)), 10)),
        "large numbers": math.log1p(min(float(max(map(abs, numbers), default=0)), 1e6)),
        "decimals": float(any(each.denominator != 1 for each in numbers)),
        "ratios": float(min(len(_RATIO.findall(lower)), 4)),
        "clauses": float(min(len(_CLAUSE.findall(stem.lower())), 12)),
        "conditions": float(min(len(_CONDITION.findall(lower)), 3)),
        "comparisons": float(min(len(_COMPARISON.findall(lower)), 4)),
        "sums asked": float(bool(_WORK.search(lower))),
        "abstract": float(min(len(_ABSTRACT.findall(lower)), 3)),
        "engineering": float(min(len(_ENGINEERING.findall(lower)), 3)),
        "analysis": float(min(len(_ANALYSIS.findall(lower)), 2)),
        "rework": float(bool(_REWORK.search(lower))),
        "open-ended": float(open_ended(text)),
        "negation": float(bool(_NEGATED.search(text))),
        "options": float(options >= 2),
        "numeric options": float(options >= 2 and _numeric_options(text)),
        "code": float(bool(_CODE.search(text))),
        "formulas": math.log1p(min(len(_FORMULA.findall(stem)), 20)),
        "statements": float(bool(_SYSTEM.search(text))),
        "quoted": float(text.count('"') >= 2 or "“" in text),
        "blank": float("__" in text),
        "long words": _long_words(stem),
    }


def _numeric_options(text: str) -> bool:
    """Whether most of the options of a choice are numbers or formulas."""
    bodies = [part.strip() for part in _OPTION.split(text)[1:]]
    digits = sum(
        bool(body) and sum(c.isdigit() for c in body) >= 0.3 * len(body.split("\n")[0]) for body in bodies
    )
    return digits >= len(bodies) / 2


def _long_words(text: str) -> float:
    """The share of words of eight letters and more."""
    found = text.split()
    return sum(len(word) >= 8 for word in found) / len(found) if found else 0.0
