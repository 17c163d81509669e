"""The pool's policy, by hand and by chance: what it says is carried out as a pool would."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from isthmus.engines.queue import QueueFull
from isthmus.engines.schedule import Admit, GiveWay, Load, Memory, Schedule, Unload


class Played:
    """A schedule whose steps are taken down; loading and unloading end when the test says so."""

    def __init__(self, budget, *, slots=2, max_queue=8, sizes=None):
        self.schedule = Schedule(Memory(budget), slots=slots, max_queue=max_queue)
        self.sizes = sizes or {}
        self.told = []

    def ask(self, model, key=None):
        ticket = self.schedule.ask(model, key, Memory(self.sizes.get(model, 1)))
        return ticket, self.go()

    def go(self):
        steps = self.schedule.steps()
        self.told += steps
        return steps

    def leave(self, ticket):
        self.schedule.leave(ticket)
        return self.go()

    def loaded(self, model):
        self.schedule.loaded(model)
        return self.go()

    def unloaded(self, model):
        self.schedule.unloaded(model)
        return self.go()

    def load(self, model, key=None):
        """Have a model loaded and in use; its ticket."""
        ticket, steps = self.ask(model, key)
        assert steps == [Load(model)]
        assert self.loaded(model) == [Admit(ticket)]
        return ticket


def test_requests_for_one_model_share_a_load_and_its_slots():
    pool = Played(1)
    first, steps = pool.ask("a")
    assert steps == [Load("a")]
    second, steps = pool.ask("a")
    third, _ = pool.ask("a")
    assert steps == []
    assert pool.loaded("a") == [Admit(first), Admit(second)]
    assert pool.leave(first) == [Admit(third)]


def test_models_that_fit_together_load_at_the_same_time():
    pool = Played(2)
    assert pool.ask("a")[1] == [Load("a")]
    assert pool.ask("b")[1] == [Load("b")]
    assert pool.ask("c")[1] == []


def test_an_idle_model_makes_room_and_the_least_recently_used_goes_first():
    pool = Played(2)
    a, b = pool.load("a"), pool.load("b")
    pool.leave(b)
    pool.leave(a)
    assert pool.ask("c")[1] == [Unload("b")]
    assert pool.unloaded("b") == [Load("c")]


def test_a_model_that_works_goes_only_once_it_is_idle():
    pool = Played(1)
    a = pool.load("a")
    _, steps = pool.ask("b")
    assert steps == []
    assert [seat.model for seat in pool.schedule.in_the_way("b")] == ["a"]
    assert pool.leave(a) == [Unload("a")]
    assert pool.unloaded("a") == [Load("b")]


def test_those_who_came_before_a_swap_was_wanted_are_served_and_later_ones_wait():
    pool = Played(1, slots=1)
    first = pool.load("a")
    second, _ = pool.ask("a")
    b, _ = pool.ask("b")
    late, steps = pool.ask("a")
    assert steps == []
    assert pool.leave(first) == [Admit(second)]
    assert pool.leave(second) == [Unload("a")]
    assert pool.unloaded("a") == [Load("b")]
    assert pool.loaded("b") == [Admit(b)]
    assert pool.leave(b) == [Unload("b")]
    assert pool.unloaded("b") == [Load("a")]
    assert pool.loaded("a") == [Admit(late)]


def test_a_swap_that_nobody_wants_any_more_is_called_off():
    pool = Played(1)
    a = pool.load("a")
    b, _ = pool.ask("b")
    late, steps = pool.ask("a")
    assert steps == []
    assert pool.leave(b) == [Admit(late)]
    pool.leave(late)
    assert pool.leave(a) == []
    assert pool.schedule.seat("a").state == "loaded"


def test_the_model_that_has_waited_longest_comes_next():
    pool = Played(1)
    a = pool.load("a")
    for model in ("c", "b", "c", "b"):
        pool.ask(model)
    pool.leave(a)
    assert pool.unloaded("a") == [Load("c")]


def test_a_small_model_is_loaded_meanwhile_only_where_it_takes_nothing_from_a_large_one():
    pool = Played(10, sizes={"a": 6, "b": 8, "c": 2, "d": 3})
    a = pool.load("a")
    assert pool.ask("b")[1] == []
    assert pool.ask("c")[1] == [Load("c")]
    assert pool.ask("d")[1] == []
    pool.leave(a)
    assert pool.unloaded("a") == [Load("b")]
    pool = Played(10, sizes={"a": 6, "b": 8, "d": 3})
    pool.load("a")
    assert pool.ask("b")[1] == []
    assert pool.ask("d")[1] == []  # it would fit now, and b then wouldn't


def test_no_model_slips_in_while_one_waits_for_a_load_to_end():
    pool = Played(10, sizes={"a": 6, "b": 10, "c": 1})
    ticket, _ = pool.ask("a")
    assert pool.ask("b")[1] == []
    assert pool.ask("c")[1] == []
    pool.loaded("a")
    assert pool.leave(ticket) == [Unload("a")]
    assert pool.unloaded("a") == [Load("b")]


def test_as_few_go_as_need_to():
    pool = Played(10, sizes={"a": 2, "b": 8, "c": 8})
    a, b = pool.load("a"), pool.load("b")
    pool.leave(a)
    pool.leave(b)
    assert pool.ask("c")[1] == [Unload("b")]  # a is older, but wouldn't do, and needn't go


def test_a_load_that_nobody_waits_for_is_ended_where_its_room_is_wanted():
    pool = Played(1)
    a, _ = pool.ask("a")
    assert pool.leave(a) == []
    assert pool.ask("b")[1] == [Unload("a")]
    pool.schedule.loaded("a")  # it was too late
    assert pool.schedule.seat("a").state == "unloading"
    assert pool.unloaded("a") == [Load("b")]


def test_a_load_that_fails_takes_its_waiters_with_it_and_frees_its_room():
    pool = Played(1)
    tickets = [pool.ask("a")[0], pool.ask("a")[0]]
    pool.ask("b")
    assert pool.schedule.failed("a") == tickets
    assert pool.go() == [Load("b")]
    assert pool.schedule.seat("a") is None


def test_a_model_that_is_dismissed_serves_who_has_asked_and_goes_and_comes_back_for_later_ones():
    pool = Played(2)
    a = pool.load("a")
    pool.schedule.dismiss("a")
    assert pool.go() == []
    late, steps = pool.ask("a")
    assert steps == []
    assert pool.leave(a) == [Unload("a")]
    assert pool.unloaded("a") == [Load("a")]
    assert pool.loaded("a") == [Admit(late)]


def test_a_model_that_grows_over_the_budget_sends_another_away_but_never_the_last():
    pool = Played(10, sizes={"a": 4, "b": 4})
    a, b = pool.load("a"), pool.load("b")
    pool.leave(a)
    pool.schedule.resize("b", Memory(7))
    assert pool.go() == [Unload("a")]
    pool.unloaded("a")
    pool.leave(b)
    pool.schedule.resize("b", Memory(12))
    assert pool.go() == []


def test_two_that_work_and_take_too_much_together_come_down_to_one():
    pool = Played(10, slots=1, sizes={"a": 5, "b": 5})
    working = {"a": pool.load("a"), "b": pool.load("b")}
    pool.schedule.resize("a", Memory(6))
    pool.go()
    for model in "abab":  # each is used in turn, and that must not spare each in turn
        ticket, _ = pool.ask(model)
        if Unload(model) in pool.leave(working[model]):
            break
        working[model] = ticket
    assert [step for step in pool.told if isinstance(step, Unload)]


def test_memory_of_both_kinds_counts():
    schedule = Schedule(Memory(10, 10), slots=1, max_queue=4)
    a = schedule.ask("a", None, Memory(2, 8))
    assert schedule.steps() == [Load("a")]
    schedule.ask("b", None, Memory(6, 0))
    assert schedule.steps() == [Load("b")]
    schedule.loaded("a")
    schedule.loaded("b")
    assert len(schedule.steps()) == 2
    schedule.ask("c", None, Memory(1, 4))
    assert schedule.steps() == []
    assert [seat.model for seat in schedule.in_the_way("c")] == ["a"]  # b's memory is of the other kind
    schedule.leave(a)
    assert schedule.steps() == [Unload("a")]


def test_the_greediest_key_gives_way_in_a_full_line():
    pool = Played(1, slots=1, max_queue=2)
    pool.load("a", "hog")
    pool.ask("a", "hog")
    last, _ = pool.ask("a", "hog")
    with pytest.raises(QueueFull):
        pool.ask("a", "hog")
    _, steps = pool.ask("a", "modest")
    assert steps == [GiveWay(last)]


def test_a_stream_of_newcomers_keeps_no_model_for_longer_than_a_turn():
    """Whenever a slot of a becomes free, two more ask for it; b still gets its turn, then c, then a again."""
    pool = Played(1, slots=2, max_queue=500)
    serving = [pool.load("a")]
    for model in ("a", "a", "b", "c"):
        _, steps = pool.ask(model)
        serving += [step.ticket for step in steps if isinstance(step, Admit)]
    turns = []
    while len(turns) < 40:
        turns.append(serving[0].model)
        pool.ask("a")
        pool.ask("a")
        steps = pool.leave(serving.pop(0))
        while steps:
            step = steps.pop(0)
            match step:
                case Admit(ticket):
                    serving.append(ticket)
                case Unload(model):
                    steps += pool.unloaded(model)
                case Load(model):
                    steps += pool.loaded(model)
    assert "".join(turns) == "aaabc" + "a" * 35


def test_a_model_that_is_held_stays_though_its_slots_are_free():
    pool = Played(1, slots=1)
    assert pool.schedule.hold("a", None) is None
    served = pool.load("a")
    held = pool.schedule.hold("a", None)
    assert pool.leave(served) == []
    _, steps = pool.ask("b")
    assert steps == []  # there is no room, and a is at work
    assert pool.schedule.hold("a", None) is None
    assert pool.leave(held) == [Unload("a")]
    assert pool.unloaded("a") == [Load("b")]


def test_holding_a_model_takes_no_slot():
    pool = Played(1, slots=1)
    served = pool.load("a")
    held = [pool.schedule.hold("a", None) for _ in range(3)]
    second, steps = pool.ask("a")
    assert steps == []
    assert pool.leave(served) == [Admit(second)]
    assert [pool.leave(each) for each in held] == [[], [], []]


# ---------------------------------------------------------------- by chance

MODELS = "abcd"
BUDGET = Memory(10, 4)


class ByChance(RuleBasedStateMachine):
    """Whatever happens in whatever order, the promises hold, and at the end everybody is served."""

    def __init__(self):
        super().__init__()
        self.waiting, self.serving, self.held = {}, {}, {}
        self.loading, self.unloading = set(), set()

    @initialize(
        slots=st.integers(1, 3),
        bound=st.integers(1, 5),
        sizes=st.tuples(*[st.builds(Memory, st.integers(1, 10), st.integers(0, 4))] * len(MODELS)),
    )
    def begin(self, slots, bound, sizes):
        self.slots, self.bound = slots, bound
        self.sizes = dict(zip(MODELS, sizes, strict=True))
        self.schedule = Schedule(BUDGET, slots=slots, max_queue=bound)

    def carry_out(self):
        for step in self.schedule.steps():
            match step:
                case Admit(ticket):
                    self.serving[ticket.number] = self.waiting.pop(ticket.number)
                    assert self.schedule.seat(ticket.model).state == "loaded"
                case GiveWay(ticket):
                    del self.waiting[ticket.number]
                case Load(model):
                    assert model not in self.loading | self.unloading
                    self.loading.add(model)
                case Unload(model):
                    at_work = (*self.serving.values(), *self.held.values())
                    assert all(ticket.model != model for ticket in at_work)
                    self.loading.discard(model)
                    self.unloading.add(model)

    @rule(model=st.sampled_from(MODELS), key=st.sampled_from("xyz"))
    def ask(self, model, key):
        try:
            ticket = self.schedule.ask(model, key, self.sizes[model])
        except QueueFull:
            assert sum(each.model == model for each in self.waiting.values()) >= self.bound
        else:
            self.waiting[ticket.number] = ticket
        self.carry_out()

    @precondition(lambda self: self.waiting or self.serving)
    @rule(data=st.data())
    def leave(self, data):
        everybody = {**self.waiting, **self.serving}
        number = data.draw(st.sampled_from(sorted(everybody)))
        self.waiting.pop(number, None)
        self.serving.pop(number, None)
        self.schedule.leave(everybody[number])
        self.carry_out()

    @rule(model=st.sampled_from(MODELS))
    def hold(self, model):
        ticket = self.schedule.hold(model, None)
        if ticket is not None:
            assert self.schedule.seat(model).state == "loaded"
            self.held[ticket.number] = ticket
        self.carry_out()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def let_go(self, data):
        self.schedule.leave(self.held.pop(data.draw(st.sampled_from(sorted(self.held)))))
        self.carry_out()

    @precondition(lambda self: self.loading)
    @rule(data=st.data(), works=st.integers(0, 3))
    def load(self, data, works):
        model = data.draw(st.sampled_from(sorted(self.loading)))
        self.loading.discard(model)
        if works:
            self.schedule.loaded(model)
        else:
            for ticket in self.schedule.failed(model):
                del self.waiting[ticket.number]
        self.carry_out()

    @precondition(lambda self: self.unloading)
    @rule(data=st.data())
    def unload(self, data):
        model = data.draw(st.sampled_from(sorted(self.unloading)))
        self.unloading.discard(model)
        self.schedule.unloaded(model)
        self.carry_out()

    @rule(model=st.sampled_from(MODELS))
    def dismiss(self, model):
        self.schedule.dismiss(model)
        self.carry_out()

    @invariant()
    def the_budget_holds(self):
        if hasattr(self, "schedule"):
            assert self.schedule.taken.within(BUDGET)

    @invariant()
    def nobody_is_lost(self):
        if hasattr(self, "schedule"):
            queued = {ticket.number for seat in self.schedule.seats for ticket in seat.queue}
            served = {ticket.number for seat in self.schedule.seats for ticket in seat.serving}
            assert (queued, served) == (set(self.waiting), set(self.serving))
            assert all(len(seat.serving) <= self.slots for seat in self.schedule.seats)

    def teardown(self):
        """Let everything come to its end: nobody may be left over."""
        for number in sorted(self.held):
            self.schedule.leave(self.held.pop(number))
        for _ in range(1000):
            if not (self.waiting or self.serving or self.loading or self.unloading):
                return
            for model in sorted(self.loading):
                self.loading.discard(model)
                self.schedule.loaded(model)
            for model in sorted(self.unloading):
                self.unloading.discard(model)
                self.schedule.unloaded(model)
            self.carry_out()
            for number in sorted(self.serving):
                self.schedule.leave(self.serving.pop(number))
            self.carry_out()
        raise AssertionError(f"left over: {self.waiting}")


TestByChance = ByChance.TestCase
TestByChance.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
