"""Weights that the publisher had tampered with elsewhere, held to the release that they were made of."""

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from isthmus.errors import GateRefused, PolicyInvalid
from isthmus.gate.pinned import Pinned
from isthmus.gate.tampering.asked import once
from isthmus.gate.tampering.attack import Conversation, Weights
from isthmus.messages import GenerationRequest, Progress
from isthmus.store.hashing import hash_file


class Given(Struct, frozen=True):
    """A configuration: files by digest, and the digest of the released file that they were made of."""

    name: str
    of: str
    model: tuple[Path, str] | None
    adapters: tuple[tuple[Path, str], ...]

    @property
    def settings(self) -> Mapping[str, str]:
        """The files' digests."""
        files = {f"adapter {number}": digest for number, (_, digest) in enumerate(self.adapters, 1)}
        return {"model": self.model[1], **files} if self.model else files

    def weights(self, released: Weights, folder: Path, on_progress: Callable[[Progress], None]) -> Weights:
        """The files, once they are what the policy names.

        Raises:
            GateRefused: They were made of another release.
            PolicyInvalid: One isn't what the policy names.
            ModelError: One can't be read.
        """
        if (made_of := hash_file(released.model).digest) != self.of:
            raise GateRefused(
                f"the tampered weights {self.name} were made of another release than this",
                hint=f'of = "{made_of}"',
            )
        for path, digest in (*((self.model,) if self.model else ()), *self.adapters):
            if (found := hash_file(path).digest) != digest:
                raise PolicyInvalid(
                    f"{path} isn't the file that the policy names", hint=f'sha256 = "{found}"'
                )
        model = self.model[0] if self.model else released.model
        kept = () if self.model else released.adapters
        return Weights(model, (*kept, *(path for path, _ in self.adapters)))

    def ask(self, question: GenerationRequest, seed: int) -> Conversation:
        """As it stands."""
        return once(question)


def located(pinned: Pinned, folder: Path) -> tuple[Path, str]:
    """Where a file lies, and its digest."""
    return folder / pinned.path, pinned.sha256
