"""Other people's clients, which are closed once the test that opened them is over.

Left to the garbage collector, their sockets would be found open in some later test.
"""

_opened = []


def opened(client):
    """The client, noted."""
    _opened.append(client)
    return client


def close_all():
    """Close those that were opened since the last time."""
    while _opened:
        _opened.pop().close()
