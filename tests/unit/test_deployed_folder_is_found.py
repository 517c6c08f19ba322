"""Which folder of a repository is deployed, told from what runs."""

from sre_bot.repair.deployed import deployed_folder
from tests.clusters import config_map, service, snapshot
from tests.histories import manifest

WEB, API = service("web"), service("api")
LIVE = snapshot(WEB, API, config_map("settings"))


def test_the_folder_that_declares_what_runs_is_found_beside_others() -> None:
    files = {
        "deploy/web.yaml": manifest(WEB),
        "deploy/api/api.yaml": manifest(API),
        "examples/web.yaml": manifest(WEB),
        "docs/values.yaml": "a: 1\n",
    }
    assert deployed_folder(files, LIVE) == "deploy"


def test_manifests_in_the_root_are_the_root() -> None:
    assert deployed_folder({"web.yaml": manifest(WEB), "api.yaml": manifest(API)}, LIVE) == ""


def test_what_declares_things_that_are_not_there_comes_after_what_does_not() -> None:
    files = {
        "all/web.yaml": manifest(WEB, service("elsewhere")),
        "prod/web.yaml": manifest(WEB),
    }
    assert deployed_folder(files, LIVE) == "prod"


def test_an_overlay_counts_with_the_files_that_it_names() -> None:
    files = {
        "base/web.yaml": manifest(WEB),
        "base/kustomization.yaml": "resources: [web.yaml]\n",
        "overlays/prod/kustomization.yaml": "resources: [../../base, api.yaml]\n",
        "overlays/prod/api.yaml": manifest(API),
    }
    assert deployed_folder(files, LIVE) == "overlays/prod"


def test_a_repository_that_declares_nothing_of_it_gives_no_folder() -> None:
    assert deployed_folder({"chart/templates/web.yaml": "kind: {{ .Values.kind }}\n"}, LIVE) == ""


def test_the_order_of_the_files_does_not_matter() -> None:
    files = {"b/web.yaml": manifest(WEB), "a/web.yaml": manifest(WEB)}
    assert deployed_folder(files, LIVE) == deployed_folder(dict(reversed(files.items())), LIVE) == "a"
