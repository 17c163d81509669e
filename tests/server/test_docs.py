"""The page at /docs: whole, from here, and shut to everything else."""

import http.client
import re
from contextlib import closing

import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.messages import Finish, TextDelta, Usage


@pytest.fixture
def served(serving):
    with serving(ScriptedEngine([TextDelta("Hello"), Finish("stop", Usage(1, 1))])) as server:
        yield server


def get(server, path):
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()


def test_all_that_the_page_loads_comes_from_here(served):
    status, headers, page = get(served, "/docs")
    assert status == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert {"/docs/docs.css", "/docs/docs.js"} <= set(loaded)
    assert all(each.startswith("/") and get(served, each)[0] == 200 for each in loaded)


def test_it_runs_no_script_but_ours_and_reaches_no_other_host(served):
    for path in ("/docs", "/docs/docs.js", "/docs/docs.css", "/docs/icon.svg"):
        _, headers, text = get(served, path)
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"https?://(?!www\.w3\.org)", text)
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(|\son\w+=|<style", text)


def test_only_the_pages_own_files_are_given(served):
    for name in ("__init__.py", "../app.py", "..%2fapp.py", "docs.txt", ""):
        assert get(served, f"/docs/{name}")[0] == 404


def test_where_there_are_keys_the_page_is_open_and_the_document_is_not(served):
    served.keys.create("somebody")
    assert get(served, "/docs")[0] == 200
    assert get(served, "/docs/docs.js")[0] == 200
    assert get(served, "/openapi.json")[0] == 401
