"""Servers for the conformance tests, and the table of their results.

A module names the client it drives: ``CLIENT = "LangChain"`` and ``PACKAGES = ("langchain-openai",)``, whose
versions are told. What a test did that is worth a line, it tells by the ``did`` fixture.
"""

import re
from collections import defaultdict
from importlib import metadata
from pathlib import Path

import pytest

from isthmus.store import Store
from tests.conftest import ROOT, TINY, fetched
from tests.engines.weights import eyes

from .serving import Server, served

SMALL, SMART = "qwen2.5-coder:0.5b", "qwen2.5-coder:1.5b"
ENGINE = "offline = true\n[engine]\nparallel = {slots}\ncontext_length = {context}\n"


def pytest_addoption(parser):
    parser.addoption("--fuzz", type=int, help="How many requests schemathesis makes up.")
    parser.addoption("--table", type=Path, help="Write the table of results into this page.")


@pytest.fixture(scope="session")
def tiny_server(tmp_path_factory) -> Server:
    """The tiny model: for shapes, not for sense."""
    yield from _server(tmp_path_factory, TINY, slots=4, context=4096)


@pytest.fixture(scope="session")
def small_server(tmp_path_factory) -> Server:
    """The 0.5B: it can call a tool that it is told to call."""
    yield from _server(tmp_path_factory, SMALL, slots=2, context=8192)


@pytest.fixture(scope="session")
def smart_server(tmp_path_factory) -> Server:
    """The 1.5B, with room for an agent's long prompts."""
    yield from _server(tmp_path_factory, SMART, slots=2, context=32768)


@pytest.fixture(scope="session")
def seeing_server(tiny, tmp_path_factory) -> Server:
    """The tiny model with a projector: it reads a red image as the word."""
    home = tmp_path_factory.mktemp("seeing")
    projector = eyes(tiny.path, home / "mmproj.gguf")
    Store(home).add_file(tiny.path, "seeing", lambda progress: None, projector=projector)
    with served(home, name="seeing", toml=ENGINE.format(slots=2, context=2048)) as server:
        yield server


def _server(factory, name, *, slots, context):
    home = factory.mktemp("served")
    with served(home, fetched(name), toml=ENGINE.format(slots=slots, context=context)) as server:
        yield server


@pytest.fixture
def did(record_property):
    """Tell what was seen, in a line of the table."""

    def tell(text: str) -> None:
        record_property("did", " ".join(text.split()))

    return tell


# ---------------------------------------------------------------- the table


def pytest_configure(config):
    config.pluginmanager.register(Results(config), "conformance-results")


class Results:
    """Collects what the tests of this folder did."""

    def __init__(self, config):
        self._config = config
        self._clients = {}
        self._rows = defaultdict(list)

    def pytest_collection_modifyitems(self, items):
        for item in items:
            if hasattr(item.module, "CLIENT"):
                self._clients[item.nodeid] = _title(item.module)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report):
        decided = report.when == "call" or report.outcome != "passed"
        if report.nodeid in self._clients and decided:
            self._rows[self._clients[report.nodeid]].append(_row(report))

    def pytest_terminal_summary(self, terminalreporter):
        for client, rows in self._rows.items():
            terminalreporter.section(client, sep="-")
            for outcome, name, why in rows:
                terminalreporter.write_line(f"{outcome:8} {name}{': ' if why else ''}{why}")
        page = self._config.getoption("--table", None)
        if page and self._rows:
            _write(ROOT / page, self._rows)


def _title(module):
    versions = [f"{name} {_version(name)}" for name in getattr(module, "PACKAGES", ())]
    return f"{module.CLIENT} ({', '.join(versions)})" if versions else module.CLIENT


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _row(report):
    name = report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " ")
    told = "; ".join(value for key, value in report.user_properties if key == "did")
    if hasattr(report, "wasxfail"):
        return ("can't" if report.skipped else "passes"), name, report.wasxfail or told
    if report.skipped:
        return "skipped", name, report.longrepr[2].removeprefix("Skipped: ")
    if report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        return "FAILS", name, " ".join((crash.message if crash else str(report.longrepr)).split())
    return "passes", name, told


def _write(page, rows):
    """Replace, between the page's two marks, what it says of these clients; what it says of others stays."""
    begin, end = "<!-- results -->\n", "<!-- end of results -->\n"
    before, _, rest = page.read_text().partition(begin)
    told, _, after = rest.partition(end)
    sections = {_client(each): each for each in re.split(r"(?m)^(?=### )", told) if each.startswith("### ")}
    sections |= {_client(section): section for section in map(_section, rows, rows.values())}
    page.write_text(before + begin + "".join(sections[name] for name in sorted(sections)) + end + after)


def _client(section):
    """The name in a section's heading, without versions."""
    return section.removeprefix("### ").partition("\n")[0].partition(" (")[0]


def _section(client, rows):
    """What passed without a word is only counted."""
    passed = sum(outcome == "passes" for outcome, _, _ in rows)
    lines = [f"### {client}\n\n{passed} of {len(rows)} pass.\n\n"]
    telling = [row for row in rows if row[0] != "passes" or row[2]]
    if telling:
        lines.append("| check | result | |\n| --- | --- | --- |\n")
    for outcome, name, why in telling:
        cells = (name, outcome, why[:300])
        lines.append("| " + " | ".join(each.replace("|", "\\|") for each in cells) + " |\n")
    return "".join(lines) + ("\n" if telling else "")
