import pytest

from isthmus.settings import Secret
from isthmus.store.sources.base import Bearer, Offer, OfferedFile, Url, anything_fits, origin


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://hub.example/x", True),
        ("https://HUB.example:443/y?z", True),
        ("http://hub.example/x", False),
        ("https://hub.example:8443/x", False),
        ("https://cdn.hub.example/x", False),
        ("https://hub.example.evil/x", False),
        ("https://hub.example@evil/x", False),
    ],
)
def test_a_token_is_for_one_origin(url, same):
    bearer = Bearer.of("https://hub.example", Secret("abc"))
    assert bearer.headers(url) == ({"Authorization": "Bearer abc"} if same else {})
    assert "abc" not in repr(bearer)


def test_loopback_has_two_names_that_are_two_hosts():
    assert origin("http://127.0.0.1:80") != origin("http://localhost:80")


def test_an_offer_is_as_long_as_its_files():
    file = OfferedFile(label="x", size_bytes=2, way=Url(url="https://x"))
    assert Offer(source="x:", name="x", weights=(file, file)).size_bytes == 4
    assert anything_fits(1 << 60)
