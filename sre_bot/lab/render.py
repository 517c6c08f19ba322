"""From a repository's tree to the manifests that Argo CD would apply: plain files or Kustomize."""

import asyncio
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.lab.recording import PlainLoader

_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_MANIFEST = re.compile(r".+\.(ya?ml|json)")
_SKIP_MARK = "+argocd:skip-file-rendering"
_SECONDS = 60


class RenderFailed(Exception):
    """No manifests can be made of this tree; the message is what Argo CD's repository server would say."""

    def __init__(self, description: str, *, code: str = "Unknown") -> None:
        super().__init__(
            "Failed to load target state: failed to generate manifest for source 1 of 1: "
            f"rpc error: code = {code} desc = {description}"
        )


async def render(files: dict[str, str], path: str) -> tuple[KubernetesObject, ...]:
    """The objects under ``path`` of a tree (path → text), Lists flattened. Raises ``RenderFailed``."""
    folder = path.strip("/").removeprefix(".").strip("/")
    inside = {name: text for name, text in files.items() if not folder or name.startswith(f"{folder}/")}
    if not inside:
        raise RenderFailed(f"{path}: app path does not exist")
    names = {name.removeprefix(f"{folder}/") for name in inside}
    if "Chart.yaml" in names:
        raise RenderFailed(f"{path} is a Helm chart, and this lab has no Helm: render it to plain manifests")
    if names.intersection(_KUSTOMIZATIONS):
        return _objects("kustomization output", await _kustomize(files, folder))
    manifests = sorted(name for name in inside if _MANIFEST.fullmatch(name) and _SKIP_MARK not in inside[name])
    return tuple(thing for name in manifests for thing in _objects(Path(name).name, inside[name]))


def parse_documents(text: str, *, is_json: bool = False) -> list[Any]:
    """All documents of a YAML or JSON text, timestamps as text. Raises ``ValueError`` as Argo CD words it."""
    try:
        return [json.loads(text)] if is_json else list(yaml.load_all(text, Loader=PlainLoader))
    except json.JSONDecodeError as error:
        raise ValueError(f"failed to unmarshal manifest: {error.msg} at line {error.lineno}") from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ValueError(
            f"failed to unmarshal manifest: error converting YAML to JSON: yaml: {line}{error.problem}"
        ) from error
    except yaml.YAMLError as error:
        raise ValueError(f"failed to unmarshal manifest: error converting YAML to JSON: yaml: {error}") from error


def _objects(name: str, text: str) -> tuple[KubernetesObject, ...]:
    try:
        documents = parse_documents(text, is_json=name.endswith(".json"))
        return tuple(thing for document in documents if document for thing in _flattened(document))
    except ValueError as error:
        raise RenderFailed(f'Failed to unmarshal "{name}": {error}', code="FailedPrecondition") from error


def _flattened(document: Any) -> list[KubernetesObject]:
    if not isinstance(document, dict) or not document.get("kind"):
        raise ValueError(f"failed to unmarshal manifest: Object 'Kind' is missing in '{json.dumps(document)[:200]}'")
    if str(document["kind"]).endswith("List") and isinstance(document.get("items"), list):
        return [thing for item in document["items"] for thing in _flattened(item)]
    if not isinstance(document.get("metadata"), dict) or not document["metadata"].get("name"):
        raise ValueError(f"failed to unmarshal manifest: {document['kind']} has no metadata.name")
    return [document]


async def _kustomize(files: dict[str, str], folder: str) -> str:
    kubectl = find_kubectl()
    if kubectl is None:
        raise RenderFailed(f"{folder} is a kustomization, and this machine has no kubectl to build it with")
    with tempfile.TemporaryDirectory() as scratch:
        write_tree(Path(scratch), files)
        code, output, complaint = await _run(kubectl, "kustomize", str(Path(scratch) / folder))
        said = complaint.replace(scratch, "<path to cached source>")
    if code != 0:
        raise RenderFailed(f"`kustomize build <path to cached source>/{folder}` failed exit status {code}: {said}")
    return output


async def _run(*command: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        output, complaint = await asyncio.wait_for(process.communicate(), _SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        return 124, "", "context deadline exceeded"
    return process.returncode or 0, output.decode(errors="replace"), complaint.decode(errors="replace").strip()


def find_kubectl() -> str | None:
    """Kubectl beside our Python, else on the PATH."""
    beside = Path(sys.executable).parent / "kubectl"
    return str(beside) if beside.is_file() else shutil.which("kubectl")


def write_tree(root: Path, files: dict[str, str]) -> None:
    """Write a tree's files under ``root``."""
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
