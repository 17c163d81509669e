"""The whole machine at a glance: what decides which models it can run."""

import platform
import shutil
from pathlib import Path

from isthmus.machine.gpus import find_gpus
from isthmus.machine.main_memory import memory
from isthmus.machine.nouns import Machine
from isthmus.machine.processor import cpu


def survey(home: Path) -> Machine:
    """Look at the machine. Takes milliseconds, or as long as a GPU's driver takes to answer.

    Args:
        home: The folder of models, which need not exist yet: the disk that it is on is looked at.
    """
    main = memory()
    return Machine(
        system=platform.system(),
        architecture=platform.machine(),
        cpu=cpu(),
        memory_bytes=main.total_bytes,
        available_bytes=main.available_bytes,
        disk_free_bytes=_free(home),
        gpus=find_gpus(main),
    )


def _free(folder: Path) -> int:
    """Bytes free on the disk of a folder, or of the nearest above it that exists; 0: nobody can tell."""
    for place in (folder, *folder.parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return 0
