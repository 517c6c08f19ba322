"""Configured addresses that name nothing, name the wrong thing, or use a port that the named Service does not offer.

Service names resolve within the namespace, ``name.namespace`` across namespaces
(https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/); only the ports in ``spec.ports`` answer.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from sre_bot.detectors.addresses import Address, Names, likeness, nearest, service_ports
from sre_bot.detectors.calls import Call, callers, calls, common_port, names, selected_workloads
from sre_bot.detectors.complaints import Complaint, complaints
from sre_bot.detectors.configuration import Setting
from sre_bot.detectors.connections import Failure
from sre_bot.detectors.endpoints import serves
from sre_bot.detectors.fields import text
from sre_bot.detectors.index import ClusterIndex, Workload
from sre_bot.detectors.loglines import earliest
from sre_bot.detectors.sightings import seen_field, seen_line, seen_setting
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import FaultKind, Finding

_ROUTE = re.compile(
    r"^\s*(?:proxy_pass|fastcgi_pass|grpc_pass|uwsgi_pass|server\s+[\w.-]+:\d+|server\s+\w+\s+[\w.-]+:\d+"
    r"|reverse_proxy|ProxyPass|BalancerMember)"
)
"""Directives of nginx, HAProxy, Caddy and Apache."""


_HOST_ALONE = re.compile(r"(?:^|[_.-]|^pg)host(?:name)?$", re.IGNORECASE)
_IP = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


def hosts_by_key(index: ClusterIndex) -> dict[str, tuple[tuple[str, int, int], ...]]:
    """The hosts configured under each key: by how many calls, and by how many that reach a Service; these first."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for call in index.once(calls):
        if key := call.address.setting.key:
            hosts = found.setdefault(key, {})
            all_, reaching = hosts.get(call.address.host, (0, 0))
            hosts[call.address.host] = (all_ + 1, reaching + (call.target.service is not None))
    return {
        key: tuple(sorted(((host, *counts) for host, counts in hosts.items()), key=lambda one: (-one[2], one[0])))
        for key, hosts in found.items()
    }


def own_calls(index: ClusterIndex) -> dict[tuple[ObjectRef, str], tuple[Call, ...]]:
    """The configured calls of each workload by the key of their setting."""
    found: dict[tuple[ObjectRef, str], list[Call]] = {}
    for call in index.once(calls):
        found.setdefault((call.workload.ref, call.address.setting.key), []).append(call)
    return {place: tuple(same) for place, same in found.items()}


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge every configured address, then every host that only a log names."""
    for call in index.once(calls):
        told = tuple(
            one for one in index.once(complaints).get(call.workload.ref, ()) if _is_about(index, one.failure, call)
        )
        if call.target.meaning == "nothing" or (call.target.meaning == "unknown" and _does_not_resolve(told)):
            yield from _names_nothing(index, call, told)
        elif call.target.service is not None and _is_no_host(call.address.setting, call.address, told):
            yield from _malformed(index, call, told)
        elif call.target.service is not None:
            yield from _wrong_port(index, call, call.target.service, told)
            yield from _odd_one_out(index, call, told)
        elif call.target.meaning == "local":
            yield from _nobody_at_home(index, call, told)
    for ref, told in index.once(complaints).items():
        workload = index.workload_by_ref.get(ref)
        if workload is not None:
            yield from _only_logged(index, workload, told)


def _is_about(index: ClusterIndex, failed: Failure, call: Call) -> bool:
    """Whether a failure is one of this call: the same host, or the address that its name resolves to."""
    host, named, service = failed.host.lower(), call.address.host.lower(), call.target.service
    if call.address.port is not None and failed.port not in (None, call.address.port):
        return False
    if host == named or host.startswith(f"{named}."):
        return True
    resolver = index.once(names)
    if service is None or not _IP.fullmatch(host):
        return False
    return resolver.resolve(host, call.workload).service is service or (
        text(service, "spec", "clusterIP") == "None"
        and resolver.pod_owner(host) in {one.ref for one in selected_workloads(index, service)}
    )


def _is_no_host(setting: Setting, address: Address, told: tuple[Complaint, ...]) -> bool:
    """Whether a variable for a host alone holds a port or a scheme too, and the whole does not resolve as a name."""
    alone = _HOST_ALONE.search(setting.key) is not None and setting.value.rstrip(".") != address.host
    return alone and any(one.failure.how == "unresolved" for one in told)


def _malformed(index: ClusterIndex, call: Call, told: tuple[Complaint, ...]) -> Iterator[Finding]:
    yield wrong_setting(
        index,
        call,
        FaultKind.DEPENDENCY_WRONG_ADDRESS,
        call.address.setting.value,
        call.address.host,
        told,
        f"{call.workload.ref.name} takes {call.address.setting.value} for a host name",
    )


def _does_not_resolve(told: tuple[Complaint, ...]) -> bool:
    return any(one.failure.how == "unresolved" and ".svc" in one.failure.host for one in told)


def _names_nothing(index: ClusterIndex, call: Call, told: tuple[Complaint, ...]) -> Iterator[Finding]:
    """A name within the cluster's own domain that no Service bears."""
    expected = right_name(index, call)
    if not told and not (_suffers(call.workload) and (expected or _is_awaited(call))):
        return
    yield wrong_setting(
        index,
        call,
        FaultKind.DEPENDENCY_WRONG_ADDRESS,
        call.address.host,
        expected,
        told,
        f"{call.workload.ref.name} calls {call.address.host}, and no Service has that name",
    )


def _is_awaited(call: Call) -> bool:
    """Whether the address stands in an init container that has not ended: it may be what it waits for."""
    containers = (pod.container(call.address.setting.container) for pod in call.workload.pods if not pod.ready)
    return any(one is not None and one.init and one.running_since is not None for one in containers)


def _suffers(workload: Workload) -> bool:
    return any(not pod.ready or any(container.restarts for container in pod.containers) for pod in workload.pods)


def right_name(index: ClusterIndex, call: Call) -> str:
    """What siblings have under the same key; else the Service of the nearest name; else the same name elsewhere."""
    usual = _usual_value(index, call)
    if usual:
        return usual
    known = {text(service, "metadata", "name"): service for service in index.of_kind("Service", call.target.namespace)}
    close = nearest(call.target.name, tuple(known))
    if close:
        return call.address.host.replace(call.target.name, close, 1)
    for service in index.of_kind("Service"):
        ref = ObjectRef.of(service)
        if ref.name == call.target.name and ref.namespace != call.target.namespace:
            return (
                f"{ref.name}.{ref.namespace}.svc.cluster.local"
                if ".svc" in call.address.host
                else f"{ref.name}.{ref.namespace}"
            )
    return ""


def _usual_value(index: ClusterIndex, call: Call) -> str:
    """The host that most others have under the same key and that names a Service from here too; ties by name."""
    resolver, key = index.once(names), call.address.setting.key
    same = index.once(own_calls).get((call.workload.ref, key), ())
    own = Counter(one.address.host for one in same if one.target.service is not None)
    best, most = "", 0
    for host, _, reaching in index.once(hosts_by_key).get(key, ()):
        if reaching <= most:
            break
        others = reaching - own[host]
        if others > most and resolver.resolve(host, call.workload).service is not None:
            best, most = host, others
    return best


def _wrong_port(
    index: ClusterIndex, call: Call, service: KubernetesObject, told: tuple[Complaint, ...]
) -> Iterator[Finding]:
    """A port that the Service does not offer is refused or dropped, whatever its pods listen on."""
    port, offered = call.address.port, service_ports(service)
    if port is None or port in offered or not offered or _answers_itself(index, service, port, told):
        return
    if common_port(index, service) == port:
        return
    if not call.address.explicit and call.address.port_setting is None and not told:
        return  # the scheme's own port: what is called may not be this Service at all
    expected = _usual_port(index, call, offered)
    yield wrong_setting(
        index,
        call,
        FaultKind.DEPENDENCY_WRONG_PORT,
        str(port),
        expected,
        told,
        f"{call.workload.ref.name} calls {call.address.host} on port {port}; the Service offers "
        f"{', '.join(map(str, offered))}",
        service,
    )


def _answers_itself(index: ClusterIndex, service: KubernetesObject, port: int, told: tuple[Complaint, ...]) -> bool:
    """Whether a headless Service may answer on a port that it does not list: its name leads to the pods themselves.

    They do not where none of them declares the port and the caller is refused (Service API, headless Services).
    """
    if text(service, "spec", "clusterIP") != "None":
        return False
    declared = any(serves(one, str(port)) for one in selected_workloads(index, service))
    return declared or not any(one.failure.how == "refused" for one in told)


def _usual_port(index: ClusterIndex, call: Call, offered: tuple[int, ...]) -> str:
    same = index.once(callers).get(ObjectRef.of(call.target.service or {}), ())
    used = Counter(other.address.port for other in same if other.address.port in offered)
    if used:
        return str(min(used, key=lambda port: (-used[port], port or 0)))
    close = sorted(offered, key=lambda port: (-likeness(str(port), str(call.address.port)), port))
    return str(close[0])


def _odd_one_out(index: ClusterIndex, call: Call, told: tuple[Complaint, ...]) -> Iterator[Finding]:
    """A host that exists but that no sibling has under the same key, while its calls fail."""
    usual = _usual_value(index, call)
    if not told or not usual or usual == call.address.host or _has_no_way(index, call):
        return
    yield wrong_setting(
        index,
        call,
        FaultKind.DEPENDENCY_WRONG_ADDRESS,
        call.address.host,
        usual,
        told,
        f"{call.workload.ref.name} calls {call.address.host}, where its siblings call {usual}",
    )


def _has_no_way(index: ClusterIndex, call: Call) -> bool:
    """Whether siblings have several values under that key, so that none is usual."""
    key = call.address.setting.key
    own = Counter(one.address.host for one in index.once(own_calls).get((call.workload.ref, key), ()))
    others = islice((host for host, all_, _ in index.once(hosts_by_key).get(key, ()) if all_ > own[host]), 2)
    return len(tuple(others)) != 1


def _nobody_at_home(index: ClusterIndex, call: Call, told: tuple[Complaint, ...]) -> Iterator[Finding]:
    """``localhost`` is the pod itself: it answers only where a container of the pod serves that port."""
    usual = _usual_value(index, call)
    refused = tuple(
        one
        for one in index.once(complaints).get(call.workload.ref, ())
        if one.failure.how == "refused"
        and one.failure.host in ("127.0.0.1", "localhost", "::1")
        and (call.address.port is None or one.failure.port in (None, call.address.port))
    )
    if (told or refused) and call.address.setting.key:
        yield wrong_setting(
            index,
            call,
            FaultKind.DEPENDENCY_WRONG_ADDRESS,
            call.address.host,
            usual,
            told or refused,
            f"{call.workload.ref.name} calls itself at {call.address.shown}, where nothing listens",
        )


def wrong_setting(
    index: ClusterIndex,
    call: Call,
    kind: FaultKind,
    observed: str,
    expected: str,
    told: tuple[Complaint, ...],
    message: str,
    service: KubernetesObject | None = None,
) -> Finding:
    """The finding that a setting leads a call astray: the address, or the port that stands beside it."""
    setting = (
        call.address.port_setting
        if kind == FaultKind.DEPENDENCY_WRONG_PORT and call.address.port_setting
        else call.address.setting
    )
    where = seen_setting(setting)
    seen = [where, *(seen_line(one.trouble.line) for one in told[-2:])]
    if service is not None:
        seen.append(seen_field(ObjectRef.of(service), "spec.ports", service.get("spec", {}).get("ports")))
    return Finding(
        kind=FaultKind.GATEWAY_MISROUTE if _is_route(setting) else kind,
        object=setting.holder,
        field=setting.field,
        observed=observed,
        expected=expected,
        message=f"{message}.",
        directness="inferred",
        evidence=tuple(seen),
        since=earliest(*(one.trouble.line.first for one in told)),
        container=setting.container,
        hurts=tuple(sorted({call.workload.ref} - {setting.holder}, key=str)),
    )


def _is_route(setting: Setting) -> bool:
    """Whether a value is a line of a proxy's own configuration that says where to pass requests on."""
    return setting.holder.kind == "ConfigMap" and bool(_ROUTE.match(setting.line))


def _only_logged(index: ClusterIndex, workload: Workload, told: tuple[Complaint, ...]) -> Iterator[Finding]:
    """A host within the cluster's domain that does not resolve and that no readable configuration holds."""
    resolver: Names = index.once(names)
    configured = {call.address.host.lower() for call in index.once(calls) if call.workload.ref == workload.ref}
    for one in told:
        host = one.failure.host.lower()
        if one.failure.how != "unresolved" or host in configured:
            continue
        target = resolver.resolve(host, workload)
        inside = target.meaning == "nothing" or (target.meaning == "unknown" and ".svc" in host)
        if not inside:
            continue
        yield Finding(
            kind=FaultKind.DEPENDENCY_WRONG_ADDRESS,
            object=workload.ref,
            field="",
            observed=one.failure.host,
            expected=nearest(
                target.name, [text(s, "metadata", "name") for s in index.of_kind("Service", target.namespace)]
            ),
            message=f"{workload.ref.name} calls {one.failure.host}, which does not resolve.",
            directness="logged",
            evidence=(seen_line(one.trouble.line),),
            since=earliest(one.trouble.line.first),
            container=one.trouble.container.name,
        )
