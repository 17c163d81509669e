"""Small jobs that can't be done without the private values in them: what a hosted model is asked, redacted.

Each is a template with fields that Faker fills, in one of twelve locales, and asks for an answer of a kind in
which placeholders come back changed: prose, lists in bold, tables, JSON, code, logs, HTML, links.
"""

import random

from faker import Faker

from benchmarks.redaction_texts import FRAMES, LOCALES

TASKS = FRAMES["tasks"]


def task(number, seed):
    """The text of a task, and the names in it (which a recogniser would have to find)."""
    chooser = random.Random(f"{seed}:{number}")
    faker = Faker(chooser.choice(list(LOCALES)))
    faker.seed_instance(chooser.randrange(2**32))
    first, second = faker.first_name() + " " + faker.last_name(), faker.first_name() + " " + faker.last_name()
    fields = {
        "name": first,
        "name2": second,
        "email": faker.email(),
        "email2": faker.email(),
        "phone": "+39 333 " + faker.numerify("#######"),
        "phone2": "+33 6 " + faker.numerify("## ## ## ##"),
        "iban": faker.iban(),
        "ipv4": faker.ipv4_public(),
        "card": faker.credit_card_number("visa16"),
        "birth": faker.date_of_birth().isoformat(),
        "user": faker.user_name(),
        "password": faker.password(14),
        "key": "sk-proj-" + faker.pystr(40, 40),
    }
    text = TASKS[number % len(TASKS)].format(**fields)
    return text, [name for name in (first, second) if name in text]
