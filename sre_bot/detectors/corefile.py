"""The cluster's own name server, told the wrong things: right names do not resolve although it runs.

CoreDNS answers for Services by its ``kubernetes`` plugin, for the zones and namespaces that are named there; plugins
before it may rewrite a name or answer in its place, ``forward`` passes all else on
(https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers/, https://coredns.io/plugins/kubernetes/).
"""

import re
from collections.abc import Iterator

from sre_bot.detectors.addresses import Target, service_ports
from sre_bot.detectors.calls import configurations, selected_workloads
from sre_bot.detectors.complaints import Complaint
from sre_bot.detectors.fields import step, text
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.sightings import seen_line
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding

DOMAIN = "cluster.local"
"""The default of kubelets and of kubeadm (``clusterDomain``)."""

Lost = tuple[tuple[Complaint, Target], ...]
_PLUGIN = re.compile(r"^[^\S\n]*kubernetes\b([^{\n]*)", re.MULTILINE)
_NAMESPACES = re.compile(r"^[^\S\n]*namespaces[^\S\n]+(\S+(?:[^\S\n]+\S+)*)[^\S\n]*$", re.MULTILINE)
_REWRITE = re.compile(
    r"^[^\S\n]*rewrite\s+(?:stop\s+|continue\s+)?(?:name\s+)?(?:exact\s+)?(\S+)\s+(\S+)\s*$", re.MULTILINE
)
_TEMPLATE = re.compile(r"^[^\S\n]*template\s+\S+\s+\S+\s+(\S+)\s*\{", re.MULTILINE)
_FORWARD = re.compile(r"^[^\S\n]*forward[^\S\n]+\S+[^\S\n]+([^\s{][^\n{]*?)[^\S\n]*\{?[^\S\n]*$", re.MULTILINE)
_UPSTREAM_SILENT = re.compile(r"plugin/errors:[^\n]*->([\d.]+):53: (?:i/o timeout|read: connection refused)")


def misled(index: ClusterIndex, lost: Lost) -> Iterator[Finding]:
    """Judge the Corefile of every workload that serves port 53, given the right names that do not resolve."""
    for service in index.of_kind("Service"):
        for server in selected_workloads(index, service) if 53 in service_ports(service) else ():
            for thing, field, content in _corefiles(index, server):
                for line, what in _faults(content, lost) if lost else ():
                    yield _finding(thing, field, line, what, tuple(one for one, _ in lost))
                yield from _silent_upstream(index, server, thing, field, content)


def _corefiles(index: ClusterIndex, server: Workload) -> Iterator[tuple[KubernetesObject, str, str]]:
    """The files that a name server reads; by their usual name where its volumes do not tell."""
    namespace = server.ref.namespace
    read = {one.name for one in index.once(configurations)[server.ref].references if one.kind == "ConfigMap"}
    for thing in index.of_kind("ConfigMap", namespace):
        if ObjectRef.of(thing).name in (read or {server.ref.name}):
            for key in ("Corefile",):
                if content := text(thing, "data", key):
                    yield thing, step("data", key), content


def _faults(content: str, lost: Lost) -> Iterator[tuple[str, str]]:
    """What in a Corefile keeps the lost names from being answered: the line, and what is wrong with it."""
    full = {f"{target.name}.{target.namespace}.svc.{DOMAIN}": target for _, target in lost}
    plugin = _PLUGIN.search(content)
    if plugin is None:
        yield "", "answers for no Service: it has no kubernetes plugin"
        return
    zones = [zone.rstrip(".") for zone in plugin[1].split()]
    if zones and not any(zone in ("", DOMAIN) for zone in zones):
        yield zones[0], f"answers for Services in {zones[0]}, not in {DOMAIN}"
    if (chosen := _NAMESPACES.search(content)) and any(one.namespace not in chosen[1].split() for one in full.values()):
        yield chosen[0].strip(), f"answers for Services of {chosen[1]} only"
    for rewrite in _REWRITE.finditer(content):
        if rewrite[1].rstrip(".") in full and rewrite[2].rstrip(".") != rewrite[1].rstrip("."):
            yield rewrite[0].strip(), f"answers {rewrite[2]} for {rewrite[1]}"
    for template in _TEMPLATE.finditer(content):
        if any(name.endswith(template[1].rstrip(".")) for name in full):
            yield template[0].strip(), f"answers for {template[1]} by a template"


def _silent_upstream(
    index: ClusterIndex, server: Workload, thing: KubernetesObject, field: str, content: str
) -> Iterator[Finding]:
    """A server to which names from outside are passed on, and which the name server says does not answer."""
    passed_on = {word.partition(":")[0] for match in _FORWARD.finditer(content) for word in match[1].split()}
    told: dict[str, list[Trouble]] = {}
    for one in index.once(troubles).get(server.ref, ()):
        if (match := _UPSTREAM_SILENT.search(one.line.text)) and match[1] in passed_on:
            told.setdefault(match[1], []).append(one)
    for address, lines in sorted(told.items()):
        finding = _finding(thing, field, address, f"passes names on to {address}, which does not answer", ())
        evidence = (*finding.evidence, *(seen_line(one.line) for one in lines[-2:]))
        yield finding.model_copy(update={"evidence": evidence, "since": earliest(*(one.line.first for one in lines))})


def _finding(thing: KubernetesObject, field: str, line: str, what: str, told: tuple[Complaint, ...]) -> Finding:
    ref = ObjectRef.of(thing)
    return Finding(
        kind=FaultKind.DNS_MISCONFIGURED,
        object=ref,
        field=field,
        observed=line,
        expected="",
        message=f"The cluster's DNS {what} ({ref.name}).",
        directness="inferred",
        evidence=(
            Evidence.seen("object", ref, field, line or field),
            *(seen_line(one.trouble.line) for one in told[-2:]),
        ),
        since=earliest(*(one.trouble.line.first for one in told)),
        hurts=tuple(sorted({one.trouble.workload for one in told}, key=str)),
    )
