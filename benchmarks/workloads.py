"""What is asked in the speed benchmark, and how much of it."""

from msgspec import Struct

from benchmarks import prompts


class Sizes(Struct, frozen=True):
    """Tokens of prompts (give or take a sentence) and of answers (at most)."""

    prefill: int = 512
    decode: int = 128
    first_turn: int = 400
    first_answer: int = 48
    second_answer: int = 64
    edit: int = 320


QUICK = Sizes(prefill=96, decode=16, first_turn=96, first_answer=8, second_answer=8, edit=24)


class Cell(Struct, frozen=True, order=True):
    """A workload with so many clients, who ask at once."""

    workload: str
    clients: int

    def __str__(self):
        return f"{self.workload}, {self.clients} {'client' if self.clients == 1 else 'clients'}"


MEMORY = Cell("memory", 1)
CELLS = (
    MEMORY,
    *(Cell("prefill", clients) for clients in (1, 4, 8)),
    *(Cell("decode", clients) for clients in (1, 4, 8)),
    Cell("second turn", 1),
    Cell("edit", 1),
)

EXPLAINED = {
    "memory": "after a conversation of two turns with each server alone, all with Isthmus's context length",
    "prefill": "prompts of 512 tokens, one token of answer; prompt tokens/s of all clients together",
    "decode": "short prompts, answers of 128 tokens; tokens/s of all clients together, prefill included",
    "second turn": "64 tokens about a page of 400 that was talked of before; tokens/s until the last token",
    "edit": "a file of sixty lines given back with one name changed, 320 tokens of it; tokens/s, as above",
}


class Exchange(Struct, frozen=True):
    """What one client says: ``first``, untimed, if there is one, then what is measured."""

    first: list[dict] | None
    messages: list[dict]
    max_tokens: int


def exchange(cell, sizes, model, number, client):
    """What a client says in round ``number``: the same to every server, nothing twice."""
    chooser = prompts.chooser_for(cell.workload, cell.clients, model, number, client)
    match cell.workload:
        case "prefill":
            return Exchange(None, prompts.reading(chooser, sizes.prefill), 1)
        case "decode":
            return Exchange(None, prompts.essay(chooser), sizes.decode)
        case "second turn" | "memory":
            first = prompts.reading(chooser, sizes.first_turn)
            return Exchange(first, [prompts.follow_up(chooser)], sizes.second_answer)
        case "edit":
            return Exchange(None, prompts.edit(chooser), sizes.edit)
    raise ValueError(f"no such workload: {cell.workload}")
