import importlib.metadata

import pytest

from isthmus.errors import UnknownModel, UsageError
from isthmus.naming import SCHEMES
from isthmus.store.sources import registry
from isthmus.store.sources.registry import GROUP, open_source


def test_the_built_in_sources_are_entry_points_like_all_others():
    found = {entry.name: entry.dist.name for entry in importlib.metadata.entry_points(group=GROUP)}
    assert {name for name, project in found.items() if project == "isthmus"} == SCHEMES


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_each_of_them_opens(scheme):
    source = open_source(scheme)
    assert source.needs_network is (scheme != "file")


def test_a_source_of_another_project(monkeypatch):
    class Mine:
        needs_network = False

    entry = importlib.metadata.EntryPoint("mine", f"{__name__}:Mine", GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
    monkeypatch.setitem(globals(), "Mine", Mine)
    assert isinstance(open_source("mine"), Mine)


def test_an_unknown_scheme_is_told_those_that_are_known():
    with pytest.raises(UnknownModel, match="nothing here fetches s3: models; known are file, hf, http"):
        open_source("s3")


def test_a_source_that_lacks_something(monkeypatch):
    entry = importlib.metadata.EntryPoint("mine", "isthmus_has_no_such_module:Mine", GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
    with pytest.raises(UsageError, match="mine: models can't be fetched: no module named"):
        open_source("mine")
