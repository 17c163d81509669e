"""Engine builds: which llama.cpp runs the models, of those that are on this machine."""

from typing import Literal

from msgspec import Struct


class EngineBuild(Struct, frozen=True):
    """A build of llama.cpp.

    ``kind`` is "package" for the Python package xllamacpp, found in the folder ``path`` (empty: where it is
    installed), and "program" for a llama-server whose file is ``path``. ``instructions`` are the CPU's that
    it was built for, ``device`` the GPU interface that it drives (cuda, rocm, metal, vulkan), if any.
    """

    name: str
    kind: Literal["package", "program"]
    path: str = ""
    version: str = ""
    instructions: tuple[str, ...] = ()
    device: str | None = None
    prefill_tokens_per_s: float | None = None
    decode_tokens_per_s: float | None = None


INSTALLED = EngineBuild("installed", "package")
"""The package that was installed with Isthmus: always there, built for AVX2."""
