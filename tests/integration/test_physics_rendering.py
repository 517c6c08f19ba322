"""From a tree to manifests, as the lab's Argo CD renders it."""

import json

import pytest

from sre_bot.lab.render import RenderFailed, find_kubectl, render
from tests.small_incidents import deployment, service, text


async def rendered(files: dict[str, str], path: str = "deploy") -> list[str]:
    return [f"{thing['kind']}/{thing['metadata']['name']}" for thing in await render(files, path)]


async def test_every_manifest_below_the_path_is_read_and_nothing_else() -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [service("c", 1), service("d", 1)]}
    files = {
        "deploy/a.yaml": text(service("a", 1), deployment("b")),
        "deploy/deep/er/c.yml": text(listed),
        "deploy/e.json": json.dumps(service("e", 1)),
        "deploy/README.md": "# no manifest",
        "deploy/skipped.yaml": "# +argocd:skip-file-rendering\nnot: a manifest\n",
        "deployments/f.yaml": text(service("f", 1)),
        "g.yaml": text(service("g", 1)),
    }
    assert await rendered(files) == ["Service/a", "Deployment/b", "Service/c", "Service/d", "Service/e"]


async def test_the_whole_repository_may_be_the_path() -> None:
    assert await rendered({"a.yaml": text(service("a", 1))}, ".") == ["Service/a"]


async def test_empty_documents_are_nothing() -> None:
    assert await rendered({"deploy/a.yaml": "---\n# nothing\n---\n" + text(service("a", 1))}) == ["Service/a"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"other/a.yaml": "a: 1"}, "code = Unknown desc = deploy: app path does not exist"),
        (
            {"deploy/bad.yaml": "a: b: c\n"},
            'code = FailedPrecondition desc = Failed to unmarshal "bad.yaml": failed to unmarshal manifest: '
            "error converting YAML to JSON: yaml: line 1: mapping values are not allowed in this context",
        ),
        ({"deploy/bad.json": "{"}, 'Failed to unmarshal "bad.json"'),
        ({"deploy/a.yaml": "a: 1"}, "Object 'Kind' is missing in '{\"a\": 1}'"),
        ({"deploy/a.yaml": "kind: Service\nmetadata: {}\n"}, "has no metadata.name"),
        ({"deploy/Chart.yaml": "name: shop"}, "Helm"),
    ],
)
async def test_what_cannot_be_rendered_is_told_in_argo_cds_words(files: dict[str, str], said: str) -> None:
    with pytest.raises(RenderFailed) as failed:
        await render(files, "deploy")
    assert str(failed.value).startswith("Failed to load target state: failed to generate manifest for source 1 of 1")
    assert said in str(failed.value)


async def test_kustomize_overlays_are_built() -> None:
    assert find_kubectl(), "the tests bring kubectl with them"
    files = {
        "base/kustomization.yaml": "resources: [service.yaml]\n",
        "base/service.yaml": text(service("shop", 1)),
        "deploy/kustomization.yaml": "resources: [../base]\nnamePrefix: blue-\n",
        "deploy/ignored.yaml": "this: is not a resource\n",
    }
    assert await rendered(files) == ["Service/blue-shop"]


async def test_a_kustomization_that_does_not_build_says_why() -> None:
    with pytest.raises(RenderFailed, match=r"kustomize build .*missing.yaml"):
        await render({"deploy/kustomization.yaml": "resources: [missing.yaml]\n"}, "deploy")
