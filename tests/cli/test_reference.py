import runpy
from pathlib import Path

import msgspec
import pytest

GENERATOR = Path(__file__).parents[2] / "docs" / "generate.py"

generate = runpy.run_path(str(GENERATOR))


@pytest.mark.parametrize("name", generate["PAGES"])
def test_the_reference_is_what_the_code_says(name):
    page = generate["REFERENCE"] / name
    assert page.read_text(encoding="utf-8") == generate["render"](name), "stale: run `make docs`"


class Undocumented(msgspec.Struct):
    port: int = 1
    host: str = ""
    """The address."""


def test_a_setting_without_a_meaning_fails_the_build():
    with pytest.raises(KeyError, match="port"):
        generate["_settings_section"]("", Undocumented, list(msgspec.structs.fields(Undocumented)))
