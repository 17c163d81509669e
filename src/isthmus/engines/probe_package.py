"""What a package build says of itself; run in a child process, since importing it may be the end of it.

Started by `isthmus.engines.probe` as ``python -m isthmus.engines.probe_package``; its last line is JSON.
"""

import json
import re
import sys

import xllamacpp


def main() -> None:
    """Write a `Description`."""
    names = [str(device["name"]) for device in xllamacpp.get_device_info()]
    features = re.findall(r"(\w+) = 1\b", xllamacpp.get_system_info())
    described = {"version": xllamacpp.__version__, "features": features, "devices": names}
    sys.stdout.write(json.dumps(described) + "\n")


if __name__ == "__main__":
    main()
