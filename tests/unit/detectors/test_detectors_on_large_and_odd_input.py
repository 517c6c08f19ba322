import copy
import random
import time
from typing import Any

import pytest

from sre_bot.detectors import detect
from sre_bot.detectors.fields import leaves, steps
from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.finding import FaultKind
from sre_bot.reasoning import SourceReport, correlate
from tests.clusters import (
    Object,
    app,
    config_map,
    container,
    env,
    event,
    found,
    log,
    looping,
    node,
    service,
    snapshot,
    thing,
)

ODD = (None, [], {}, "x", 5, True, [1], {"a": 1}, [None], "", -1, 3.5, [[]], {"name": None})


def busy_cluster() -> ClusterSnapshot:
    crashed = app("batch", container(resources={"limits": {"memory": "64Mi"}}), status=[looping(137, "OOMKilled")])
    client = app("web", container(env=env(API_URL="http://api")), status=[looping(1)])
    policy = thing("NetworkPolicy", "deny", spec={"podSelector": {}, "policyTypes": ["Ingress"]})
    claim = thing(
        "PersistentVolumeClaim",
        "data",
        spec={"storageClassName": "x", "accessModes": ["ReadWriteOnce"]},
        status={"phase": "Pending"},
    )
    return snapshot(
        app("api"),
        service("api"),
        client,
        crashed,
        policy,
        claim,
        node(),
        config_map("conf", a="b"),
        events=[event(crashed[-1], "BackOff", "Back-off restarting failed container")],
        logs=[log(client[-1], "dial tcp 10.96.0.9:80: connect: connection refused")],
    )


def spoilt(thing_: Object, chance: random.Random) -> Object:
    """The object with one place, leaf or branch, set to something that does not belong there."""
    copied = copy.deepcopy(thing_)
    path = steps(chance.choice([path for path, _ in leaves(copied)]))
    path = path[: chance.randint(1, len(path))]
    target: Any = copied
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = chance.choice(ODD)
    return copied


@pytest.mark.parametrize("seed", range(40))
def test_an_object_of_the_wrong_shape_spoils_no_more_than_itself(seed: int) -> None:
    chance, cluster = random.Random(seed), busy_cluster()
    broken = [spoilt(one, chance) if chance.random() < 0.3 else one for one in cluster.objects]
    odd = cluster.model_copy(
        update={"objects": tuple(broken), "events": tuple(spoilt(one, chance) for one in cluster.events)}
    )
    correlate(odd, detect(odd), SourceReport())


def test_one_spoilt_object_does_not_hide_another_fault() -> None:
    cluster = busy_cluster()
    odd = {"kind": "Service", "metadata": "none", "spec": 7}
    assert (FaultKind.OOM_KILLED, "Deployment/shop/batch") in found(
        cluster.model_copy(update={"objects": (odd, *cluster.objects)})
    )


def test_a_hundred_thousand_lines_and_ten_thousand_events_take_seconds() -> None:
    cluster = busy_cluster()
    objects = app("chatty")
    lines = [
        f"2026-03-10T11:{number % 60:02d}:00Z ERROR {number}: dial tcp 10.0.0.{number % 250}:80: i/o timeout"
        for number in range(100_000)
    ]
    events = [event(objects[-1], "Pulled", f"message {number}", warning=False) for number in range(10_000)]
    large = cluster.model_copy(
        update={
            "objects": (*cluster.objects, *objects),
            "events": tuple(events),
            "logs": (*cluster.logs, log(objects[-1], *lines)),
        }
    )
    started = time.perf_counter()
    assert (FaultKind.OOM_KILLED, "Deployment/shop/batch") in [
        (finding.kind, str(finding.object)) for finding in detect(large)
    ]
    assert time.perf_counter() - started < 20
