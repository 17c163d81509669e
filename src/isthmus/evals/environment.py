"""What a figure was measured with: the machine, the versions, the engine."""

import platform
from importlib.metadata import PackageNotFoundError, version

from isthmus.engines.builds import chosen
from isthmus.machine import survey
from isthmus.settings import Settings

_PACKAGES = ("isthmus", "xllamacpp", "inspect-ai")


def environment(settings: Settings) -> dict[str, str]:
    """The machine and the versions, so that figures can be judged and measured again."""
    machine = survey(settings.home_path)
    found = {
        "machine": machine.cpu.model,
        "cores": f"{machine.cpu.cores} ({machine.cpu.threads} threads)",
        "memory": f"{machine.memory_bytes / 1e9:.1f} GB",
        "gpus": ", ".join(gpu.name for gpu in machine.gpus),
        "system": f"{machine.system} {machine.architecture}",
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
        "engine": chosen(settings.home_path, settings.engine.build).name,
        "slots": str(settings.engine.parallel),
        "cache": settings.engine.kv_type,
    }
    return {name: value for name, value in found.items() if value}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
