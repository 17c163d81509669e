"""A process that does all kinds of things to a store which others use too; run by test_store_under_load.

Usage: python -m tests.store.use_store HOME SOURCES SEED ROUNDS
"""

import random
import sys
from contextlib import suppress
from pathlib import Path

from isthmus.errors import UnknownModel
from isthmus.naming import parse_model
from isthmus.store.locks import exclusive
from isthmus.store.manifest import blob_path
from isthmus.store.store import Store
from isthmus.store.upkeep import check, collect
from isthmus.trust import verify

NAMES = ("one", "two", "three:a", "three:b")


def require_named_blobs(store: Store) -> None:
    """Whoever holds the lock finds all that the manifests name."""
    with exclusive(store.lock):
        manifests, damaged = store.manifests.scan()
        assert not damaged, damaged
        for manifest in manifests:
            for blob in manifest.blobs:
                assert blob_path(store.home, blob.digest).is_file(), f"{manifest.name} points to nothing"


def use(store: Store, sources: list[Path], dice: random.Random) -> None:
    name = dice.choice(NAMES)
    match dice.randrange(10):
        case 0 | 1 | 2 | 3:
            store.add_file(dice.choice(sources), name)
        case 4 | 5:
            with suppress(UnknownModel):
                store.remove(name)
        case 6:
            collect(store)
        case 7:
            report = check(store)
            assert not report.damage, report.damage
        case _:
            with suppress(UnknownModel), verify(store.require(parse_model(name))) as model:
                assert model.header.architecture == "llama"
    require_named_blobs(store)


def main() -> None:
    home, folder, seed, rounds = sys.argv[1:]
    sources = sorted(path for path in Path(folder).iterdir() if "-00002-" not in path.name)
    dice = random.Random(int(seed))
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    for _ in range(int(rounds)):
        use(Store(Path(home)), sources, dice)


if __name__ == "__main__":
    main()
