"""What llama.cpp's clients learn of the model that is served."""

from isthmus.engines.scripted import ScriptedEngine
from isthmus.messages import Finish, ModelInfo, TextDelta, Usage
from tests.engines.played import PlayedLoader
from tests.server.test_chat import HI, post
from tests.server.test_models import get

HELLO = [TextDelta("Hello"), Finish("stop", Usage(1, 1))]
TEMPLATE = "{{ messages }}"
KNOWN = ModelInfo(
    "first", local=True, context_length=512, vision=True, fingerprint="b7-00", template=TEMPLATE
)


def test_a_model_that_is_loaded_tells_its_context(serving):
    with serving(ScriptedEngine(HELLO, model=KNOWN), names=("first",), engine__parallel=3) as server:
        assert get(server, "/props")[1]["default_generation_settings"]["n_ctx"] is None
        post(server, {"messages": HI})
        status, told = get(server, "/props")
    assert status == 200
    assert told == {
        "model_alias": "first",
        "model_path": "first",
        "total_slots": 3,
        "default_generation_settings": {"n_ctx": 512, "params": {}},
        "modalities": {"vision": True, "audio": False},
        "chat_template": TEMPLATE,
        "build_info": "b7-00",
    }


def test_another_model_is_asked_for_by_its_name(serving):
    with serving(PlayedLoader(script=HELLO), names=("first", "second:7b")) as server:
        assert get(server, "/props?model=second:7b")[1]["model_alias"] == "second:7b"
        assert get(server, "/props?model=nobody")[0] == 404
