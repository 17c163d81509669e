import sys

import pytest

from isthmus.errors import ServerError, SettingsError
from isthmus.server.watching import watching

pytestmark = pytest.mark.anyio


async def count(config):
    async with watching(config.settings) as watchers:
        return len(watchers)


async def test_by_default_there_is_a_log_and_nothing_leaves(settings):
    assert await count(settings()) == 1
    assert await count(settings(server__log_requests=False)) == 0


async def test_traces_go_where_the_settings_say(settings):
    pytest.importorskip("opentelemetry.sdk")
    assert await count(settings(server__traces_endpoint="http://127.0.0.1:9/v1/traces")) == 2


async def test_offline_nothing_leaves_this_machine(settings, caplog):
    away = {"server__traces_endpoint": "https://collector.example/v1/traces", "offline": True}
    assert await count(settings(**away)) == 1
    assert "no traces are sent to collector.example" in caplog.text


@pytest.mark.parametrize("address", ["collector:4317", "ftp://x.example", "http://", "nonsense"])
async def test_an_address_is_one(settings, address):
    with pytest.raises(SettingsError, match="not an http or https address"):
        await count(settings(server__traces_endpoint=address))


async def test_a_missing_package_is_named_with_its_extra(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    monkeypatch.delitem(sys.modules, "isthmus.server.traces", raising=False)
    with pytest.raises(ServerError, match="isn't installed") as caught:
        await count(settings(server__traces_endpoint="http://127.0.0.1:9/v1/traces"))
    assert caught.value.hint == "pip install 'isthmus[otel]'"
