"""What a finding has to cite so that a reader can follow it: the object that it names must stand in its evidence."""

from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.sightings import seen_field
from sre_bot.domain.finding import Finding


def with_its_object(index: ClusterIndex, finding: Finding) -> Finding:
    """The finding with its object's own name as evidence, where nothing that it cites bears that name.

    A log line of a database's pod proves that a disk is full; which claim that is, only the claim itself says.
    """
    name = finding.object.name
    named = any(name in piece.subject.rpartition("/")[2] or name in piece.excerpt for piece in finding.evidence)
    if named or index.find(finding.object) is None:
        return finding
    shown = seen_field(finding.object, "metadata.name", name)
    return finding.model_copy(update={"evidence": (*finding.evidence, shown)})
