"""Whoever reads a finding must find its object in what it cites."""

from sre_bot.detectors.citations import with_its_object
from sre_bot.detectors.index import ClusterIndex
from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding
from tests.clusters import app, ref, snapshot, thing

CLAIM = thing("PersistentVolumeClaim", "data-db-0")
INDEX = ClusterIndex(snapshot(app("db"), CLAIM))
LINE = Evidence.seen("log", "Pod/shop/db-0", "db:7", "could not extend file: No space left on device")


def full(named: ObjectRef, *evidence: Evidence) -> Finding:
    return Finding(
        kind=FaultKind.DISK_FULL,
        object=named,
        field="",
        observed="No space left on device",
        expected="",
        message="full",
        directness="logged",
        evidence=evidence,
    )


def test_an_object_that_no_evidence_names_is_cited_itself() -> None:
    cited = with_its_object(INDEX, full(ref("PersistentVolumeClaim", "data-db-0"), LINE)).evidence
    assert [(piece.subject, piece.excerpt) for piece in cited[1:]] == [
        ("PersistentVolumeClaim/shop/data-db-0", "name: data-db-0")
    ]


def test_an_object_that_is_named_already_is_not_cited_again() -> None:
    finding = full(ref("Deployment", "db"), LINE)
    assert with_its_object(INDEX, finding) == finding


def test_an_object_that_is_not_there_is_never_cited() -> None:
    finding = full(ref("PersistentVolumeClaim", "archive"), LINE)
    assert with_its_object(INDEX, finding) == finding
