"""Who depends on whom: workloads, Services, volumes, nodes, configuration, entrances."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TypeVar

from sre_bot.detectors.calls import calls, configurations, names, selected_workloads
from sre_bot.detectors.complaints import complaints
from sre_bot.detectors.fields import leaves, mapping, mappings, text
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.selectors import matches_selector
from sre_bot.domain.cluster import ObjectRef, Value

T = TypeVar("T")


class Link(Value):
    """One dependency: ``source`` suffers when ``target`` does; ``why`` is a word or two (calls, selects, reads)."""

    source: ObjectRef
    target: ObjectRef
    why: str


class Topology(Value):
    """All dependencies of a snapshot."""

    links: tuple[Link, ...] = ()

    def causes_of(self, ref: ObjectRef) -> frozenset[ObjectRef]:
        """Everything that an object depends on, directly or through others, itself included."""
        return _reach((ref,), self._targets)

    def beneath(self, refs: Iterable[ObjectRef]) -> frozenset[ObjectRef]:
        """Everything that some objects depend on, themselves included. Each link is followed once."""
        return _reach(refs, self._targets)

    def leaning_on_others(self, refs: Iterable[ObjectRef]) -> frozenset[ObjectRef]:
        """Those of some objects that depend on another of them.

        Each object hears of two of them at most, itself perhaps and another: each link is followed twice at most.
        """
        front = [(ref, ref) for ref in refs]
        heard = {ref: {ref} for ref, _ in front}
        asked = frozenset(heard)
        while front:
            ref, origin = front.pop()
            for above in self._sources.get(ref, ()):
                known = heard.setdefault(above, set())
                if origin not in known and len(known) < 2:
                    known.add(origin)
                    front.append((above, origin))
        return frozenset(ref for ref in asked if len(heard[ref]) > 1)

    def victims_of(self, ref: ObjectRef) -> frozenset[ObjectRef]:
        """Everything that depends on an object, itself included."""
        return _reach((ref,), self._sources)

    @cached_property
    def links_from(self) -> dict[ObjectRef, list[Link]]:
        """The dependencies of each object."""
        return _grouped((link.source, link) for link in self.links)

    @cached_property
    def links_to(self) -> dict[ObjectRef, list[Link]]:
        """The links that lead to each object."""
        return _grouped((link.target, link) for link in self.links)

    @cached_property
    def _targets(self) -> dict[ObjectRef, list[ObjectRef]]:
        return _grouped((link.source, link.target) for link in self.links)

    @cached_property
    def _sources(self) -> dict[ObjectRef, list[ObjectRef]]:
        return _grouped((link.target, link.source) for link in self.links)


def _grouped(pairs: Iterable[tuple[ObjectRef, T]]) -> dict[ObjectRef, list[T]]:
    following: dict[ObjectRef, list[T]] = {}
    for left, right in pairs:
        following.setdefault(left, []).append(right)
    return following


def _reach(starts: Iterable[ObjectRef], following: Mapping[ObjectRef, list[ObjectRef]]) -> frozenset[ObjectRef]:
    reached = set(starts)
    front = [*reached]
    while front:
        fresh = [one for one in following.get(front.pop(), ()) if one not in reached]
        reached.update(fresh)
        front += fresh
    return frozenset(reached)


def topology(index: ClusterIndex) -> Topology:
    """The dependencies of a snapshot, sorted."""
    found = {
        (str(link.source), str(link.target), link.why): link for link in _links(index) if link.source != link.target
    }
    return Topology(links=tuple(found[key] for key in sorted(found)))


def _links(index: ClusterIndex) -> Iterator[Link]:
    for call in index.once(calls):
        if call.target.service is not None:
            yield Link(source=call.workload.ref, target=ObjectRef.of(call.target.service), why="calls")
    yield from _logged_calls(index)
    for service in index.of_kind("Service"):
        for workload in selected_workloads(index, service):
            yield Link(source=ObjectRef.of(service), target=workload.ref, why="selects")
    yield from _of_workloads(index)
    yield from _entrances(index)
    yield from _policies(index)
    yield from _autoscalers(index)
    for claim in index.of_kind("PersistentVolumeClaim"):
        bound = text(claim, "spec", "volumeName")
        if bound:
            volume = ObjectRef(kind="PersistentVolume", namespace="", name=bound)
            yield Link(source=ObjectRef.of(claim), target=volume, why="binds")


def _logged_calls(index: ClusterIndex) -> Iterator[Link]:
    resolver = index.once(names)
    for ref, told in index.once(complaints).items():
        workload = index.workload_by_ref.get(ref)
        if workload is None:
            continue
        for one in told:
            target = resolver.resolve(one.failure.host, workload)
            if target.service is not None:
                yield Link(source=ref, target=ObjectRef.of(target.service), why="calls")
            elif owner := resolver.pod_owner(one.failure.host):
                yield Link(source=ref, target=owner, why="calls")


def _of_workloads(index: ClusterIndex) -> Iterator[Link]:
    for workload in index.workloads:
        ref, namespace = workload.ref, workload.ref.namespace
        for reference in index.once(configurations)[ref].references:
            yield Link(
                source=ref, target=ObjectRef(kind=reference.kind, namespace=namespace, name=reference.name), why="reads"
            )
        for claim in claims_of(workload.spec, [pod.spec for pod in workload.pods]):
            yield Link(
                source=ref,
                target=ObjectRef(kind="PersistentVolumeClaim", namespace=namespace, name=claim),
                why="mounts",
            )
        for node in sorted({pod.node for pod in workload.pods if pod.node}):
            yield Link(source=ref, target=ObjectRef(kind="Node", namespace="", name=node), why="runs on")
        account = text(workload.spec, "serviceAccountName")
        if account:
            yield Link(
                source=ref, target=ObjectRef(kind="ServiceAccount", namespace=namespace, name=account), why="acts as"
            )


def claims_of(*specs: object) -> tuple[str, ...]:
    """The claims that pod specifications mount."""
    flat = [spec for one in specs for spec in (one if isinstance(one, list) else [one])]
    found = {
        text(volume, "persistentVolumeClaim", "claimName") for spec in flat for volume in mappings(spec, "volumes")
    }
    return tuple(sorted(found - {""}))


def _entrances(index: ClusterIndex) -> Iterator[Link]:
    """Ingresses and routes depend on the Services that they name anywhere in their specification."""
    for kind in ("Ingress", "HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "VirtualService", "IngressRoute"):
        for thing in index.of_kind(kind):
            ref = ObjectRef.of(thing)
            for path, value in leaves(mapping(thing, "spec")):
                if path.endswith((".name", ".host", ".serviceName")) and isinstance(value, str):
                    name, _, rest = value.partition(".")
                    namespace = rest.split(".")[0] or ref.namespace
                    if index.get("Service", namespace, name):
                        yield Link(
                            source=ref,
                            target=ObjectRef(kind="Service", namespace=namespace, name=name),
                            why="routes to",
                        )


def _policies(index: ClusterIndex) -> Iterator[Link]:
    for policy in index.of_kind("NetworkPolicy"):
        ref = ObjectRef.of(policy)
        for workload in index.workloads_in(ref.namespace):
            if matches_selector(mapping(policy, "spec", "podSelector"), workload.labels):
                yield Link(source=workload.ref, target=ref, why="is guarded by")


def _autoscalers(index: ClusterIndex) -> Iterator[Link]:
    for thing in index.of_kind("HorizontalPodAutoscaler"):
        ref, target = ObjectRef.of(thing), mapping(thing, "spec", "scaleTargetRef")
        scaled = ObjectRef(kind=text(target, "kind"), namespace=ref.namespace, name=text(target, "name"))
        yield Link(source=ref, target=scaled, why="scales")
