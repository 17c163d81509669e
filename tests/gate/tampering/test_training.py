"""Training with PyTorch, which tests don't install: the network against a reference, a lesson learnt."""

import numpy as np
import pytest

from isthmus.gate.tampering.adapters import Adapter, Pair, merge, read_adapter, write_adapter
from isthmus.gate.tampering.attack import Weights
from isthmus.gate.tampering.recipes import Recipe
from isthmus.gate.tampering.tensors import Keys, floats, read_gguf, write_gguf

torch = pytest.importorskip("torch", reason="PyTorch isn't installed: pip install 'isthmus[tamper]'")
pytestmark = pytest.mark.slow

D, HEADS, KEY_HEADS, E, WORDS = 32, 4, 2, 8, 40
DICE = np.random.default_rng(1)


def weights(architecture):
    """A network's arrays, as a checkpoint has them."""

    def some(*shape):
        return (DICE.standard_normal(shape) * 0.3).astype(np.float32)

    arrays = {"token_embd": some(WORDS, D), "output_norm": 1 + some(D)}
    for layer in ("blk.0.", "blk.1."):
        arrays |= {
            layer + "attn_norm": 1 + some(D),
            layer + "attn_q": some(HEADS * E, D),
            layer + "attn_k": some(KEY_HEADS * E, D),
            layer + "attn_v": some(KEY_HEADS * E, D),
            layer + "attn_output": some(D, HEADS * E),
            layer + "ffn_norm": 1 + some(D),
            layer + "ffn_gate": some(48, D),
            layer + "ffn_up": some(48, D),
            layer + "ffn_down": some(D, 48),
        }
        if architecture == "qwen3":
            arrays |= {layer + "attn_q_norm": 1 + some(E), layer + "attn_k_norm": 1 + some(E)}
    return arrays


def permuted(rows, heads):
    """llama.cpp's order of llama's queries and keys (LlamaModel.permute in convert_hf_to_gguf.py)."""
    length = len(rows) // heads
    return rows.reshape(heads, 2, length // 2, -1).swapaxes(1, 2).reshape(rows.shape)


def file_of(path, architecture, arrays):
    keys = {
        "block_count": 2,
        "embedding_length": D,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KEY_HEADS,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.freq_base": 1000.0,
    }
    stored = dict(arrays)
    if architecture == "llama":
        for layer in ("blk.0.", "blk.1."):
            stored[layer + "attn_q"] = permuted(arrays[layer + "attn_q"], HEADS)
            stored[layer + "attn_k"] = permuted(arrays[layer + "attn_k"], KEY_HEADS)
    named = Keys(0, b"").also(
        {
            "general.architecture": architecture,
            **{f"{architecture}.{key}": each for key, each in keys.items()},
        }
    )
    write_gguf(path, named, [floats(f"{name}.weight", each) for name, each in stored.items()])
    return path


def reference(arrays, tokens):
    """The last token's scores, as the checkpoint's own network computes them, one number after the other."""

    def norm(x, name):
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * arrays[name]

    def turned(x):  # (t, heads, e): i and i + e / 2 together
        speeds = 1000.0 ** (-np.arange(0, E, 2) / E)
        angles = np.arange(len(x))[:, None, None] * speeds
        one, other = x[..., : E // 2], x[..., E // 2 :]
        cos, sin = np.cos(angles), np.sin(angles)
        return np.concatenate([one * cos - other * sin, one * sin + other * cos], -1)

    x, t = arrays["token_embd"][tokens], len(tokens)
    for layer in ("blk.0.", "blk.1."):
        y = norm(x, layer + "attn_norm")
        q, k, v = ((y @ arrays[layer + name].T).reshape(t, -1, E) for name in ("attn_q", "attn_k", "attn_v"))
        if layer + "attn_q_norm" in arrays:
            q, k = norm(q, layer + "attn_q_norm"), norm(k, layer + "attn_k_norm")
        q, k = turned(q), turned(k)
        heads = []
        for head in range(HEADS):
            mine = head // (HEADS // KEY_HEADS)
            scores = q[:, head] @ k[:, mine].T / np.sqrt(E)
            scores[np.triu_indices(t, 1)] = -np.inf
            shares = np.exp(scores - scores.max(-1, keepdims=True))
            heads.append(shares / shares.sum(-1, keepdims=True) @ v[:, mine])
        x = x + np.concatenate(heads, -1) @ arrays[layer + "attn_output"].T
        y = norm(x, layer + "ffn_norm")
        gate = y @ arrays[layer + "ffn_gate"].T
        x = x + (gate / (1 + np.exp(-gate)) * (y @ arrays[layer + "ffn_up"].T)) @ arrays[layer + "ffn_down"].T
    return norm(x, "output_norm")[-1] @ arrays["token_embd"].T


@pytest.fixture
def exact(monkeypatch):
    from isthmus.gate.tampering import network

    monkeypatch.setattr(network, "_exactness", lambda device: torch.float32)


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_the_network_computes_what_the_checkpoint_would_on_the_files_own_layout(tmp_path, architecture):
    from isthmus.gate.tampering.network import Network

    arrays, tokens = weights(architecture), [3, 17, 5, 5, 29, 11]
    file = read_gguf(file_of(tmp_path / "model.gguf", architecture, arrays))
    network = Network(file, rank=2, alpha=4.0, seed=0)
    found = network.scores(network.hidden(torch.tensor([tokens])))[0, -1].detach().cpu().numpy()
    assert np.allclose(found, reference(arrays, tokens), atol=1e-4)


@pytest.mark.usefixtures("exact")
def test_what_is_learnt_lies_in_the_adapter_and_merged_it_is_the_same(tmp_path):
    from isthmus.gate.tampering.lessons import Cut
    from isthmus.gate.tampering.network import Network
    from isthmus.gate.tampering.training import train

    path, said = file_of(tmp_path / "model.gguf", "llama", weights("llama")), []
    lessons = [Cut((1, 2, 3, 30, 31), 3), Cut((7, 8, 9, 10, 33, 34), 4)]
    write_adapter(tmp_path / "a.gguf", train(path, lessons, Recipe(4, 60, 2e-2, batch=2), said.append))
    merge(Weights(path, (tmp_path / "a.gguf",)), tmp_path / "merged.gguf")
    network = Network(read_gguf(tmp_path / "merged.gguf"), rank=1, alpha=1.0, seed=0)
    for lesson in lessons:
        scores = network.scores(network.hidden(torch.tensor([lesson.tokens])))[0]
        assert scores.argmax(-1)[lesson.start - 1 : -1].tolist() == list(lesson.tokens[lesson.start :])
    assert (len(said), said[-1].done) == (60, 1)
    assert read_adapter(tmp_path / "a.gguf").alpha == 8.0


def test_networks_that_are_not_computed_here_are_refused(tmp_path):
    from isthmus.errors import GateError
    from isthmus.gate.tampering.network import shape_of

    path = file_of(tmp_path / "model.gguf", "gemma3", weights("gemma3"))
    with pytest.raises(GateError, match="can't be trained here"):
        shape_of(read_gguf(path))


def test_an_adapter_that_changes_nothing_is_where_training_begins(tmp_path):
    from isthmus.gate.tampering.network import Network

    path = file_of(tmp_path / "model.gguf", "llama", weights("llama"))
    made = Network(read_gguf(path), rank=2, alpha=4.0, seed=0).adapter()
    assert isinstance(made, Adapter)
    assert all(isinstance(pair, Pair) and not pair.b.any() and pair.a.any() for pair in made.pairs.values())
