import textwrap

from sre_bot.domain.diagnosis import Diagnosis
from sre_bot.domain.finding import FaultKind
from tests.clusters import (
    app,
    config_map,
    container,
    deployment,
    env,
    event,
    key_ref,
    log,
    looping,
    pod,
    replica_set,
    service,
    snapshot,
    thing,
    waiting,
    workload,
)
from tests.diagnoses import best_of, diagnose
from tests.histories import history, manifest

WEB = container(ports=[{"containerPort": 8080}])


def culprit(diagnosis: Diagnosis) -> str | None:
    guilty = best_of(diagnosis).culprit
    return guilty.subject if guilty else None


def test_the_commit_that_wrote_the_wrong_value_is_guilty_and_the_latest_is_innocent() -> None:
    right, wrong = service("api", {"port": 80, "targetPort": 8080}), service("api", {"port": 80, "targetPort": 5050})
    source = history(
        {"deploy/api.yaml": manifest(right)},
        ("Tidy the service", 90, {"deploy/api.yaml": manifest(wrong)}),
        ("Update the readme", 3, {"README.md": "hello\n"}),
    )
    diagnosis = diagnose(snapshot(app("api", WEB), wrong), source)
    assert culprit(diagnosis) == "Tidy the service"
    assert best_of(diagnosis).finding.expected == "8080"
    assert diagnosis.verdict == "fix"


def test_a_commit_that_touched_the_same_file_elsewhere_is_innocent() -> None:
    right, wrong = service("api", {"port": 80, "targetPort": 8080}), service("api", {"port": 80, "targetPort": 5050})
    labelled = {**wrong, "metadata": {**wrong["metadata"], "labels": {"team": "core"}}}
    source = history(
        {"deploy/api.yaml": manifest(right)},
        ("Tidy the service", 90, {"deploy/api.yaml": manifest(wrong)}),
        ("Name the owners", 9, {"deploy/api.yaml": manifest(labelled)}),
    )
    assert culprit(diagnose(snapshot(app("api", WEB), labelled), source)) == "Tidy the service"


def test_the_other_side_of_a_comparison_may_be_guilty() -> None:
    pods_before, pods_after = (
        deployment("api", WEB, labels={"app": "api", "track": "blue"}),
        deployment("api", WEB, labels={"app": "api", "track": "green"}),
    )
    reach = service("api", selector={"app": "api", "track": "blue"})
    owner = replica_set(pods_after)
    source = history(
        {"deploy/api.yaml": manifest(pods_before), "deploy/service.yaml": manifest(reach)},
        ("Rename the track", 60, {"deploy/api.yaml": manifest(pods_after)}),
        ("Update the readme", 3, {"README.md": "x\n"}),
    )
    diagnosis = diagnose(snapshot(pods_after, owner, pod(owner), reach), source)
    assert (best_of(diagnosis).kind, culprit(diagnosis)) == (FaultKind.SERVICE_SELECTOR_MISMATCH, "Rename the track")


def test_the_commit_that_took_a_variable_away_is_guilty_and_its_value_is_remembered() -> None:
    before = deployment("api", container(env=env(QUEUE_URL="amqp://mq.example.com", LOG="info")))
    after = deployment("api", container(env=env(LOG="info")))
    owner = replica_set(after)
    crashed = pod(owner, looping(1))
    source = history(
        {"deploy/api.yaml": manifest(before)},
        ("Simplify", 30, {"deploy/api.yaml": manifest(after)}),
        ("Bump docs", 2, {"docs/a.md": "a\n"}),
    )
    diagnosis = diagnose(snapshot(after, owner, crashed, logs=[log(crashed, "QUEUE_URL is not set")]), source)
    assert (best_of(diagnosis).kind, culprit(diagnosis), best_of(diagnosis).finding.expected) == (
        FaultKind.MISSING_ENV,
        "Simplify",
        "amqp://mq.example.com",
    )


def test_the_commit_that_renamed_a_key_of_a_config_map_is_guilty() -> None:
    reads = deployment("api", container(env=[key_ref("LEVEL", "ConfigMap", "conf", "level")]))
    before, after = config_map("conf", level="info"), config_map("conf", log_level="info")
    owner = replica_set(reads)
    stuck = pod(owner, waiting("CreateContainerConfigError", "couldn't find key level in ConfigMap shop/conf"), age=20)
    source = history(
        {"deploy/api.yaml": manifest(reads), "deploy/conf.yaml": manifest(before)},
        ("Spell settings alike", 40, {"deploy/conf.yaml": manifest(after)}),
        ("More replicas", 30, {"deploy/other.yaml": "a: 1\n"}),
    )
    assert culprit(diagnose(snapshot(reads, owner, stuck, after), source)) == "Spell settings alike"


def test_a_change_made_after_the_trouble_began_is_less_suspect_than_one_before() -> None:
    low, lower = (deployment("api", container(resources={"limits": {"memory": size}})) for size in ("64Mi", "64Mi"))
    high = deployment("api", container(image="registry.example/app:0.9", resources={"limits": {"memory": "512Mi"}}))
    owner = replica_set(low, age=60)
    crashed = pod(owner, looping(137, "OOMKilled"), age=60)
    later = deployment("api", container(image="registry.example/app:1.1", resources={"limits": {"memory": "64Mi"}}))
    source = history(
        {"deploy/api.yaml": manifest(high)},
        ("Right-size", 70, {"deploy/api.yaml": manifest(lower)}),
        ("Try a new image", 5, {"deploy/api.yaml": manifest(later)}),
    )
    assert culprit(diagnose(snapshot(low, owner, crashed), source)) == "Right-size"


def test_no_commit_is_guilty_of_what_no_diff_explains() -> None:
    made = deployment("api", container(env=env(DB_HOST="db")))
    owner = replica_set(made)
    source = history({"deploy/api.yaml": manifest(made)}, ("Update the readme", 3, {"README.md": "x\n"}))
    crashed = pod(owner, looping(1))
    diagnosis = diagnose(snapshot(made, owner, crashed, logs=[log(crashed, "KeyError: 'API_TOKEN'")]), source)
    assert best_of(diagnosis).suspects == ()


TRACE = textwrap.dedent("""\
    Traceback (most recent call last):
      File "/app/src/orders/api.py", line 9, in handle
        return total(order)
      File "/app/src/orders/pricing.py", line 3, in total
        return rates[order.band]
    KeyError: 'gold'""")
PRICING = "rates = {'gold': 3, 'silver': 2}\ndef total(order):\n    return rates[order.band]\n"
BROKEN = PRICING.replace("'gold': 3, ", "")


def test_the_commit_that_changed_the_file_of_the_stack_trace_is_guilty() -> None:
    made = deployment("orders")
    owner = replica_set(made)
    crashed = pod(owner, looping(1))
    source = history(
        {"src/orders/pricing.py": PRICING, "src/orders/api.py": "a\n", "deploy/orders.yaml": manifest(made)},
        ("Drop the old band", 50, {"src/orders/pricing.py": BROKEN}),
        ("Log more", 5, {"src/orders/logs.py": "import logging\n"}),
    )
    diagnosis = diagnose(snapshot(made, owner, crashed, logs=[log(crashed, *TRACE.splitlines())]), source)
    assert (best_of(diagnosis).kind, culprit(diagnosis), diagnosis.verdict) == (
        FaultKind.CODE_REGRESSION,
        "Drop the old band",
        "fix",
    )


def test_a_shared_library_can_be_guilty() -> None:
    trace = TRACE.replace("/app/src/orders/pricing.py", "/app/libs/money/rates.py")
    made = deployment("orders")
    owner = replica_set(made)
    crashed = pod(owner, looping(1))
    source = history(
        {"libs/money/rates.py": PRICING, "services/orders/src/orders/api.py": "a\n"},
        ("Money: drop a band", 500, {"libs/money/rates.py": BROKEN}),
        ("Orders: new endpoint", 10, {"services/orders/src/orders/more.py": "b\n"}),
    )
    diagnosis = diagnose(snapshot(made, owner, crashed, logs=[log(crashed, *trace.splitlines())]), source)
    assert culprit(diagnosis) == "Money: drop a band"


def test_a_value_in_a_chart_is_found_by_its_lines() -> None:
    wrong = service("api", {"port": 80, "targetPort": 5050})
    values = "service:\n  port: 80\n  targetPort: {}\n"
    chart = "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\n"
    source = history(
        {"chart/values.yaml": values.format(8080), "chart/templates/service.yaml": chart},
        ("Use another port", 60, {"chart/values.yaml": values.format(5050)}),
        ("Update the readme", 3, {"README.md": "x\n"}),
    )
    assert culprit(diagnose(snapshot(app("api", WEB), wrong), source)) == "Use another port"


def test_a_quota_that_a_commit_lowered_is_found() -> None:
    big = container(resources={"requests": {"cpu": "2"}})
    made = deployment("api", big)
    owner = replica_set(made)
    owner["status"] = {
        "conditions": [
            {
                "type": "ReplicaFailure",
                "status": "True",
                "message": "exceeded quota: team, requested: requests.cpu=2, used: requests.cpu=3, limited: 4",
            }
        ]
    }
    before, after = (thing("ResourceQuota", "team", spec={"hard": {"requests.cpu": cpu}}) for cpu in ("8", "4"))
    source = history(
        {"deploy/quota.yaml": manifest(before), "deploy/api.yaml": manifest(made)},
        ("Smaller budget", 60, {"deploy/quota.yaml": manifest(after)}),
        ("Update the readme", 3, {"README.md": "x\n"}),
    )
    assert culprit(diagnose(snapshot(made, owner, after), source)) == "Smaller budget"


def test_a_broken_manifest_and_a_yaml_bomb_in_the_repository_are_survived() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
    )
    source = history(
        {"deploy/bad.yaml": "kind: [unclosed\n", "deploy/bomb.yaml": bomb},
        ("More", 9, {"deploy/bad.yaml": "kind: }\n"}),
    )
    assert diagnose(snapshot(app("api", WEB), service("api")), source).verdict == "no_action"


def test_a_port_that_a_commit_took_from_the_service_is_the_services_fault() -> None:
    before, after = service("api", {"port": 8080, "targetPort": 8080}), service("api", {"port": 80, "targetPort": 8080})
    client = app("web", container(env=env(API_URL="http://api:8080")), status=[looping(1)])
    refused = log(client[-1], "dial tcp 10.96.0.9:8080: i/o timeout")
    source = history(
        {"deploy/api.yaml": manifest(before), "deploy/web.yaml": manifest(client[0])},
        ("Ports like everywhere", 60, {"deploy/api.yaml": manifest(after)}),
    )
    best = best_of(diagnose(snapshot(app("api", WEB), after, client, logs=[refused]), source))
    assert (best.kind, str(best.object), best.finding.field) == (
        FaultKind.SERVICE_PORT_MISMATCH,
        "Service/shop/api",
        "spec.ports[0].port",
    )
    assert (best.finding.observed, best.finding.expected) == ("80", "8080")


def test_what_no_rule_explains_is_put_down_to_the_change_before_it_and_weighed_as_a_guess() -> None:
    before, after = (deployment("api", container(env=env(MODE=mode))) for mode in ("safe", "turbo"))
    owner = replica_set(after, age=30)
    crashed = pod(owner, looping(3), age=30)
    source = history(
        {"deploy/api.yaml": manifest(before)},
        ("Try turbo", 40, {"deploy/api.yaml": manifest(after)}),
        ("Update the readme", 3, {"README.md": "x\n"}),
    )
    diagnosis = diagnose(snapshot(after, owner, crashed), source)
    assert (best_of(diagnosis).kind, best_of(diagnosis).finding.observed, culprit(diagnosis)) == (
        FaultKind.INVALID_CONFIG,
        "turbo",
        "Try turbo",
    )
    assert diagnosis.confidence < 0.8


def test_a_claim_made_from_a_template_is_traced_to_the_template() -> None:
    claims = [{"metadata": {"name": "data"}, "spec": {"storageClassName": "fast-sd", "accessModes": ["ReadWriteOnce"]}}]
    base = workload("StatefulSet", "db", template={"volumeClaimTemplates": claims})
    good = [{**claims[0], "spec": {**claims[0]["spec"], "storageClassName": "fast-ssd"}}]
    mounted = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}]}
    child = pod(base, phase="Pending", node="", ready=False, age=20, name="db-0")
    child["spec"].update(mounted)
    claim = thing("PersistentVolumeClaim", "data-db-0", spec=claims[0]["spec"], status={"phase": "Pending"}, age=20)
    told = event(claim, "ProvisioningFailed", 'storageclass.storage.k8s.io "fast-sd" not found')
    before = workload("StatefulSet", "db", template={"volumeClaimTemplates": good})
    source = history({"deploy/db.yaml": manifest(before)}, ("Faster disks", 30, {"deploy/db.yaml": manifest(base)}))
    diagnosis = diagnose(snapshot(base, child, claim, events=[told]), source)
    assert (best_of(diagnosis).kind, culprit(diagnosis), diagnosis.verdict) == (
        FaultKind.STORAGE_CLASS_MISSING,
        "Faster disks",
        "fix",
    )
