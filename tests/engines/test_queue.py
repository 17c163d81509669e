import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.engines.queue import FairQueue, QueueFull, Ticket, retry_after_s


def line(keys, bound=100):
    queue = FairQueue(bound)
    for number, key in enumerate(keys):
        queue.push(Ticket(number, "m", key))
    return queue


def served(queue, before=None):
    keys = []
    while (ticket := queue.pop(before)) is not None:
        keys.append(ticket.key)
    return "".join(keys)


def test_keys_take_turns():
    assert served(line("aaaabbc")) == "abcabaa"


def test_a_key_that_comes_late_waits_for_one_of_each_other_key():
    queue = line("aaaa")
    queue.pop()
    queue.push(Ticket(9, "m", "b"))
    assert served(queue) == "abaa"


def test_only_those_before_a_number_are_served():
    queue = line("aabb")
    assert served(queue, before=3) == "aba"
    assert served(queue) == "b"


def test_the_oldest_is_known_whosever_turn_it_is():
    queue = line("ab")
    assert queue.oldest == 0
    queue.pop()
    assert queue.oldest == 1
    queue.pop()
    assert queue.oldest is None


def test_a_full_line_refuses_the_key_that_has_the_most():
    queue = line("aaab", bound=4)
    with pytest.raises(QueueFull):
        queue.push(Ticket(4, "m", "a"))
    assert queue.push(Ticket(5, "m", "b")) == Ticket(2, "m", "a")
    with pytest.raises(QueueFull):
        queue.push(Ticket(6, "m", "b"))
    assert queue.push(Ticket(7, "m", "c")).key in ("a", "b")
    assert len(queue) == 4


def test_a_ticket_leaves_once():
    queue = line("ab")
    assert queue.remove(Ticket(0, "m", "a"))
    assert not queue.remove(Ticket(0, "m", "a"))
    assert served(queue) == "b"


@given(st.lists(st.tuples(st.sampled_from("pppprd"), st.sampled_from("abc"))), st.integers(1, 6))
def test_nobody_is_lost_and_the_bound_holds(moves, bound):
    queue, waiting = FairQueue(bound), []
    for number, (move, key) in enumerate(moves):
        if move == "p":
            ticket = Ticket(number, "m", key)
            try:
                removed = queue.push(ticket)
            except QueueFull:
                continue
            waiting = [each for each in waiting if each != removed] + [ticket]
        elif move == "r" and waiting:
            assert queue.remove(waiting.pop(len(waiting) // 2))
        elif (ticket := queue.pop()) is not None:
            assert all(ticket.number <= each.number for each in waiting if each.key == ticket.key)
            waiting.remove(ticket)
        assert len(queue) == len(waiting) <= bound
        assert sorted(each.number for each in queue) == sorted(each.number for each in waiting)
        assert queue.oldest == min((each.number for each in waiting), default=None)


@given(st.lists(st.sampled_from("abc"), min_size=1))
def test_no_key_is_served_twice_while_another_waits(keys):
    queue = line(keys)
    order, waiting = served(queue), list(keys)
    for position, key in enumerate(order):
        waiting.remove(key)
        following = order[position + 1 :]
        between = following[: following.find(key)] if key in following else following
        assert set(waiting) - {key} <= set(between)


@given(st.integers(0, 10**6), st.integers(1, 64), st.floats(0, 1e6), st.floats(0, 1e6))
def test_the_time_to_come_back_is_in_whole_seconds_and_never_nought(ahead, slots, service, load):
    assert 1 <= retry_after_s(ahead, slots, service, load) <= 3600


def test_the_time_to_come_back_counts_slotfuls_and_the_load():
    assert retry_after_s(7, 4, 3.0, 0.0) == 6
    assert retry_after_s(8, 4, 3.0, 2.5) == 12
