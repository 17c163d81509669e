"""A new release's folder: files to fill in, each of which says how."""

from importlib.resources import files
from pathlib import Path

from isthmus.errors import StorageError
from isthmus.gate.project import RELEASE_FILE, write_new

_RELEASE = """\
# A release on its way through the gate. `isthmus gate status` says where it is and what comes next.

name = "{name}"
version = "1.0"
publisher = "{publisher}"
files = "weights"        # the folder of what is to be released: weights, tokenizer, template, licence
policy = "policy.toml"
# parent = ""            # of a quantised or otherwise derived release: the digest of the one it was made from
# model = "model.gguf"   # what `isthmus gate run` serves of them; by default the only GGUF there

# Models that are measured beside it: by file, or by the name that `isthmus list` shows. Each sitting needs
# a control, which is known to be bad and must fail: the release itself with its training undone, say.
# [beside.control]
# model = "../control/known-bad.gguf"
# [beside."baseline:gpt-oss-20b"]
# model = "gpt-oss:20b"

# Whose keys may do what; `isthmus gate keygen NAME.pem` makes one, and each person keeps their own.
#   submitter   seals the release, and can never approve it
#   publisher   signs what goes out, schedules it, and advises on it: an ECDSA key
#   reviewer, and the policy's own roles: approve, refuse, hold back

[people.SUBMITTER]
key = "keys/submitter.pub"
roles = ["submitter"]

[people.REVIEWER]
key = "keys/reviewer.pub"
roles = ["safety", "reviewer"]

[people.EXPERT]
key = "keys/expert.pub"
roles = ["biosecurity", "security"]

[people.PUBLISHER]
key = "keys/publisher.pub"
roles = ["publisher"]
"""


def scaffold(folder: Path, name: str, publisher: str) -> tuple[Path, ...]:
    """Write a new release's files; gives them.

    Raises:
        StorageError: A release is there already, or the folder can't be written.
    """
    if (folder / RELEASE_FILE).exists():
        raise StorageError(f"{folder / RELEASE_FILE} is there already", hint="name another folder")
    texts = {
        RELEASE_FILE: _RELEASE.format(name=name, publisher=publisher),
        "policy.toml": files("isthmus.gate").joinpath("example_policy.toml").read_text("utf-8"),
        ".gitignore": ".lock\nsittings/\n",
    }
    for each, text in texts.items():
        write_new(folder / each, text.encode())
    return tuple(folder / each for each in texts)
