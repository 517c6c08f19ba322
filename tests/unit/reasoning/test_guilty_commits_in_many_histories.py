"""Who is guilty in repositories as they are: overlays, charts, generators, moved files, reverts, merges; and nobody."""

from copy import deepcopy
from typing import Any

import pytest

from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.source import Commit, FileChange, SourceHistory
from tests.clusters import (
    NOW,
    Object,
    config_map,
    container,
    deployment,
    env,
    event,
    log,
    looping,
    pod,
    replica_set,
    snapshot,
)
from tests.diagnoses import best_of, diagnose
from tests.histories import Tree, history, manifest

GUILTY, INNOCENT = "tidy the numbers", "say hello in the readme"
README = (INNOCENT, 4.0, {"README.md": "hello\n"})
PROBED = {"livenessProbe": {"httpGet": {"path": "/alive", "port": 9090}}, "ports": [{"containerPort": 8080}]}


def prober(port: int = 9090, **rest: Any) -> Object:
    """A Deployment whose liveness probe asks a port."""
    probe = {"httpGet": {"path": "/alive", "port": port}}
    return deployment("rates", container(livenessProbe=probe, ports=[{"containerPort": 8080}], **rest))


def probed(port: int = 9090) -> ClusterSnapshot:
    """It is killed again and again, because nothing listens where its probe asks."""
    made = prober(port)
    owner = replica_set(made, age=40)
    ill = pod(owner, looping(137, "Error"), age=40)
    reason = f"dial tcp 10.1.0.9:{port}: connect: connection refused"
    refused = f'Liveness probe failed: Get "http://10.1.0.9:{port}/alive": {reason}'
    return snapshot(made, owner, ill, events=[event(ill, "Unhealthy", refused, count=30)])


def culprit(cluster: ClusterSnapshot, source: SourceHistory) -> str | None:
    """The subject of the guilty commit."""
    guilty = best_of(diagnose(cluster, source)).culprit
    return guilty.subject if guilty else None


def told(path: str, before: str, after: str, base: Tree | None = None) -> SourceHistory:
    """One file changed an hour ago, others before and after."""
    first = {path: before, **(base or {})}
    return history(first, ("name the owners", 300, {"CODEOWNERS": "* @core\n"}), (GUILTY, 60, {path: after}), README)


OPERATION = """\
resources: [../../base]
patches:
- target: {{kind: Deployment, name: rates}}
  patch: |
    - op: replace
      path: /spec/template/spec/containers/0/livenessProbe/httpGet/port
      value: {}
"""
MERGED = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../base]
patches:
- patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {{name: rates}}
    spec: {{template: {{spec: {{containers: [{{name: app, livenessProbe: {{httpGet: {{port: {}}}}}}}]}}}}}}
"""
VALUES = "replicaCount: 2\nlivenessProbe:\n  httpGet:\n    path: /alive\n    port: {}\n"
UMBRELLA = "rates:\n  livenessProbe: {{port: {}}}\nmails:\n  livenessProbe: {{port: 8081}}\n"


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("overlays/prod/kustomization.yaml", OPERATION),
        ("overlays/prod/kustomization.yaml", MERGED),
        ("charts/rates/values.yaml", VALUES),
        ("deploy/values-prod.yaml", UMBRELLA),
    ],
    ids=["an operation", "a patch", "values of a chart", "values of many"],
)
def test_the_value_that_an_overlay_sets_leads_to_its_commit(path: str, form: str) -> None:
    source = told(path, form.format(8080), form.format(9090))
    assert culprit(probed(), source) == GUILTY


def test_the_same_value_set_for_somebody_else_is_innocent() -> None:
    mails = "rates:\n  livenessProbe: {{port: 9090}}\nmails:\n  livenessProbe: {{port: {}}}\n"
    assert culprit(probed(), told("deploy/values-prod.yaml", mails.format(8081), mails.format(9090))) is None


TRACE = "panic: no band\n\ngoroutine 1 [running]:\nmain.total(0x1)\n\t/src/total.go:9 +0x1f"


def broken(image: str = "registry.example/rates:1.5.0") -> ClusterSnapshot:
    """A program that ends by its own code, whose source is elsewhere."""
    made = deployment("rates", container(image=image))
    owner = replica_set(made, age=40)
    ill = pod(owner, looping(2), age=40)
    return snapshot(made, owner, ill, logs=[log(ill, *TRACE.splitlines())])


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("overlays/prod/kustomization.yaml", "images:\n- name: registry.example/rates\n  newTag: {}\n"),
        ("charts/rates/values.yaml", "image:\n  repository: registry.example/rates\n  tag: {}\n"),
        ("deploy/values.yaml", "rates: {{image: {{tag: {}}}}}\nmails: {{image: {{tag: 3.0.0}}}}\n"),
    ],
)
def test_a_new_tag_in_an_overlay_is_the_rollout_of_what_broke(path: str, form: str) -> None:
    assert culprit(broken(), told(path, form.format("1.4.9"), form.format("1.5.0"))) == GUILTY


def test_a_new_tag_of_somebody_else_is_innocent() -> None:
    form = "images:\n- name: registry.example/mails\n  newTag: {}\n"
    assert culprit(broken(), told("overlays/prod/kustomization.yaml", form.format("1"), form.format("2"))) is None


def generated(**data: str) -> ClusterSnapshot:
    """A program that reads a generated ConfigMap with an address that does not exist."""
    conf = config_map("rates-conf-5h8k2m7t9g", **data)
    volumes = [{"name": "conf", "configMap": {"name": "rates-conf-5h8k2m7t9g"}}]
    made = deployment("rates", container(volumeMounts=[{"name": "conf", "mountPath": "/conf"}]), volumes=volumes)
    owner = replica_set(made, age=40)
    ill = pod(owner, looping(1), age=40)
    said = "dial tcp: lookup bands-db on 10.96.0.10:53: no such host"
    return snapshot(made, owner, ill, conf, logs=[log(ill, said)])


def test_a_line_of_a_file_that_a_generator_reads_leads_to_its_commit() -> None:
    lists = "configMapGenerator:\n- name: rates-conf\n  files: [rates.properties]\n"
    right, wrong = "db.host=band-db\ndb.port=5432\n", "db.host=bands-db\ndb.port=5432\n"
    source = told("base/rates.properties", right, wrong, {"base/kustomization.yaml": lists})
    assert culprit(generated(**{"rates.properties": wrong}), source) == GUILTY


def test_a_literal_of_a_generator_leads_to_its_commit() -> None:
    form = "configMapGenerator:\n- name: rates-conf\n  literals:\n  - DB_HOST={}\n  - LEVEL=info\n"
    source = told("base/kustomization.yaml", form.format("band-db"), form.format("bands-db"))
    assert culprit(generated(DB_HOST="bands-db"), source) == GUILTY


RIGHT, WRONG = (manifest(prober(port)) for port in (8080, 9090))


def test_who_only_moved_the_file_is_innocent() -> None:
    source = history(
        {"deploy/rates.yaml": RIGHT},
        (GUILTY, 90, {"deploy/rates.yaml": WRONG}),
        ("a folder for each app", 60, {"deploy/rates.yaml": "", "deploy/rates/deployment.yaml": WRONG}),
        README,
    )
    assert culprit(probed(), source) == GUILTY


def test_who_moved_the_file_and_changed_the_value_on_the_way_is_guilty() -> None:
    source = history(
        {"deploy/rates.yaml": RIGHT},
        (GUILTY, 60, {"deploy/rates.yaml": "", "deploy/rates/deployment.yaml": WRONG}),
        README,
    )
    assert culprit(probed(), source) == GUILTY


def test_of_a_change_its_revert_and_its_return_the_return_is_guilty() -> None:
    source = history(
        {"deploy/rates.yaml": RIGHT},
        ("one port for all probes", 900, {"deploy/rates.yaml": WRONG}),
        ('Revert "one port for all probes"', 880, {"deploy/rates.yaml": RIGHT}),
        (GUILTY, 60, {"deploy/rates.yaml": WRONG}),
        README,
    )
    assert culprit(probed(), source) == GUILTY


def test_one_of_many_files_of_a_commit_is_enough() -> None:
    others = {f"deploy/{name}.yaml": manifest(deployment(name)) for name in ("mails", "quotes", "zones")}
    changed = {path: text.replace("app:1.0", "app:1.1") for path, text in others.items()}
    source = history(
        {"deploy/rates.yaml": RIGHT, **others}, (GUILTY, 60, {"deploy/rates.yaml": WRONG, **changed}), README
    )
    assert culprit(probed(), source) == GUILTY


def test_a_value_that_stood_so_from_the_first_commit_on_is_nobodys() -> None:
    assert culprit(probed(), history({"deploy/rates.yaml": WRONG}, README)) is None


def test_who_added_the_object_with_the_right_value_is_innocent_of_the_wrong_one() -> None:
    source = history(
        {"deploy/mails.yaml": manifest(deployment("mails"))},
        ("rates are here", 5_000, {"deploy/rates.yaml": RIGHT}),
        README,
    )
    assert culprit(probed(), source) != "rates are here"


def test_a_patch_that_does_not_fit_makes_nothing_look_new() -> None:
    """Two branches that were merged: their patches follow each other in the log, not in the text."""
    source = history({"deploy/rates.yaml": RIGHT}, (GUILTY, 60, {"deploy/rates.yaml": WRONG}), README)
    odd = FileChange(path="deploy/rates.yaml", status="modified", patch="@@ -1,1 +1,1 @@\n-x: 1\n+x: 2\n")
    branch = Commit(sha="b" * 40, author="Bo", authored_at=NOW, subject="a branch", changes=(odd,))
    mixed = source.model_copy(update={"commits": (branch, *source.commits)})
    assert culprit(probed(), mixed) in (GUILTY, None)


def sized(memory: str, image: str = "registry.example/app:1.0") -> Object:
    return deployment("rates", container(image=image, resources={"limits": {"memory": memory}}))


def killed(made: Object) -> ClusterSnapshot:
    owner = replica_set(made, age=200)
    return snapshot(made, owner, pod(owner, looping(137, "OOMKilled"), age=200))


def test_more_memory_and_more_cpu_kill_nobody() -> None:
    first, more = sized("128Mi"), sized("256Mi")
    faster = deepcopy(more)
    faster["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"] = {"cpu": "500m"}
    source = history(
        {"deploy/rates.yaml": manifest(first)},
        ("more room for rates", 300, {"deploy/rates.yaml": manifest(more)}),
        ("ask for half a core", 250, {"deploy/rates.yaml": manifest(faster)}),
    )
    blamed = best_of(diagnose(killed(faster), source)).suspects
    assert "ask for half a core" not in [one.subject for one in blamed]


def test_less_memory_days_before_is_guilty_when_it_is_first_needed() -> None:
    source = history(
        {"deploy/rates.yaml": manifest(sized("512Mi"))},
        (GUILTY, 7_000, {"deploy/rates.yaml": manifest(sized("64Mi"))}),
        ("new image", 220, {"deploy/rates.yaml": manifest(sized("64Mi", "registry.example/app:1.1"))}),
    )
    assert culprit(killed(sized("64Mi", "registry.example/app:1.1")), source) == GUILTY


def test_nobody_is_guilty_of_what_fails_outside() -> None:
    made = deployment("rates", container(env=env(FEED_URL="https://feed.bandco.example/v1")))
    owner = replica_set(made)
    well = pod(owner)
    lines = [f"2026-03-10T11:5{n}:00Z ERROR https://feed.bandco.example/v1: 503 Service Unavailable" for n in range(9)]
    source = history(
        {"deploy/mails.yaml": manifest(deployment("mails"))},
        ("rates are here", 900, {"deploy/rates.yaml": manifest(made)}),
    )
    assert culprit(snapshot(made, owner, well, logs=[log(well, *lines)]), source) is None
