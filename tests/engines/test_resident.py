"""What is known of a model before it is loaded."""

import os

from isthmus.engines.resident import info_before_loading
from tests.store.samples import KEYS, gguf_bytes


def test_the_template_is_known_before_a_model_is_loaded(tmp_path):
    path = tmp_path / "x.gguf"
    path.write_bytes(gguf_bytes())
    assert info_before_loading(path).template == "{{ messages }}"
    path.write_bytes(gguf_bytes(keys={**KEYS, "tokenizer.chat_template": "<think>"}))
    os.utime(path, ns=(1, 1))
    assert info_before_loading(path).template == "<think>"


def test_weights_that_can_t_be_read_have_none(tmp_path):
    assert info_before_loading(tmp_path / "gone.gguf").template == ""
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    assert info_before_loading(tmp_path / "x.gguf").template == ""
