"""The failed connections that each workload logs at present, and the configured calls that they may be of."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from sre_bot.detectors.addresses import Address
from sre_bot.detectors.calls import Call, calls, names
from sre_bot.detectors.connections import Failure, failure
from sre_bot.detectors.drivers import Driver, nameless, unresolved
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.troubles import Trouble, troubles
from sre_bot.domain.cluster import ObjectRef

_CONTEXT = 4
"""How many lines before an error may tell which host it is about."""


class Complaint(NamedTuple):
    """A failed connection and the log line that tells of it."""

    failure: Failure
    trouble: Trouble


def complaints(index: ClusterIndex) -> dict[ObjectRef, tuple[Complaint, ...]]:
    """The failed connections that each workload logs at present."""
    found: dict[ObjectRef, tuple[Complaint, ...]] = {}
    for ref, lines in index.once(troubles).items():
        read = tuple(
            Complaint(failed, line)
            for line in lines
            if (failed := failure(line.line.text) or _of_the_only_one(index, ref, line))
        )
        if read:
            found[ref] = read
    return found


def _of_the_only_one(index: ClusterIndex, ref: ObjectRef, one: Trouble) -> Failure | None:
    """A client's error that names no host, where the workload is configured for one server of that technology only."""
    told = nameless(one.line.text)
    if told is None:
        return _of_the_only_stranger(index, ref, one) if unresolved(one.line.text) else None
    how, driver = told
    meant = {
        (address.host, address.port)
        for call in index.once(calls_from).get(ref, ())
        if _speaks(address := call.address, driver)
    }
    return Failure(how, *next(iter(meant))) if len(meant) == 1 else None


def _of_the_only_stranger(index: ClusterIndex, ref: ObjectRef, one: Trouble) -> Failure | None:
    """A name that does not resolve and that the error does not tell: the only configured host that is no Service.

    Of several, the one that the lines just before speak of; where all are Services, the first of them stands for all.
    """
    hosts = {
        call.address.host: call.address.port
        for call in index.once(calls_from).get(ref, ())
        if call.target.meaning not in ("local", "pod")
    }
    resolver = index.once(names)
    workload = index.workload_by_ref.get(ref)
    known = {host for host in hosts if workload and resolver.resolve(host, workload).service is not None}
    strangers = {host: port for host, port in hosts.items() if host not in known} or dict(sorted(hosts.items())[:1])
    if len(strangers) > 1:
        before = "\n".join(lines_before(index, one, _CONTEXT))
        strangers = {host: port for host, port in strangers.items() if host in before}
    return Failure("unresolved", *next(iter(strangers.items()))) if len(strangers) == 1 else None


def lines_before(index: ClusterIndex, one: Trouble, most: int) -> Iterator[str]:
    """The newest of a suspicious line, after at most so many of the lines before it."""
    for log in index.logs_of(one.pod, one.container.name):
        if log.previous == one.line.previous:
            yield from islice(log.text.splitlines(), max(0, one.line.number - 1 - most), one.line.number)


def _speaks(address: Address, driver: Driver) -> bool:
    if address.port is not None:
        return address.port in driver.ports
    named = f"{address.scheme} {address.host} {address.setting.key}".lower()
    return any(word in named for word in driver.words)


def calls_from(index: ClusterIndex) -> dict[ObjectRef, tuple[Call, ...]]:
    """The configured calls of each workload."""
    found: dict[ObjectRef, list[Call]] = {}
    for call in index.once(calls):
        found.setdefault(call.workload.ref, []).append(call)
    return {ref: tuple(same) for ref, same in found.items()}
