"""How long a speed run will take, on paper: from what two cores do with each model."""

from benchmarks.contestants import ISTHMUS, LLAMA_CPP_PYTHON, XLLAMACPP

# Tokens/s of one prefill, one decode, and eight decodes at once, on 2 cores with AVX-512.
PACE = {
    "smollm2:135m": (330, 140, 150),
    "qwen2.5-coder:0.5b": (200, 28, 60),
    "qwen2.5-coder:1.5b": (110, 14, 34),
}
START_S = 5
BELIEF_S = 30
"""How much the estimate is believed: as if it had held for so long already."""


def turn_s(turn, sizes):
    """Seconds that one turn takes, its warm-up among them."""
    prefill, one, eight = PACE.get(turn.model, PACE["qwen2.5-coder:1.5b"])
    if turn.server == LLAMA_CPP_PYTHON:
        one *= 0.45  # it decodes on half the cores, and with fewer instructions
    # Only servers with several slots decode several answers at once.
    serial = turn.server in (LLAMA_CPP_PYTHON, XLLAMACPP)
    together = one if serial or turn.cell.clients == 1 else one + (eight - one) * (turn.cell.clients - 1) / 7
    if turn.server == ISTHMUS and turn.cell.workload == "edit":
        together *= 1.5
    prompt, answer = {
        "memory": (sizes.first_turn + 40, sizes.first_answer + sizes.second_answer),
        "prefill": (sizes.prefill, 1),
        "decode": (60, sizes.decode),
        "second turn": (sizes.first_turn + 40, sizes.first_answer + sizes.second_answer),
        "edit": (600, sizes.edit),
    }[turn.cell.workload]
    work = turn.cell.clients * (prompt / prefill + answer / together)
    return work + 8 / one + (START_S if turn.cell.workload == "memory" else 0)


def total_s(turns, sizes):
    """Seconds that all of them take."""
    loads = {(turn.model, turn.server) for turn in turns}
    return sum(turn_s(turn, sizes) for turn in turns) + START_S * len(loads)


class Clock:
    """The time left: the estimate for what is to come, corrected by how the past compared with its own."""

    def __init__(self, turns, sizes):
        self.sizes = sizes
        self.left_s = total_s(turns, sizes)
        self.planned_s = 0.0
        self.taken_s = 0.0

    def passed(self, turn, took_s):
        """Count a turn that is done; seconds that are left."""
        planned = turn_s(turn, self.sizes)
        self.planned_s += planned
        self.taken_s += took_s
        self.left_s = max(0.0, self.left_s - planned)
        return self.left_s * (self.taken_s + BELIEF_S) / (self.planned_s + BELIEF_S)


def minutes(seconds):
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
