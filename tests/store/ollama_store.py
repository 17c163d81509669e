"""An Ollama store, laid out as Ollama lays it out, made of files that a test has."""

import hashlib
import json
import os
from pathlib import Path

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class OllamaStore:
    """A folder of models such as ``~/.ollama/models``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs").mkdir(parents=True)
        (folder / "manifests").mkdir()

    def layer(self, kind: str, content: bytes | Path) -> dict[str, object]:
        """Keep a blob; a file is linked, as large ones are in tests too."""
        data = content.read_bytes() if isinstance(content, Path) else content
        digest = hashlib.sha256(data).hexdigest()
        path = self.folder / "blobs" / f"sha256-{digest}"
        if not path.exists():
            if isinstance(content, Path):
                os.link(content, path)
            else:
                path.write_bytes(data)
        return {
            "mediaType": f"application/vnd.ollama.image.{kind}",
            "digest": f"sha256:{digest}",
            "size": len(data),
        }

    def add(self, name: str, *layers: dict[str, object]) -> Path:
        """Write a manifest: ``name`` is HOST/NAMESPACE/MODEL/TAG; gives its path."""
        config = self.layer("config", b"{}") | {"mediaType": "application/vnd.docker.container.image.v1+json"}
        manifest = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config, "layers": layers}
        path = self.folder / "manifests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(manifest))
        return path
