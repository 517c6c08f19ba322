from typing import Any

from sre_bot.evals.answers import Answer, Claim
from sre_bot.evals.incidents import Expected
from sre_bot.evals.matching import owners_of
from sre_bot.evals.scorecard import Scorecard, mark

POD = {
    "kind": "Pod",
    "metadata": {
        "name": "checkout-7f9c-x2",
        "namespace": "shop",
        "ownerReferences": [{"kind": "ReplicaSet", "name": "checkout-7f9c", "controller": True}],
    },
}
REPLICA_SET = {
    "kind": "ReplicaSet",
    "metadata": {
        "name": "checkout-7f9c",
        "namespace": "shop",
        "ownerReferences": [{"kind": "Deployment", "name": "checkout", "controller": True}],
    },
}
STRANGER = {"kind": "Pod", "metadata": {"name": "checkout-db-0", "namespace": "shop"}}
OWNERS = owners_of([POD, REPLICA_SET, STRANGER])


def claim(kind: str, named: str, culprit: str = "none") -> Claim:
    return Claim(kind=kind, object=named, confidence=0.9, culprit=culprit)


def marked(expect: dict[str, Any], *claims: Claim, verdict: Any = "fix", repository: bool = True) -> Scorecard:
    written = {"verdict": "fix", **expect}
    expected = Expected.model_validate({"expect": written, "repository": {"name": "acme/shop"} if repository else None})
    return mark(Answer(verdict=verdict, hypotheses=claims), expected, OWNERS)


def cause(kind: str, *patterns: str, also: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"kind": kind, "object": list(patterns), "kind_also": list(also)}


def test_any_kind_accepts_the_workload_its_pods_and_the_service_of_that_name() -> None:
    expect = {"root_cause": [cause("oom_killed", "*/shop/checkout")]}
    for named in ("Deployment/shop/checkout", "Service/shop/checkout", "ReplicaSet/shop/checkout-7f9c"):
        assert marked(expect, claim("oom_killed", named)).both_at_1
    assert marked(expect, claim("oom_killed", "Pod/shop/checkout-7f9c-x2")).both_at_1
    assert not marked(expect, claim("oom_killed", "Pod/shop/checkout-db-0")).both_at_1
    assert not marked(expect, claim("oom_killed", "Deployment/other/checkout")).both_at_1


def test_a_named_kind_accepts_no_other() -> None:
    expect = {"root_cause": [cause("oom_killed", "Deployment/shop/checkout")]}
    assert not marked(expect, claim("oom_killed", "Pod/shop/checkout-7f9c-x2")).object_at_1


def test_a_list_means_any_one_of_them() -> None:
    expect = {"root_cause": [cause("missing_key", "ConfigMap/shop/settings", "*/shop/checkout")]}
    assert marked(expect, claim("missing_key", "ConfigMap/shop/settings")).both_at_1
    assert marked(expect, claim("missing_key", "Deployment/shop/checkout")).both_at_1


def test_a_cluster_scoped_object_has_an_empty_namespace() -> None:
    expect = {"root_cause": [cause("node_cordoned", "Node//worker-2")]}
    assert marked(expect, claim("node_cordoned", "Node//worker-2")).both_at_1
    assert not marked(expect, claim("node_cordoned", "Node/shop/worker-2")).both_at_1


def test_an_equally_right_kind_counts() -> None:
    expect = {"root_cause": [cause("dns_misconfigured", "*/shop/checkout", also=("dependency_wrong_address",))]}
    assert marked(expect, claim("dependency_wrong_address", "Deployment/shop/checkout")).both_at_1
    assert not marked(expect, claim("missing_env", "Deployment/shop/checkout")).kind_at_1


def test_kind_and_object_must_belong_to_one_cause() -> None:
    two = {"root_cause": [cause("oom_killed", "*/shop/checkout"), cause("missing_key", "*/shop/cart")]}
    crossed = marked(two, claim("oom_killed", "Deployment/shop/cart"))
    assert crossed.kind_at_1 and crossed.object_at_1 and not crossed.both_at_1


def test_of_two_faults_either_counts_first_and_both_are_asked_for_among_three() -> None:
    two = {"root_cause": [cause("oom_killed", "*/shop/checkout"), cause("missing_key", "*/shop/cart")]}
    one = marked(two, claim("missing_key", "Deployment/shop/cart"), claim("disk_full", "Deployment/shop/x"))
    both = marked(two, claim("missing_key", "Deployment/shop/cart"), claim("oom_killed", "Deployment/shop/checkout"))
    assert (one.both_at_1, one.both_at_3, one.all_at_3) == (True, True, False)
    assert (both.both_at_1, both.all_at_3) == (True, True)


def test_the_third_hypothesis_counts_and_the_fourth_does_not() -> None:
    expect = {"root_cause": [cause("oom_killed", "*/shop/checkout")]}
    wrong, right = claim("disk_full", "Deployment/shop/x"), claim("oom_killed", "Deployment/shop/checkout")
    assert marked(expect, wrong, wrong, right).both_at_3
    assert marked(expect, wrong, wrong, wrong, right).both_at_3 is False


def test_nobody_is_a_culprit_to_be_named_rightly() -> None:
    nobody = {"root_cause": [cause("upstream_outage", "*/shop/checkout")], "culprit": "none", "verdict": "needs_human"}
    assert marked(nobody, claim("upstream_outage", "Deployment/shop/checkout"), verdict="needs_human").culprit_at_1
    blamed = marked(nobody, claim("upstream_outage", "Deployment/shop/checkout", "bump"), verdict="needs_human")
    assert blamed.culprit_at_1 is False
    assert marked(nobody, repository=False).culprit_at_1 is None


def test_a_decoy_is_hit_only_by_the_first_hypothesis() -> None:
    expect = {"root_cause": [cause("oom_killed", "*/shop/checkout")], "culprit": "tune", "decoys": ["bump"]}
    first, second = claim("oom_killed", "Deployment/shop/checkout", "tune"), claim("disk_full", "PVC/shop/x", "bump")
    assert marked(expect, first, second).decoy_hit is False
    assert marked(expect, second, first).decoy_hit is True
    assert marked({**expect, "decoys": []}, second).decoy_hit is None


def test_a_fix_where_none_is_due_is_a_false_alarm() -> None:
    calm = {"root_cause": [{"kind": "healthy"}], "verdict": "no_action"}
    assert marked(calm, claim("oom_killed", "Deployment/shop/checkout")).false_alarm is True
    quiet = marked(calm, claim("healthy", "Deployment/shop/checkout"), verdict="no_action")
    assert (quiet.false_alarm, quiet.both_at_1, quiet.culprit_at_1) == (False, True, None)
    assert marked({"root_cause": []}, claim("oom_killed", "Deployment/shop/checkout")).false_alarm is None


def test_abstaining_names_nothing_and_states_no_confidence() -> None:
    expect = {"root_cause": [cause("oom_killed", "*/shop/checkout")]}
    silent = marked(expect, verdict="needs_human")
    assert (silent.both_at_1, silent.both_at_3, silent.confidence, silent.grounded) == (False, False, None, None)
