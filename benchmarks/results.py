"""Where results go, and what is written beside them."""

import json
import os
import platform
import random
import statistics
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def environment():
    """The machine and the versions, so that a figure can be judged."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "isthmus": version("isthmus"),
        "xllamacpp": version("xllamacpp"),
        "command": "python -m benchmarks " + " ".join(Path(word).name for word in sys.argv[1:]),
        "load_before": round(os.getloadavg()[0], 2),
    }


def save(name, result, folder=RESULTS):
    """Write a result, and say where."""
    write(Path(folder) / f"{name}.json", json.dumps(result, indent=2) + "\n")


def write(path, text):
    """Write a file, and say where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    print(f"written to {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


def summary(values):
    """Median and quartiles."""
    ordered = sorted(values)
    if len(ordered) < 2:
        return {"median": ordered[0], "n": 1}
    low, middle, high = statistics.quantiles(ordered, n=4)
    return {"median": round(middle, 4), "quartiles": [round(low, 4), round(high, 4)], "n": len(ordered)}


def interval(values):
    """The bootstrap's 95% interval of the median; None where one value says nothing of the spread."""
    if len(values) < 2:
        return None
    chooser = random.Random(0)
    medians = sorted(statistics.median(chooser.choices(values, k=len(values))) for _ in range(2000))
    return [round(medians[50], 3), round(medians[-51], 3)]


def verdict(met):
    return "met" if met else "NOT MET"


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
