"""A release in a registry (Debian's): out whole or not at all, pulled with what it states, and attacked."""

import base64
import json
import logging
import shutil
from collections.abc import Iterator
from datetime import timedelta

import anyio
import pytest

from isthmus.errors import (
    FetchError,
    GateRefused,
    ReleaseRefused,
    SettingsError,
    SignatureInvalid,
    StorageError,
    UsageError,
)
from isthmus.gate import advising, publication
from isthmus.gate.registry import RegistryTarget
from isthmus.naming import parse_model
from isthmus.settings import PublisherSettings, Secret, Settings
from isthmus.store import Store
from isthmus.store.fetch import pull_reference
from isthmus.store.sources.logins import Login, read_login
from isthmus.store.sources.oci_push import require_tag
from isthmus.trust import admission_in, verify
from isthmus.trust.publishers import Trust
from tests.gate.releases import START, Bench
from tests.store.registry import IMAGE_MANIFEST, Registry, digest_of, played_registry, running_registry
from tests.store.samples import gguf_bytes

OUT = START + timedelta(days=30)
ACCEPT = {"Accept": IMAGE_MANIFEST}


@pytest.fixture(scope="module")
def registry(tmp_path_factory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture(scope="module")
def published(registry, tmp_path_factory) -> Bench:
    """A release that went to a folder and to the registry at once."""
    folder = tmp_path_factory.mktemp("gate")
    bench = Bench(folder / "project").scheduled()
    bench.clock.now += timedelta(days=2)
    publish(bench, f"oci:{registry.host}/acme/reason:1.0", folder / "release")
    return bench


@pytest.fixture
def trust(published, tmp_path):
    """Trust in the publisher's key, as a person sets it up."""
    key = tmp_path / "acme.pub"
    key.write_text(published.keys["dee"].public.pem)

    def make(now=OUT, **changes) -> Trust:
        pinned = PublisherSettings(keys=(str(key),), **{"models": ("acme-*",), **changes})
        return Trust(Settings(home=str(tmp_path / "home"), publishers={"acme": pinned}), now)

    return make


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "home")


def publish(bench, reference, folder=None, login=None):
    target = RegistryTarget(require_tag(reference), login)
    return publication.publish(bench.project, bench.keys["dee"], folder, registries=[target])


def pull(reference, store, trust, name="acme-reason"):
    return anyio.run(
        lambda: pull_reference(
            reference,
            store,
            name=name,
            offline=False,
            hf_endpoint="http://127.0.0.1:9",
            admit=trust.admit,
            on_progress=lambda progress: None,
            on_notice=lambda notice: None,
        )
    )


def due(folder) -> Bench:
    """Another release that may go out now."""
    bench = Bench(folder).scheduled()
    bench.clock.now += timedelta(days=2)
    return bench


# ---------------------------------------------------------------- out


def test_a_release_goes_out_as_one_artifact_that_tools_for_models_read(published, registry):
    manifest = json.loads(registry.get("/v2/acme/reason/manifests/1.0", ACCEPT))
    assert manifest["artifactType"] == "application/vnd.cncf.model.manifest.v1+json"
    layers = {each["annotations"]["org.opencontainers.image.title"]: each for each in manifest["layers"]}
    release = published.folder.parent / "release"
    files = {path.relative_to(release).as_posix(): path for path in release.rglob("*") if path.is_file()}
    assert set(layers) == set(files)
    for name, layer in layers.items():
        assert registry.get(f"/v2/acme/reason/blobs/{layer['digest']}") == files[name].read_bytes()
        assert layer["annotations"]["org.cncf.model.filepath"] == name
    kinds = {name: layer["mediaType"].split(".model.")[1] for name, layer in layers.items()}
    assert kinds["model.gguf"] == "weight.v1.raw"
    assert kinds["tokenizer.json"] == "weight.config.v1.raw"
    assert kinds["model.sig"] == kinds["MODEL_CARD.md"] == kinds["gate/policy.toml"] == "doc.v1.raw"
    config = json.loads(registry.get(f"/v2/acme/reason/blobs/{manifest['config']['digest']}"))
    assert config["config"] == {"format": "gguf"}
    assert config["modelfs"]["diffIds"] == [each["digest"] for each in manifest["layers"]]


def test_the_record_names_the_very_artifact(published, registry):
    content = registry.get("/v2/acme/reason/manifests/1.0", ACCEPT)
    record = published.project.situation.published
    assert record.data["registries"] == [f"oci:{registry.host}/acme/reason:1.0@{digest_of(content)}"]


def test_a_release_is_not_pushed_before_its_time(registry, tmp_path):
    bench = Bench(tmp_path / "project").scheduled()
    with pytest.raises(GateRefused, match="isn't to be published before"):
        publish(bench, f"oci:{registry.host}/acme/early:1.0")
    assert registry.tags("acme/early") == []
    assert bench.state == "scheduled"


def test_a_tag_that_is_there_is_never_replaced(published, registry, tmp_path):
    before = registry.get("/v2/acme/reason/manifests/1.0", ACCEPT)
    with pytest.raises(StorageError, match="is there already"):
        publish(bench := due(tmp_path / "project"), f"oci:{registry.host}/acme/reason:1.0", tmp_path / "out")
    assert registry.get("/v2/acme/reason/manifests/1.0", ACCEPT) == before
    assert bench.state == "scheduled"
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("text", ["oci:ghcr.io/acme/reason", f"oci:ghcr.io/acme/reason:1@sha256:{'a' * 64}"])
def test_what_is_pushed_needs_a_tag(text):
    with pytest.raises(UsageError, match="which tag"):
        require_tag(text)


def test_a_registry_that_cannot_be_reached_leaves_the_release_where_it_was(tmp_path):
    bench = due(tmp_path / "project")
    with pytest.raises(FetchError, match="could not be published"):
        publish(bench, "oci:127.0.0.1:9/acme/reason:1.0", tmp_path / "release")
    assert bench.state == "scheduled"
    assert not (tmp_path / "release").exists()


# ---------------------------------------------------------------- passwords


def answering(seen, challenge, *, location=None):
    """A registry that wants a login, and takes in everything once it sees one."""

    def behave(path, headers):
        seen.append((path, headers.get("Authorization")))
        if path.startswith("/token"):
            return 200, {}, b'{"token": "given"}'
        if "Authorization" not in headers:
            return 401, {"WWW-Authenticate": challenge.replace("HOST", headers["Host"])}, b""
        if path.endswith("/uploads/"):
            return 202, {"Location": location or "/place?state=1"}, b""
        return (404, {}, b"") if path.endswith("/1.0") and headers["Method"] == "HEAD" else (201, {}, b"")

    return behave


LOGIN = "ada", Secret("swordfish")
BASIC = f"Basic {base64.b64encode(b'ada:swordfish').decode()}"


def test_a_password_is_shown_to_the_registry_and_stays_out_of_every_log(tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    seen = []
    with played_registry(answering(seen, 'Basic realm="x"')) as host:
        login = Login(host, *LOGIN)
        publish(due(tmp_path / "project"), f"oci:{host}/acme/reason:1.0", login=login)
        assert "swordfish" not in repr(RegistryTarget(require_tag(f"oci:{host}/acme/reason:1.0"), login))
    assert {given for _, given in seen} == {None, BASIC}
    assert "swordfish" not in caplog.text + "".join(capfd.readouterr())
    assert b"swordfish" not in (tmp_path / "project" / "evidence.jsonl").read_bytes()


def test_a_token_is_had_for_a_password_and_shown_in_its_place(tmp_path):
    seen = []
    with played_registry(answering(seen, 'Bearer realm="http://HOST/token",scope="pull,push"')) as host:
        publish(due(tmp_path / "project"), f"oci:{host}/acme/reason:1.0", login=Login(host, *LOGIN))
    assert {given for path, given in seen if path.startswith("/token")} == {BASIC}
    assert {given for path, given in seen if not path.startswith("/token")} == {None, "Bearer given"}


def test_a_registry_cannot_have_the_password_sent_elsewhere(tmp_path):
    seen = []
    bench = due(tmp_path / "project")
    with played_registry(answering(seen, "")) as other:
        # Under its other name, as another host is.
        realm = f'Bearer realm="http://{other.replace("127.0.0.1", "localhost")}/token"'
        with (
            played_registry(answering([], realm)) as host,
            pytest.raises(FetchError, match="shown to localhost, which isn't of"),
        ):
            publish(bench, f"oci:{host}/acme/reason:1.0", login=Login(host, *LOGIN))
    assert seen == []


def test_an_upload_that_is_led_elsewhere_takes_no_password_along(tmp_path):
    seen = []
    with played_registry(
        lambda path, headers: seen.append(headers.get("Authorization")) or (201, {}, b"")
    ) as other:
        location = f"http://{other.replace('127.0.0.1', 'localhost')}/place"
        with played_registry(answering([], 'Basic realm="x"', location=location)) as host:
            publish(due(tmp_path / "project"), f"oci:{host}/acme/reason:1.0", login=Login(host, *LOGIN))
    assert set(seen) == {None}


@pytest.mark.parametrize(
    ("host", "url", "shown"),
    [
        ("ghcr.io", "https://ghcr.io/token", True),
        ("ghcr.io", "http://ghcr.io/token", False),
        ("ghcr.io", "https://evil.io/token", False),
        ("registry-1.docker.io", "https://auth.docker.io/token", True),
        ("registry.gitlab.com", "https://gitlab.com/jwt/auth", True),
        ("registry.gitlab.com", "https://evilgitlab.com/jwt/auth", False),
        ("10.0.0.1:5000", "https://20.0.0.1/token", False),
        ("127.0.0.1:5000", "http://127.0.0.1:5001/token", True),
    ],
)
def test_who_may_see_a_password(host, url, shown):
    assert bool(Login(host, *LOGIN).headers(url)) == shown


def test_logins_are_read_as_docker_writes_them(tmp_path):
    file = tmp_path / "config.json"
    auth = base64.b64encode(b"ada:sword:fish").decode()
    file.write_text(json.dumps({"auths": {"ghcr.io": {"auth": auth}, "quay.io": {}}, "credsStore": "x"}))
    login = read_login(file, "ghcr.io")
    assert (login.user, login.password.reveal()) == ("ada", "sword:fish")
    assert read_login(file, "quay.io") is None
    assert read_login(None, "ghcr.io") is None
    file.write_text('{"auths": {"ghcr.io": {"auth": "swordfish"}}}')
    with pytest.raises(SettingsError, match="can't be read") as caught:
        read_login(file, "ghcr.io")
    assert "swordfish" not in repr(caught.value)


# ---------------------------------------------------------------- in


def test_a_release_is_pulled_with_what_it_states_and_checked_at_each_load(registry, store, trust):
    model = pull(f"oci:{registry.host}/acme/reason:1.0", store, trust())
    for _ in range(2):
        with verify(store.require(parse_model("acme-reason")), trust=trust()) as verified:
            assert verified.origin.proof.level == "gated"
            assert verified.origin.proof.release == "acme/reason@1.0"
    with pytest.raises(ReleaseRefused, match="it was gated by version 1"):
        verify(model, trust=trust(policy_version=2))


def test_whoever_requires_nothing_gets_it_with_its_statements_for_later(registry, store, trust, tmp_path):
    lax = Settings(home=str(tmp_path / "home"))
    arrived = []

    def admit(arrival):
        arrived.append(arrival)
        admission_in(lax)(arrival)

    model = anyio.run(
        lambda: pull_reference(
            f"oci:{registry.host}/acme/reason:1.0",
            store,
            offline=False,
            hf_endpoint="",
            admit=admit,
            on_progress=lambda progress: None,
            on_notice=lambda notice: None,
        )
    )
    assert len(arrived[0].statements) == 8
    with verify(model, trust=trust(models=())) as verified:
        assert verified.origin.publisher == "acme"


def test_a_release_that_is_pulled_early_is_refused(registry, store, trust):
    with pytest.raises(ReleaseRefused, match="isn't out before"):
        pull(f"oci:{registry.host}/acme/reason:1.0", store, trust(now=START))
    assert store.models() == []
    assert not list(store.home.rglob("sha256-*"))


def test_the_same_weights_under_a_newer_signature_bring_that_signature(
    registry, store, trust, published, tmp_path
):
    folder = tmp_path / "project"
    bench = Bench(folder)
    bench.keys = published.keys
    bench.write_release()
    bench.scheduled()
    bench.clock.now += timedelta(days=2)
    publish(bench, f"oci:{registry.host}/acme/reason:again")
    first = pull(f"oci:{registry.host}/acme/reason:1.0", store, trust())
    second = pull(f"oci:{registry.host}/acme/reason:again", store, trust())
    assert first.digest == second.digest
    assert first.release != second.release
    assert [path.stem for path in (store.home / "releases").iterdir()] == [second.release]


# ---------------------------------------------------------------- a registry in the wrong hands


def changed(manifest, **by_title):
    """The manifest with other layers under these titles."""
    layers = [
        each | by_title.get(each["annotations"]["org.opencontainers.image.title"], {})
        for each in manifest["layers"]
    ]
    return manifest | {"layers": layers}


def layer(registry, content, title, like):
    made = registry.push_blob("acme/reason", content, like["mediaType"])
    return made | {"annotations": {"org.opencontainers.image.title": title, "org.cncf.model.filepath": title}}


def of_title(manifest, title):
    return next(
        each for each in manifest["layers"] if each["annotations"]["org.opencontainers.image.title"] == title
    )


def other_weights(registry, manifest):
    made = layer(registry, gguf_bytes(fill=9), "model.gguf", of_title(manifest, "model.gguf"))
    return changed(manifest, **{"model.gguf": made})


def two_digests_exchanged(registry, manifest):
    one, other = of_title(manifest, "tokenizer.json"), of_title(manifest, "chat_template.jinja")
    keep = ("digest", "size")
    return changed(
        manifest,
        **{
            "tokenizer.json": {name: other[name] for name in keep},
            "chat_template.jinja": {name: one[name] for name in keep},
        },
    )


def with_layers(registry, manifest, *more):
    return manifest | {"layers": [*manifest["layers"], *more]}


def a_layer_more(registry, manifest):
    like = of_title(manifest, "tokenizer.json")
    return with_layers(registry, manifest, layer(registry, b"print('hello')", "run.py", like))


def an_untitled_layer_more(registry, manifest):
    made = layer(registry, b"x", "", of_title(manifest, "tokenizer.json"))
    return with_layers(registry, manifest, made | {"annotations": {}})


def one_title_twice(registry, manifest):
    like = of_title(manifest, "tokenizer.json")
    return with_layers(registry, manifest, layer(registry, b"{}", "tokenizer.json", like))


def without(title):
    def attack(registry, manifest):
        kept = [each for each in manifest["layers"] if each != of_title(manifest, title)]
        return manifest | {"layers": kept}

    return attack


def a_statement_changed(registry, manifest):
    place = of_title(manifest, "gate/approvals.json")
    content = registry.get(f"/v2/acme/reason/blobs/{place['digest']}") + b" "
    return changed(
        manifest, **{"gate/approvals.json": layer(registry, content, "gate/approvals.json", place)}
    )


def a_projector_slipped_in(registry, manifest):
    like = of_title(manifest, "model.gguf")
    return with_layers(registry, manifest, layer(registry, gguf_bytes(fill=4), "mmproj-model.gguf", like))


MANIFESTS = {
    "other weights behind a title": (other_weights, "model.gguf has been changed"),
    "two digests exchanged": (two_digests_exchanged, "has been changed"),
    "a layer more": (a_layer_more, "run.py is not part of the release"),
    "an untitled layer more": (an_untitled_layer_more, "is not part of the release"),
    "one title twice": (one_title_twice, "the same name"),
    "a projector slipped in": (a_projector_slipped_in, "mmproj-model.gguf is not part"),
    "a layer gone": (without("tokenizer.json"), "tokenizer.json is missing"),
    "the decision gone": (without("gate/decision.json"), "gate/decision.json is missing"),
    "the signature gone": (without("model.sig"), "nobody vouches"),
    "a statement changed": (a_statement_changed, "approvals.json"),
}


@pytest.mark.parametrize(("attack", "words"), MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_that_was_touched_is_refused_before_a_byte_is_stored(
    registry, store, trust, attack, words
):
    manifest = json.loads(registry.get("/v2/acme/reason/manifests/1.0", ACCEPT))
    content = json.dumps(attack(registry, manifest)).encode()
    registry.push_manifest("acme/reason", "evil", content, IMAGE_MANIFEST)
    with pytest.raises((ReleaseRefused, SignatureInvalid), match=words):
        pull(f"oci:{registry.host}/acme/reason:evil", store, trust())
    assert store.models() == []
    assert not list(store.home.rglob("sha256-*"))


def test_a_quantised_file_passed_off_as_its_parent_is_refused(registry, store, trust, published):
    """Whoever requantises a release keeps its signature and names the file as the parent's was."""
    release = published.folder.parent / "release"
    statements = [
        (
            path.read_bytes(),
            "application/octet-stream",
            {"org.opencontainers.image.title": path.relative_to(release).as_posix()},
        )
        for path in sorted(release.rglob("*"))
        if path.is_file() and path.name != "model.gguf"
    ]
    weights = (
        gguf_bytes(fill=2),
        "application/octet-stream",
        {"org.opencontainers.image.title": "model.gguf"},
    )
    registry.push("someone/reason-q2:1.0", weights, *statements)
    with pytest.raises(ReleaseRefused, match=r"model\.gguf has been changed"):
        pull(f"oci:{registry.host}/someone/reason-q2:1.0", store, trust(models=()), name="anything")


def test_a_tag_that_moved_back_to_a_withdrawn_release_is_refused(registry, store, trust, published, tmp_path):
    feed, folder = tmp_path / "feed.json", tmp_path / "again"
    bench = Bench(folder)
    bench.keys = published.keys
    shutil.rmtree(folder)
    shutil.copytree(published.folder, folder)
    bench.clock.now = OUT
    advising.advise(bench.project, bench.keys["dee"], "mind the date", feed)
    heeding = trust(advisories=str(feed))
    pull(f"oci:{registry.host}/acme/reason:1.0", store, heeding)
    advising.advise(bench.project, bench.keys["dee"], "a new attack", feed, withdraw=True)
    old = registry.get("/v2/acme/reason/manifests/1.0", ACCEPT)
    registry.push_manifest("acme/reason", "latest", old, IMAGE_MANIFEST)
    fresh = Store(tmp_path / "fresh")
    with pytest.raises(ReleaseRefused, match="acme withdrew"):
        pull(f"oci:{registry.host}/acme/reason:latest", fresh, heeding)
    assert fresh.models() == []
    with pytest.raises(ReleaseRefused, match="acme withdrew"):
        verify(store.require(parse_model("acme-reason")), trust=heeding)


def test_statements_without_end_are_not_read(registry, store, trust):
    manifest = json.loads(registry.get("/v2/acme/reason/manifests/1.0", ACCEPT))
    huge = changed(manifest, **{"gate/evidence.jsonl": {"size": 65 << 20}})

    def behave(path, headers):
        assert "/manifests/" in path, "nothing else is asked for"
        return 200, {}, json.dumps(huge).encode()

    with played_registry(behave) as host, pytest.raises(ReleaseRefused, match="more than is read"):
        pull(f"oci:{host}/acme/reason:1.0", store, trust())


def test_a_redirect_to_another_host_takes_no_token_along_for_a_statement(store, trust, published):
    """What the registry may see stays with it, and what comes from elsewhere is held to its hash."""
    release = published.folder.parent / "release"
    contents = {
        path.relative_to(release).as_posix(): path.read_bytes()
        for path in release.rglob("*")
        if path.is_file()
    }
    layers = [
        {
            "mediaType": "application/octet-stream",
            "digest": digest_of(content),
            "size": len(content),
            "annotations": {"org.opencontainers.image.title": name},
        }
        for name, content in contents.items()
    ]
    by_digest = {digest_of(content): content for content in contents.values()}
    seen = []

    def elsewhere(path, headers):
        seen.append(headers.get("Authorization"))
        return 200, {}, by_digest[path.rpartition("/")[2]]

    with played_registry(elsewhere) as other:

        def behave(path, headers):
            if path.startswith("/token"):
                return 200, {}, b'{"token": "given"}'
            if "Authorization" not in headers:
                return 401, {"WWW-Authenticate": f'Bearer realm="http://{headers["Host"]}/token"'}, b""
            if "/blobs/" in path:
                return 307, {"Location": f"http://{other}/{path.rpartition('/')[2]}"}, b""
            return 200, {}, json.dumps({"schemaVersion": 2, "layers": layers}).encode()

        with played_registry(behave) as host:
            assert pull(f"oci:{host}/acme/reason:1.0", store, trust()).release
    assert len(seen) == 9
    assert set(seen) == {None}
