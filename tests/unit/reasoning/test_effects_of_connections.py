"""Clients that wait, jobs that end, callers further up, two faults at once: what is named, and what is not."""

from tests.ailing_clusters import Part, answers, cluster, complaining, crashing, server, unready, variables
from tests.clusters import Object, ago, app, config_map, container, ended, key_ref, log, pod, service, thing

LOST = "java.net.UnknownHostException: dbs"
WRONG_HOST = variables(DB_HOST="dbs", DB_PORT="5432")
DB = server("db", 5432)
LOGIN: Object = {
    "env": [
        {"name": "DB_USER", "value": "app"},
        {"name": "DB_HOST", "value": "db"},
        key_ref("DB_PASSWORD", "Secret", "login", "password"),
    ]
}
SECRET = thing("Secret", "login", data={"password": "eA=="})
ADDRESS = ("dependency_wrong_address", "Deployment/shop/orders")


def test_a_victim_further_up_is_not_named_either() -> None:
    front = complaining(
        "front", "GET http://orders:80/v1 returned status 503", spec=variables(ORDERS_URL="http://orders:80")
    )
    middle = unready("orders", LOST, WRONG_HOST)
    seen = cluster(front, middle, service("orders", {"port": 80, "targetPort": 8080}), DB)
    assert answers(seen) == ADDRESS


def test_two_independent_faults_are_both_told() -> None:
    from tests.diagnoses import diagnose

    seen = cluster(
        crashing("orders", LOST, spec=WRONG_HOST),
        DB,
        crashing("mail", 'pq: password authentication failed for user "app"', spec=LOGIN),
        SECRET,
    )
    kinds = {(str(one.kind), str(one.object)) for one in diagnose(seen).hypotheses[:2]}
    assert kinds == {ADDRESS, ("invalid_credentials", "Deployment/shop/mail")}


def test_a_client_that_waits_in_its_init_container_has_the_wrong_address() -> None:
    waits = container("wait", command=["sh", "-c", "until nc -z dbs 5432; do echo waiting for dbs; sleep 2; done"])
    objects = app("orders", container(), initContainers=[waits])
    state = {
        "name": "wait",
        "ready": False,
        "restartCount": 0,
        "state": {"running": {"startedAt": ago(30)}},
        "lastState": {},
    }
    blocked = pod(
        objects[1],
        {
            "name": "app",
            "ready": False,
            "restartCount": 0,
            "state": {"waiting": {"reason": "PodInitializing"}},
            "lastState": {},
        },
        name="orders-rev1-x1",
        phase="Pending",
        init=[state],
        age=30,
    )
    said = log(blocked, *("nc: bad address 'dbs'", "waiting for dbs") * 5, name="wait")
    assert answers(cluster(Part([objects[0], objects[1], blocked], [said]), DB)) == ADDRESS


def test_a_job_that_ended_badly_for_a_wrong_address_has_the_wrong_address() -> None:
    spec: Object = {"containers": [container(**WRONG_HOST)], "restartPolicy": "Never"}
    job = thing(
        "Job",
        "load",
        api="batch/v1",
        spec={"template": {"metadata": {"labels": {"app": "load"}}, "spec": spec}},
        status={
            "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}],
            "startTime": ago(20),
        },
    )
    done = {"name": "app", "ready": False, "restartCount": 0, "state": {"terminated": ended(1)}, "lastState": {}}
    made = pod(job, done, name="load-x1", phase="Failed", age=20)
    seen = cluster(Part([job, made], [log(made, f"{ago(2)} ERROR getaddrinfo ENOTFOUND dbs")]), DB)
    assert answers(seen) == ("dependency_wrong_address", "Job/shop/load")


def test_a_config_map_that_nobody_reads_is_not_blamed() -> None:
    seen = cluster(crashing("orders", LOST, spec=WRONG_HOST), DB, config_map("old", DB_HOST="dbs"))
    assert answers(seen) == ADDRESS
