"""What the rows of a speed run come to: medians, paired ratios with intervals, and which goals are met."""

import statistics
from collections import defaultdict

from benchmarks.contestants import ISTHMUS
from benchmarks.results import interval, summary
from benchmarks.workloads import CELLS, MEMORY

EQUAL = 0.97
"""Of the best peer's tokens/s, everywhere."""
AHEAD = 1.5
"""Times the best peer's tokens/s, on second turns or on edits."""
BATCHING = 1.7
"""Times one client's tokens/s, with eight."""
MEMORY_WITHIN = 1.05
"""Times the memory of the peer that takes least."""


def summarise(rows):
    """All of it: cells, memory, batching, goals, and what speaks for or against the figures."""
    models = list(dict.fromkeys(row.model for row in rows))
    cells = [
        each
        for model in models
        for cell in CELLS
        if cell != MEMORY and (each := speed_cell(rows, model, cell)) is not None
    ]
    memories = [each for model in models if (each := memory_cell(rows, model)) is not None]
    batching = [each for model in models if (each := batching_of(rows, model)) is not None]
    return {
        "cells": cells,
        "memory": memories,
        "batching": batching,
        "goals": goals(cells, memories, batching),
        "checks": checks(rows),
    }


def speed_cell(rows, model, cell):
    """One model and workload: every server's rates, and Isthmus's against each peer's in the same round."""
    chosen = [row for row in rows if (row.model, row.workload, row.clients) == (model, *_parts(cell))]
    rates = defaultdict(dict)
    for row in chosen:
        if row.rate is not None:
            rates[row.server][row.round] = row.rate
    if ISTHMUS not in rates:
        return None
    ratios = {peer: paired(rates[ISTHMUS], rates[peer]) for peer in rates if peer != ISTHMUS}
    ratios = {peer: described(values) for peer, values in ratios.items() if values}
    best = max(ratios, key=lambda peer: statistics.median(rates[peer].values()), default=None)
    return {
        "model": model,
        "workload": cell.workload,
        "clients": cell.clients,
        "tokens_per_s": {server: summary(list(each.values())) for server, each in rates.items()},
        "first_token_s": {server: _median_of(chosen, server, "first_s") for server in rates},
        "decode_tokens_per_s": {
            server: _median_of(chosen, server, "decode_tokens_per_s") for server in rates
        },
        "best_peer": best,
        "ratio": ratios.get(best),
        "ratios": ratios,
        "failures": sum(len(row.failures) for row in chosen),
    }


def memory_cell(rows, model):
    """Memory of what holds the model, each server alone, PSS where the system tells it."""
    chosen = [row for row in rows if (row.model, row.workload) == (model, MEMORY.workload)]
    taken = defaultdict(list)
    for row in chosen:
        taken[row.server].append(_size(row.worker))
    peers = {server: statistics.median(each) for server, each in taken.items() if server != ISTHMUS}
    if ISTHMUS not in taken or not peers:
        return None
    least = min(peers, key=peers.get)
    ours = [row for row in chosen if row.server == ISTHMUS]
    return {
        "model": model,
        "context_length": ours[0].context_length,
        "worker_mb": {server: round(statistics.median(each), 1) for server, each in taken.items()},
        "worker_rss_mb": {
            server: round(statistics.median(row.worker.rss_mb for row in chosen if row.server == server), 1)
            for server in taken
        },
        "isthmus_itself_mb": round(statistics.median(_size(row.front) for row in ours), 1),
        "least_peer": least,
        "ratio": round(statistics.median(taken[ISTHMUS]) / peers[least], 4),
    }


def batching_of(rows, model):
    """What eight clients get of Isthmus together, against what one gets, in the same round."""
    by_clients = defaultdict(dict)
    for row in rows:
        if (row.model, row.server, row.workload) == (model, ISTHMUS, "decode") and row.rate is not None:
            by_clients[row.clients][row.round] = row.rate
    ratios = paired(by_clients[8], by_clients[1])
    return {"model": model, **described(ratios)} if ratios else None


def paired(ours, theirs):
    """Ratios of what was measured in the same rounds."""
    return [ours[number] / theirs[number] for number in sorted(ours.keys() & theirs.keys())]


def described(ratios):
    """Median, interval of the median, and how many rounds stand behind it."""
    return {
        "median": round(statistics.median(ratios), 4),
        "interval_95": interval(ratios),
        "n": len(ratios),
    }


def goals(cells, memories, batching):
    """Each goal: by model or by cell, the figure, and whether it is met."""
    compared = [cell for cell in cells if cell["ratio"]]
    return {
        f"at least {EQUAL} of the best peer": {
            _title(cell): _judged(cell["ratio"]["median"], cell["ratio"]["median"] >= EQUAL)
            for cell in compared
        },
        f"at least {AHEAD} times the best peer on second turns or edits": {
            model: _judged(figure, figure >= AHEAD) for model, figure in _best_lead(compared).items()
        },
        f"eight clients get at least {BATCHING} times what one gets": {
            each["model"]: _judged(each["median"], each["median"] >= BATCHING) for each in batching
        },
        f"a worker's memory at most {MEMORY_WITHIN} times the least peer's": {
            each["model"]: _judged(each["ratio"], each["ratio"] <= MEMORY_WITHIN) for each in memories
        },
    }


def checks(rows):
    """What would make the figures doubtful: failures, tokens counted otherwise, servers that weren't idle."""
    speed = [row for row in rows if row.workload != MEMORY.workload]
    requests = [request for row in speed for request in row.requests]
    return {
        "requests": len(requests) + sum(len(row.failures) for row in speed),
        "failed": sum(len(row.failures) for row in speed),
        "answers_whose_pieces_are_not_their_tokens": sum(
            request.chunks != request.tokens for request in requests
        ),
        "answers_that_ended_early": sum(request.finish != "length" for request in requests),
        "cpu_share_of_idle_servers": round(
            sum(row.idle_cpu_s for row in speed) / max(sum(row.wall_s for row in speed), 1e-9), 4
        ),
    }


def _best_lead(cells):
    leads = defaultdict(float)
    for cell in cells:
        if cell["workload"] in ("second turn", "edit"):
            leads[cell["model"]] = max(leads[cell["model"]], cell["ratio"]["median"])
    return leads


def _median_of(rows, server, field):
    values = [
        value
        for row in rows
        if row.server == server
        for request in row.requests
        if (value := getattr(request, field)) is not None
    ]
    return round(statistics.median(values), 4) if values else None


def _parts(cell):
    return cell.workload, cell.clients


def _size(memory):
    return memory.rss_mb if memory.pss_mb is None else memory.pss_mb


def _judged(figure, met):
    return {"figure": figure, "met": met}


def _title(cell):
    return f"{cell['model']}, {cell['workload']}, {cell['clients']}"
