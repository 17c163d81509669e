"""Prompts that are the same for every server and in every run, and different for every request.

They begin differently after a short system message that all share, so that a cache of earlier prompts helps
only where a conversation goes on.
"""

import random

SYSTEM = {"role": "system", "content": "You are a helpful assistant."}

NOUNS = (
    "river train bread clock map bridge lamp seed bell boat field garden house letter market morning "
    "mountain paper road school ship song stone street table tower tree village wall window winter"
)
ADJECTIVES = (
    "old new red blue green small large quiet early late warm cold bright dark heavy light long short"
)
VERBS = "found saw left built kept sold drew moved held bought"

SENTENCE_TOKENS, AROUND_TOKENS = 8, 34
"""What a sentence of a `diary` comes to, and what stands around the diary in `reading`: the same in the
tokenizers of SmolLM2 and Qwen2.5, since the words are common ones."""

NAMES = ("stock", "parcels", "tickets", "orders", "samples", "vehicles", "recipes", "accounts")

CODE = '''
"""Keeping track of {things}."""

import csv
from collections import defaultdict
from pathlib import Path


class UnknownEntry(KeyError):
    """Nothing of that name is on the list."""


class {Things}:
    """All {things}, by name, with a number for each."""

    def __init__(self, limit={limit}):
        self.limit = limit
        self.numbers = defaultdict(int)
        self.history = []

    def add(self, name, number=1):
        """Add some, up to the limit."""
        if number <= 0:
            raise ValueError(f"can't add {{number}}")
        if self.numbers[name] + number > self.limit:
            raise ValueError(f"{{name}} would pass the limit of {{self.limit}}")
        self.numbers[name] += number
        self.history.append(("add", name, number))

    def remove(self, name, number=1):
        """Take some away."""
        if name not in self.numbers:
            raise UnknownEntry(name)
        if self.numbers[name] < number:
            raise ValueError(f"only {{self.numbers[name]}} of {{name}} left")
        self.numbers[name] -= number
        self.history.append(("remove", name, number))

    def {function}(self):
        """How many there are of everything together."""
        return sum(self.numbers.values())

    def scarce(self, below={below}):
        """The names of which few are left."""
        return sorted(name for name, number in self.numbers.items() if number < below)


def load(path):
    """Read a file with a name and a number on each line."""
    {things} = {Things}()
    with Path(path).open(newline="") as file:
        for name, number in csv.reader(file):
            {things}.add(name, int(number))
    return {things}


def report(path):
    """One line about a file."""
    {things} = load(path)
    return f"{{{things}.{function}()}} in all, few of: {{', '.join({things}.scarce())}}"
'''.strip()
"""Sixty lines that are to come back with one name changed."""


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def diary(chooser, sentences):
    """Plain sentences."""

    def one_of(words):
        return chooser.choice(words.split())

    def sentence():
        someone, something = (f"the {one_of(ADJECTIVES)} {one_of(NOUNS)}" for _ in range(2))
        return f"{someone.capitalize()} {one_of(VERBS)} {something}."

    return " ".join(sentence() for _ in range(sentences))


def reading(chooser, tokens):
    """A prompt of ``tokens`` tokens, give or take a sentence: a page to read, and a question about it."""
    page = diary(chooser, round((tokens - AROUND_TOKENS) / SENTENCE_TOKENS))
    return [SYSTEM, user(f"Page {chooser.randrange(10**5)}. {page} What is this page about?")]


def essay(chooser):
    """A short prompt to which all three models have much to say (a story the smaller coder won't tell)."""
    first, second = chooser.sample(NOUNS.split(), 2)
    return [
        SYSTEM,
        user(
            f"Write an essay of {chooser.randrange(800, 1200)} words about {first} and {second}: what they "
            "are made of, how people have used them through the ages, and what they mean to us."
        ),
    ]


def follow_up(chooser):
    """The next thing said in a conversation: about 40 tokens."""
    first, second = chooser.sample(NOUNS.split(), 2)
    return user(
        f"Thank you. Now write a story about the {first} and the {second} from that page, in plain words, "
        "with a beginning, a middle and an end."
    )


def edit(chooser):
    """A file to be given back with one function renamed: most of the answer stands in the prompt."""
    things = chooser.choice(NAMES)
    code = CODE.format(
        things=things,
        Things=things.capitalize(),
        function="total",
        limit=chooser.randrange(100, 1000),
        below=chooser.randrange(2, 10),
    )
    return [
        SYSTEM,
        user(
            f"Rename the method `total` to `count_{things}` everywhere in this file, and change nothing "
            f"else. Answer with the whole file in one code block.\n\n```python\n{code}\n```"
        ),
    ]


def chooser_for(*names):
    """A source of choices that depends on these names alone."""
    return random.Random("/".join(map(str, names)))
