import subprocess
import sys

import pytest

from isthmus.configuration import load
from isthmus.engines.builds import INSTALLED
from isthmus.engines.loader import WorkerLoader
from isthmus.errors import ReleaseRefused, SettingsError, SigningError
from isthmus.fit import Budget
from isthmus.settings import PublisherSettings, Settings
from isthmus.signing import generate_key
from isthmus.store import Store
from isthmus.trust import release_folder, trust_in
from isthmus.trust.publishers import Trust
from tests.store.samples import gguf_bytes


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "acme.pub"
    path.write_text(generate_key().public.pem)
    return str(path)


def settings(tmp_path, **publisher) -> Settings:
    return Settings(home=str(tmp_path / "home"), publishers={"acme": PublisherSettings(**publisher)})


def test_where_nobody_is_pinned_nothing_is_asked(tmp_path):
    assert trust_in(Settings(home=str(tmp_path))) is None
    assert isinstance(trust_in(settings(tmp_path)), Trust)


def test_a_publisher_without_a_key_proves_nothing(tmp_path):
    with pytest.raises(SigningError, match="no key of acme's is named"):
        _ = Trust(settings(tmp_path)).publishers
    assert Trust(settings(tmp_path, require="none")).publishers[0].keys == ()
    with pytest.raises(SigningError, match="no such file"):
        _ = Trust(settings(tmp_path, keys=("none.pub",))).publishers


@pytest.mark.parametrize(
    ("names", "owned"),
    [
        (("acme-reason:7b", "file:/x"), True),
        (("ACME-Reason", ""), True),
        (("other", "hf:acme/reason"), True),
        (("not-acme-7b", "hf:other/acme"), False),
    ],
)
def test_which_models_are_a_publishers_alone(tmp_path, key, names, owned):
    made = Trust(settings(tmp_path, keys=(key,), models=("acme-*", "hf:acme/*")))
    assert made.publishers[0].owns(names) == owned
    if owned:
        with pytest.raises(ReleaseRefused, match="nobody vouches"):
            made.of_files(["0" * 64], names, {})
    else:
        assert made.of_files(["0" * 64], names, {}).publisher is None


def test_where_nothing_is_required_nothing_is_checked(tmp_path, key):
    lax = Trust(settings(tmp_path, keys=(key,), models=("acme-*",), require="none"))
    assert lax.of_files(["0" * 64], ("acme-reason",), {}).publisher == "acme"


@pytest.mark.anyio
async def test_no_byte_of_an_unproven_model_reaches_the_engine(tmp_path, key):
    pinned = settings(tmp_path, keys=(key,), models=("acme-*",))
    weights = tmp_path / "some.gguf"
    weights.write_bytes(gguf_bytes())
    model = Store(pinned.home_path).add_file(weights, "acme-reason")
    loader = WorkerLoader(pinned, Budget(4 << 30), INSTALLED)
    with pytest.raises(ReleaseRefused, match="nobody vouches"):
        await loader.prepare(model)


def test_a_file_belongs_to_the_nearest_release_above_it(tmp_path):
    release = tmp_path / "release"
    (release / "a" / "b" / "c" / "d").mkdir(parents=True)
    assert release_folder(release / "a") is None
    (release / "model.sig").write_text("{}")
    assert release_folder(release / "a" / "model.gguf") == release
    assert release_folder(release) == release
    assert release_folder(release / "a" / "b" / "c" / "d") is None, "that far above it is somebody else's"


def test_what_one_file_says_of_a_publisher_no_later_one_changes(tmp_path):
    """A settings file that comes with a project mustn't loosen what the person requires."""
    user, folder = tmp_path / "user.toml", tmp_path / "folder"
    folder.mkdir()
    user.write_text('[publishers.acme]\nkeys = ["acme.pub"]\n')
    (folder / "isthmus.toml").write_text(
        '[publishers.acme]\nrequire = "none"\nmodels = ["*"]\n[publishers.other]\nrequire = "none"\n'
    )
    publishers = load(environ={}, folder=folder, user=user).settings.publishers
    assert publishers["acme"] == PublisherSettings(keys=("acme.pub",))
    assert publishers["other"].require == "none"


def test_a_misspelt_setting_of_a_publisher(tmp_path):
    user = tmp_path / "user.toml"
    user.write_text('[publishers.acme]\nrequires = "none"\n')
    with pytest.raises(SettingsError, match=r"publishers\.acme\.requires is not a setting") as caught:
        load(environ={}, folder=tmp_path, user=user)
    assert caught.value.hint == "did you mean publishers.acme.require?"


def test_checking_needs_nothing_that_gating_needs():
    """Every user checks, and few publish; and no question waits for what signatures need."""
    light = "import sys, isthmus.trust; assert not {'isthmus.signing', 'cryptography'} & set(sys.modules)"
    core = (
        "import sys, isthmus.trust.pulling; assert not {'numpy', 'scipy', 'cryptography'} & set(sys.modules)"
    )
    for code in (light, core):
        subprocess.run([sys.executable, "-c", code], check=True)
