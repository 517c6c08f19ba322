"""A live cluster that shows only a part of itself is examined as far as it can be seen, and the rest is named."""

from pathlib import Path

from sre_bot.cli.examination import Question, examine
from sre_bot.settings import Settings
from tests.incident_folder import INCIDENTS
from tests.kubernetes_lab import served

HIDDEN = {("", "nodes"), ("", "secrets"), ("", "persistentvolumes"), ("networking.k8s.io", "networkpolicies")}


async def test_what_rbac_hides_is_named_and_does_not_keep_the_cause_from_being_found(tmp_path: Path) -> None:
    settings = Settings(_env_file=None)  # pyright: ignore[reportCallIssue]  # pydantic-settings' own argument
    async with served(tmp_path, INCIDENTS / "orders-cannot-be-placed") as lab:
        question = Question(namespaces=("plumtree",), kubeconfig=str(lab.kubeconfig))
        whole = await examine(question, settings, remedies=1)
        lab.world.forbidden.update(HIDDEN)
        part = await examine(question, settings, remedies=1)
    for one in (whole, part):
        best = one.judgement.diagnosis.best
        assert best is not None
        assert (best.kind, str(best.object)) == ("service_port_mismatch", "Service/plumtree/slots")
    said = set(part.snapshot.unseen) - set(whole.snapshot.unseen)
    assert {"nodes: forbidden", "secrets in plumtree: forbidden", "persistentvolumes: forbidden"} <= said
    assert not [thing for thing in part.snapshot.objects if thing["kind"] in ("Node", "Secret")]
    assert part.remedies[0].why_not == "no repository was given (--repo)"
