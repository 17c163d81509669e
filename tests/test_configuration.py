import itertools
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus import configuration
from isthmus.configuration import (
    HARD_SWITCHES,
    HOME_ONLY_LISTS,
    Configuration,
    Source,
    first_secret,
    leaves,
    variable_for,
)
from isthmus.errors import SettingsError
from isthmus.settings import HandoffSettings, ProviderSettings, Settings

USER, WORK = Path("user.toml"), Path("isthmus.toml")
PROVIDER = '[providers.big]\nbase_url = "https://big.example/v1"\n'


def load(
    text: str | None = None,
    *,
    user: str | None = None,
    environ: dict[str, str] | None = None,
    **flags: Any,
) -> Configuration:
    """The settings of these two files (in a folder of the test's own), these variables and these flags."""
    for file, content in ((WORK, text), (USER, user)):
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_text(content, encoding="utf-8")
    names = {name.replace("__", "."): value for name, value in flags.items()}
    return configuration.load(flags=names, environ=environ or {}, folder=Path(), user=USER)


def refusal(*arguments: Any, **parameters: Any) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load(*arguments, **parameters)
    return caught.value


# ---------------------------------------------------------------- layers


def test_without_any_layer_everything_is_built_in():
    found = load()
    assert found.settings == Settings(home=found.settings.home)
    assert (found.sources, found.files, found.keys) == ({}, (), {})
    assert Path(found.settings.home).is_absolute()


LAYERS = {
    "user": ({"user": "[server]\nport = 1\n"}, 1, "user.toml:2"),
    "work": ({"text": "\nserver.port = 2\n"}, 2, "isthmus.toml:2"),
    "variable": ({"environ": {"ISTHMUS_SERVER_PORT": "3"}}, 3, "ISTHMUS_SERVER_PORT"),
    "flag": ({"server__port": 4}, 4, "flag server.port"),
}


@pytest.mark.parametrize(
    "layers", [some for size in range(1, 5) for some in itertools.combinations(LAYERS, size)], ids="+".join
)
def test_a_later_layer_wins_and_is_named(layers):
    given: dict[str, Any] = {}
    for layer in layers:
        given |= LAYERS[layer][0]
    _, port, source = LAYERS[layers[-1]]
    found = load(**given)
    assert found.settings.server.port == port
    assert str(found.sources["server.port"]) == source


def test_layers_are_merged_setting_by_setting():
    found = load(
        '[handoff]\nmode = "ask"\n' + PROVIDER,
        user='[handoff]\nmode = "auto"\nthreshold = 0.7\n[providers.big]\nmodel = "large"\n',
    )
    assert (found.settings.handoff.mode, found.settings.handoff.threshold) == ("ask", 0.7)
    assert found.settings.providers == {"big": ProviderSettings("https://big.example/v1", "large")}
    assert [str(file) for file in found.files] == ["user.toml", "isthmus.toml"]


def test_an_empty_table_takes_nothing_away():
    found = load("[handoff]\n[handoff.budget]\n[providers]\n", user="[handoff]\nthreshold = 0.7\n" + PROVIDER)
    assert found.settings.handoff.threshold == 0.7
    assert "big" in found.settings.providers


def test_a_flag_that_was_not_given_says_nothing():
    assert load("model = 'm'", model=None).settings.model == "m"


def test_the_folders_of_the_process_are_used_where_none_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    user = configuration.user_file()
    user.parent.mkdir(parents=True, exist_ok=True)
    user.write_text("model = 'm'\n")
    WORK.write_text("system = 's'\n")
    monkeypatch.setenv("ISTHMUS_SERVER_PORT", "3")
    found = configuration.load()
    assert (found.settings.model, found.settings.system, found.settings.server.port) == ("m", "s", 3)
    assert found.files == (user, Path.cwd() / "isthmus.toml")
    user.unlink()


@pytest.mark.parametrize(
    ("home", "path"),
    [("~/models", "/home/ann/models"), ("/data", "/data"), ("data", "{here}/data"), ("", "{data}")],
)
def test_the_home_is_an_absolute_path(home, path, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    expected = path.format(here=Path.cwd(), data=load().settings.home)
    assert load(environ={"ISTHMUS_HOME": home}).settings.home == expected


# ---------------------------------------------------------------- hard switches

SWITCH_LAYERS = ("user", "text", "environ", "flags")


def switched(name: str, said: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `load` that set a switch in these layers."""
    layers: dict[str, Any] = {
        layer: f"{name} = {str(said[layer]).lower()}\n" for layer in ("user", "text") if layer in said
    }
    if "environ" in said:
        layers["environ"] = {variable_for(name): str(said["environ"]).lower()}
    if "flags" in said:
        layers[name.replace(".", "__")] = said["flags"]
    return layers


@pytest.mark.parametrize("name", HARD_SWITCHES)
@pytest.mark.parametrize("values", list(itertools.product([True, False, None], repeat=4)), ids=str)
def test_a_hard_switch_is_on_if_any_layer_says_so(name, values):
    said = {layer: value for layer, value in zip(SWITCH_LAYERS, values, strict=True) if value is not None}
    found = load(**switched(name, said))
    assert dict(leaves(found.settings))[name] is any(said.values())


@pytest.mark.parametrize("spelling", ["true", "1", '"true"', '"True"', '"1"'])
@pytest.mark.parametrize("loosening", ["false", "0", "False"])
def test_however_it_is_spelt(spelling, loosening):
    found = load(f"offline = {spelling}", environ={"ISTHMUS_OFFLINE": loosening}, offline=False)
    assert found.settings.offline is True
    assert str(found.sources["offline"]) == "isthmus.toml:1"


# ---------------------------------------------------------------- what stays home


@pytest.mark.parametrize("name", HOME_ONLY_LISTS)
def test_what_stays_home_is_what_any_layer_says(name):
    said = f'{name} = ["mine", "ours"]\n'
    found = load(user=said, text=f'{name} = ["theirs"]\n', environ={variable_for(name): "a,b"})
    assert dict(leaves(found.settings))[name] == ("mine", "ours", "theirs", "a", "b")
    assert dict(leaves(load(user=said, text=f"{name} = []\n").settings))[name] == ("mine", "ours")


@pytest.mark.parametrize("name", HOME_ONLY_LISTS)
@pytest.mark.parametrize("nothing", ["", "  "])
def test_a_mark_on_nothing_is_refused(name, nothing):
    with pytest.raises(SettingsError) as refused:
        load(f'{name} = ["{nothing}"]')
    assert refused.value.message == f"isthmus.toml:1: {name}: {nothing!r} names nothing"
    assert refused.value.hint == "handoff.local_only = true keeps everything home"


@pytest.mark.parametrize("path", ["**", "*", "/", "./*"])
def test_a_path_that_is_every_path_is_refused(path):
    with pytest.raises(SettingsError, match="names nothing"):
        load(f'handoff.home_only.paths = ["{path}"]')


def test_a_pattern_that_is_none_is_refused():
    with pytest.raises(SettingsError, match=r"'\(' is not a regular expression: missing \)"):
        load('handoff.home_only.patterns = ["("]')


# ---------------------------------------------------------------- lines

PLACES = '''\
# A comment, and [a.table] in it
"model" = "m"
system = """
temperature = 5
[server]
"""
local_hosts = [
    "a",  # [server]
    "[b]",
]
engine.threads = 2
engine . parallel = 3

[ server ]
port = 1
'drain_s' = 2.5

[handoff]
budget = { month_usd = 20, request_usd = "0.10" }
provider = "big"
  [providers."big"]
  "base_url" = 'https://big.example/v1'  # mode = "auto"
  model = "large"
[providers]
small = { base_url = "https://small.example/v1", model = "s" }
'''


def test_each_value_is_found_on_its_line():
    found = load(PLACES)
    assert {name: source.line for name, source in found.sources.items()} == {
        "model": 2,
        "system": 3,
        "local_hosts": 7,
        "engine.threads": 11,
        "engine.parallel": 12,
        "server.port": 15,
        "server.drain_s": 16,
        "handoff.budget.month_usd": 19,
        "handoff.budget.request_usd": 19,
        "handoff.provider": 20,
        "providers.big.base_url": 22,
        "providers.big.model": 23,
        "providers.small.base_url": 25,
        "providers.small.model": 25,
    }
    assert found.settings.system == "temperature = 5\n[server]\n"


def test_lines_are_counted_as_editors_do():
    assert load("model = 'm'\r\n# \u2028\r\nsystem = 's'\r\n").sources["system"].line == 3


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("model = 'm'\nport =\n", 2),
        ("model = 'm'\n[server\n", 2),
        ("model = 'm'\nmodel = 'n'\n", 2),
        ("model = '''\nnever\nends", 3),
        ("a = [\n", 1),
        ("\x00", 1),
        ("=", 1),
    ],
)
def test_what_is_not_toml_is_told_with_its_line(text, line):
    error = refusal(text)
    assert error.message.startswith("isthmus.toml is not valid TOML: ")
    assert f"at line {line}," in error.message
    assert error.hint == "edit isthmus.toml"


@pytest.mark.parametrize("content", [b"model = '\xff'", b"a = " + b"[" * 5000], ids=range(2))
def test_what_can_not_be_read_is_named(content):
    WORK.write_bytes(content)
    with pytest.raises(SettingsError, match=r"isthmus\.toml can't be read: "):
        configuration.load(environ={}, folder=Path(), user=USER)


# ---------------------------------------------------------------- what isn't a setting


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("modle = 'm'", "isthmus.toml:1: modle is not a setting", "did you mean model?"),
        ("[server]\nprot = 1", "isthmus.toml:2: server.prot is not a setting", "did you mean server.port?"),
        ("port = 1", "isthmus.toml:1: port is not a setting", "did you mean server.port?"),
        ("mode = 'auto'", "isthmus.toml:1: mode is not a setting", "did you mean handoff.mode?"),
        ("zzz = 1", "isthmus.toml:1: zzz is not a setting", "isthmus config show"),
        ("[sever]\nport = 1", "isthmus.toml:2: sever.port is not a setting", "did you mean server.port?"),
        (
            PROVIDER + "modle = 'm'",
            "isthmus.toml:3: providers.big.modle is not a setting",
            "did you mean providers.big.model?",
        ),
        ("model.name = 'm'", "isthmus.toml:1: model.name is not a setting", "did you mean model?"),
        (
            "server = 1",
            "isthmus.toml:1: server is a table, so it has no value of its own",
            "[server]",
        ),
        (
            "[[providers]]\nmodel = 'm'",
            "isthmus.toml:1: providers is a table, so it has no value of its own",
            "[providers]",
        ),
        (
            "'a.b' = 1",
            "isthmus.toml:1: names of settings and providers hold letters, digits, _ and - only",
            None,
        ),
        (
            PROVIDER + "[providers.'']\nmodel = 'm'",
            "isthmus.toml:4: names of settings and providers hold letters, digits, _ and - only",
            None,
        ),
        (
            "[providers.'a/b']\nmodel = 'm'",
            "isthmus.toml:2: names of settings and providers hold letters, digits, _ and - only",
            None,
        ),
    ],
)
def test_what_is_not_a_setting_is_told_with_what_may_have_been_meant(text, message, hint):
    error = refusal(text)
    assert (error.message, error.hint) == (message, hint)


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("ISTHMUS_TEMPRATURE", "did you mean ISTHMUS_TEMPERATURE?"),
        ("ISTHMUS_HANDOFF_MOD", "did you mean ISTHMUS_HANDOFF_MODE?"),
        ("ISTHMUS_ZZZ_ZZZ_ZZZ_ZZZ", "isthmus config show"),
    ],
)
def test_a_misspelt_variable_is_refused(variable, hint):
    error = refusal(environ={variable: "1"})
    assert (error.message, error.hint) == (f"{variable} is not a setting", hint)


def test_other_variables_are_nobody_elses_business():
    assert load(environ={"PATH": "/bin", "ISTHMU": "1", "isthmus_model": "x"}).sources == {}


def test_a_flag_that_is_not_a_setting_is_refused():
    assert refusal(modle="m").message == "flag modle: modle is not a setting"


# ---------------------------------------------------------------- values that don't fit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[handoff]\nmode = 'atuo'", "2: handoff.mode: 'atuo' is not one of off, shadow, ask, auto, always"),
        ("effort = 'max'", "1: effort: 'max' is not one of none, minimal, low, medium, high, xhigh"),
        ("show_reasoning = 5", "1: show_reasoning: 5 is not one of dim, hide, live"),
        ("offline = 'yes'", "1: offline: 'yes' is not one of true, false"),
        ("temperature = 3", "1: temperature: expected `float` <= 2.0"),
        ("temperature = nan", "1: temperature: expected `float` >= 0.0"),
        ("temperature = 'hot'", "1: temperature: expected `float`, got `str`"),
        ("max_tokens = 0", "1: max_tokens: expected `int` >= 1"),
        ("system = 2020-01-01", "1: system: expected `str`, got `date`"),
        ("local_hosts = 'gpu'", "1: local_hosts: expected `array`, got `str`"),
        ("local_hosts = ['gpu', 5]", "1: local_hosts[1]: expected `str`, got `int`"),
        ("[server]\nport = 65536", "2: server.port: expected `int` <= 65535"),
        ("[server]\nport = true", "2: server.port: expected `int`, got `bool`"),
        ("[model]", "1: model: expected `str`, got `object`"),
        ("[engine]\nload_timeout_s = 0", "2: engine.load_timeout_s: expected `float` > 0.0"),
        (PROVIDER + "model = 5", "3: providers.big.model: expected `str`, got `int`"),
        (PROVIDER + "stall_timeout_s = 0", "3: providers.big.stall_timeout_s: expected `float` > 0.0"),
        (
            "handoff.budget.day_usd = 'much'",
            "1: handoff.budget.day_usd: invalid decimal string",
        ),
        (
            "handoff.budget.day_usd = -1",
            "1: handoff.budget.day_usd is an amount of dollars, so it can't be -1",
        ),
        (
            PROVIDER + "input_usd_per_mtok = nan",
            "3: providers.big.input_usd_per_mtok is an amount of dollars, so it can't be NaN",
        ),
        ("home = '~nobody-of-that-name/x'", "1: home: could not determine home directory"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_its_place(text, message):
    assert refusal(text).message == f"isthmus.toml:{message}"


def test_a_value_that_does_not_fit_is_told_even_where_it_does_not_count():
    assert refusal("model = 'm'", user="model = 5").message == "user.toml:1: model: expected `str`, got `int`"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("model", "m", "m"),
        ("model", "5", "5"),
        ("system", "null", "null"),
        ("offline", "true", True),
        ("offline", "0", False),
        ("temperature", "0", 0.0),
        ("temperature", "0.25", 0.25),
        ("max_tokens", "12", 12),
        ("local_hosts", " gpu, nas ,", ("gpu", "nas")),
        ("local_hosts", "", ()),
        ("effort", "low", "low"),
        ("engine.gpu_layers", "-1", -1),
        ("server.drain_s", "1.5", 1.5),
        ("handoff.local_only", "1", True),
        ("handoff.threshold", "1", 1.0),
        ("handoff.budget.day_usd", "0.10", Decimal("0.10")),
    ],
)
def test_a_variable_is_read_as_its_setting_is(name, text, value):
    found = load(environ={variable_for(name): text})
    read = dict(leaves(found.settings))[name]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("temperature", "hot", "expected `float`, got `str`"),
        ("temperature", "", "expected `float`, got `str`"),
        ("server.port", "4.5", "expected `int`, got `str`"),
        ("offline", "yes", "'yes' is not one of true, false"),
        ("handoff.mode", "", "'' is not one of off, shadow, ask, auto, always"),
    ],
)
def test_a_variable_that_does_not_fit_is_told_by_its_name(name, text, message):
    variable = variable_for(name)
    assert refusal(environ={variable: text}).message == f"{variable}: {name}: {message}"


def test_every_setting_but_a_providers_has_a_variable_of_its_own():
    variables = [variable_for(name) for name, _ in leaves(Settings())]
    assert len(set(variables)) == len(variables)
    assert "ISTHMUS_HANDOFF_BUDGET_DAY_USD" in variables


def test_amounts_of_money_are_exact():
    found = load(PROVIDER + "input_usd_per_mtok = 0.15\noutput_usd_per_mtok = '0.60'\n")
    provider = found.settings.providers["big"]
    assert provider.input_usd_per_mtok == Decimal("0.15")
    assert str(provider.output_usd_per_mtok) == "0.60"


# ---------------------------------------------------------------- providers


@pytest.mark.parametrize(
    "address",
    [
        "",
        "big.example/v1",
        "ftp://big.example",
        "https://",
        "https:///v1",
        "http://[::1",
        "https://h:99999",
        "HTTP://x",
    ],
)
def test_an_address_must_be_one(address):
    message = refusal(f"providers.big.base_url = '{address}'").message
    assert message == f"isthmus.toml:1: providers.big.base_url {address!r} is not an http or https address"


def test_a_vendor_needs_no_address():
    settings = load("handoff.provider = 'anthropic'\nproviders.anthropic.model = 'm'").settings
    assert settings.providers["anthropic"].base_url == ""
    assert settings.handoff.order == ("anthropic",)


def test_several_providers_take_the_place_of_one():
    assert HandoffSettings(provider="a", providers=("b", "c")).order == ("b", "c")
    assert HandoffSettings().order == ()


def test_the_first_variable_that_holds_something_is_the_key():
    environ = {"A_KEY": " ", "B_KEY": "sk-b ", "C_KEY": "sk-c"}
    name, secret = first_secret(["A_KEY", "B_KEY", "C_KEY"], environ)
    assert (name, secret.reveal()) == ("B_KEY", "sk-b")
    assert first_secret(["A_KEY"], environ) is None


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "providers.own.local = true",
            "providers.own is declared local and has no base_url",
            'add base_url = "http://127.0.0.1:..." to [providers.own]',
        ),
        (
            "handoff.provider = 'big'",
            "isthmus.toml:1: there is no provider named 'big'",
            "isthmus handoff setup --provider big, or add [providers.big]",
        ),
        (
            "handoff.providers = ['anthropic', 'big']\nproviders.anthropic.model = 'm'",
            "isthmus.toml:1: there is no provider named 'big'",
            "isthmus handoff setup --provider big, or add [providers.big]",
        ),
        (
            "handoff.provider = 'own'\nproviders.own = { base_url = 'http://127.0.0.1/v1', local = true }",
            "isthmus.toml:1: provider 'own' is declared local, so nothing can be handed off to it",
            'model = "own" makes it the local model',
        ),
        (
            "providers.own = { base_url = 'http://gpu/v1', local = true }",
            "isthmus.toml:1: providers.own is declared local, but gpu is another machine",
            'local_hosts = ["gpu"] trusts it',
        ),
        (
            "providers.own = { base_url = 'http://127.evil.example/v1', local = true }",
            "isthmus.toml:1: providers.own is declared local, but 127.evil.example is another machine",
            'local_hosts = ["127.evil.example"] trusts it',
        ),
        (
            "providers.own = { base_url = 'http://127.0.0.1@evil.example/v1', local = true }",
            "isthmus.toml:1: providers.own is declared local, but evil.example is another machine",
            'local_hosts = ["evil.example"] trusts it',
        ),
        (
            "providers.own = { base_url = 'http://127.0.0.1/v1', local = true, model = 'qwen3:8b-cloud' }",
            "isthmus.toml:1: providers.own.model 'qwen3:8b-cloud' runs in Ollama's cloud, so it isn't local",
            "remove local = true, or name a model that runs here",
        ),
        (
            "providers.big.base_url = 'http://big.example/v1'",
            "isthmus.toml:1: providers.big.base_url would send questions to big.example unencrypted",
            "use https://",
        ),
        (
            "providers.big.base_url = 'http://127.big.example/v1'",
            "isthmus.toml:1: providers.big.base_url would send questions to 127.big.example unencrypted",
            "use https://",
        ),
    ],
)
def test_a_provider_that_can_not_be_is_refused(text, message, hint):
    error = refusal(text)
    assert (error.message, error.hint) == (message, hint)


@pytest.mark.parametrize(
    "text",
    [
        "providers.own = { base_url = 'http://127.0.0.1:11434/v1', local = true }",
        "providers.own = { base_url = 'http://127.0.0.2/v1', local = true }",
        "providers.own = { base_url = 'http://[::1]:1234/v1', local = true }",
        "providers.own = { base_url = 'http://localhost/v1', local = true, model = 'qwen3:8b' }",
        "local_hosts = ['gpu']\nproviders.own = { base_url = 'http://gpu/v1', local = true }",
        "providers.own = { base_url = 'http://127.0.0.1/v1' }",
    ],
)
def test_a_runner_on_this_machine_or_a_trusted_one_is_local(text):
    assert "own" in load(text).settings.providers


# ---------------------------------------------------------------- secrets and strangers

KEYED = PROVIDER + "key_env = 'BIG_KEY'\n"


def test_a_key_is_read_from_its_variable_and_never_shown():
    found = load(KEYED, environ={"BIG_KEY": " sk-hidden\n", "OTHER": "x"})
    assert {name: key.reveal() for name, key in found.keys.items()} == {"big": "sk-hidden"}
    assert "hidden" not in repr(found)


@pytest.mark.parametrize("environ", [{}, {"BIG_KEY": ""}, {"BIG_KEY": " \n"}])
def test_a_key_that_is_not_set_is_none(environ):
    assert load(KEYED, environ=environ).keys == {}


@pytest.mark.parametrize("key", ["sk-\nhidden", "sk-hidden\x7f", "“sk-hidden”"])
def test_what_can_not_be_a_key_is_refused_without_showing_it(key):
    error = refusal(KEYED, environ={"BIG_KEY": key})
    assert error.message == "BIG_KEY holds characters that no key holds"


def test_a_password_in_an_address_is_not_shown():
    found = load("providers.big.base_url = 'https://me:hidden@big.example/v1'")
    assert "hidden" not in repr(found)
    assert "hidden" not in refusal("providers.big.base_url = 'ftp://me:hidden@big.example'").message


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="who owns a file is told otherwise here")
@pytest.mark.parametrize("file", [USER, WORK])
def test_a_file_that_anyone_can_write_is_not_trusted(file):
    file.write_text("model = 'm'")
    file.chmod(0o666)
    with pytest.raises(SettingsError, match="isn't trusted") as caught:
        configuration.load(environ={}, folder=Path(), user=USER)
    assert caught.value.hint == f"chown $USER {file} && chmod o-w {file}"
    file.chmod(0o664)
    assert configuration.load(environ={}, folder=Path(), user=USER).settings.model == "m"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="who owns a file is told otherwise here")
def test_a_file_of_someone_else_is_not_trusted(monkeypatch):
    WORK.write_text("model = 'm'")
    owner = WORK.stat().st_uid
    if owner == 0:
        os.chown(WORK, 4242, -1)
    else:
        monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    with pytest.raises(SettingsError, match="belongs to someone else"):
        configuration.load(environ={}, folder=Path(), user=USER)


# ---------------------------------------------------------------- anything at all

SCALAR = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8)
NAMES = [name for name, _ in leaves(Settings())]


@given(
    st.dictionaries(
        st.sampled_from([*NAMES, "server", "providers", "providers.x.base_url", "providers.x.local", "a.b"]),
        SCALAR | st.lists(SCALAR, max_size=2) | st.dictionaries(st.text(max_size=3), SCALAR, max_size=2),
        max_size=4,
    )
)
def test_any_value_anywhere_is_taken_or_refused_in_words(flags):
    try:
        found = configuration.load(flags=flags, environ={}, folder=Path(), user=USER)
    except SettingsError as error:
        assert error.message  # noqa: PT017 - some are taken
    else:
        assert isinstance(found.settings, Settings)


@given(st.text(alphabet="am=[]{}.'\"\n #1,", max_size=30) | st.text(max_size=30))
def test_any_text_at_all_is_settings_or_refused_in_words(text):
    WORK.write_text(text, encoding="utf-8", newline="")
    try:
        configuration.load(environ={}, folder=Path(), user=USER)
    except SettingsError as error:
        assert "isthmus.toml" in error.message  # noqa: PT017 - an empty file is taken


def test_a_source_says_where_it_is():
    assert [
        str(source) for source in (Source("default"), Source("file", "x.toml"), Source("file", "x.toml", 3))
    ] == [
        "default",
        "x.toml",
        "x.toml:3",
    ]


# ---------------------------------------------------------------- what Hugging Face's own tools heed


@pytest.mark.parametrize(
    ("environ", "endpoint", "source"),
    [
        ({}, "https://file.example", "isthmus.toml:1"),
        ({"HF_ENDPOINT": "https://hub.example"}, "https://hub.example", "HF_ENDPOINT"),
        ({"HF_ENDPOINT": " "}, "https://file.example", "isthmus.toml:1"),
        (
            {"HF_ENDPOINT": "https://hub.example", "ISTHMUS_HF_ENDPOINT": "https://own.example"},
            "https://own.example",
            "ISTHMUS_HF_ENDPOINT",
        ),
    ],
)
def test_the_hub_of_all_its_tools_yields_to_our_own_variable(environ, endpoint, source):
    found = load("hf_endpoint = 'https://file.example'\n", environ=environ)
    assert found.settings.hf_endpoint == endpoint
    assert str(found.sources["hf_endpoint"]) == source


def test_the_token_is_a_secret():
    found = load(environ={"HF_TOKEN": " hf_abc\n"})
    assert found.hf_token is not None
    assert found.hf_token.reveal() == "hf_abc"
    assert "hf_abc" not in repr(found)
    assert load(environ={"HF_TOKEN": ""}).hf_token is None


def test_a_token_with_characters_that_no_token_holds():
    assert refusal(environ={"HF_TOKEN": "hf_\nabc"}).message == "HF_TOKEN holds characters that no key holds"


# ---------------------------------------------------------------- the server's own


def test_a_variable_that_holds_a_list_is_separated_by_commas():
    found = load(
        environ={"ISTHMUS_SERVER_CORS_ORIGINS": "https://a.example, *", "ISTHMUS_LOCAL_HOSTS": "nas,"}
    )
    assert found.settings.server.cors_origins == ("https://a.example", "*")
    assert found.settings.local_hosts == ("nas",)


@pytest.mark.parametrize(
    "origin",
    ["https://a.example/", "https://a.example/x", "a.example", "null", "https://me@a.example", "http://["],
)
def test_an_origin_is_a_scheme_and_a_host(origin):
    error = refusal(server__cors_origins=[origin])
    assert "is not an origin" in error.message
    assert load(server__cors_origins=["http://localhost:5173"]).settings.server.cors_origins


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c.example:4318"}, "http://c.example:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c.example/otlp/"}, "http://c.example/otlp/v1/traces"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/x"},
            "http://t/x",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, None),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "ISTHMUS_SERVER_TRACES_ENDPOINT": "http://ours"},
            "http://ours",
        ),
    ],
)
def test_traces_go_where_opentelemetrys_own_variables_say(environ, endpoint):
    assert load(environ=environ).settings.server.traces_endpoint == endpoint


def test_names_with_a_value_each_are_settings_too():
    settings = load("handoff.redaction.patterns = {PROJECT = 'PRJ-[0-9]+', GUEST = 'guest'}").settings
    assert settings.handoff.redaction.patterns == {"PROJECT": "PRJ-[0-9]+", "GUEST": "guest"}
    assert ("handoff.redaction.patterns.GUEST", "guest") in list(leaves(settings))
