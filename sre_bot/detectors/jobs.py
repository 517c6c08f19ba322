"""Jobs that failed, and CronJobs that are suspended or never start a Job.

https://kubernetes.io/docs/concepts/workloads/controllers/job/ and …/cron-jobs/. A suspended CronJob says nothing at
all.
"""

from collections.abc import Iterator

from sre_bot.detectors.fields import condition, dig, number, text, when
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.sightings import seen_event, seen_field, seen_in
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import Evidence, FaultKind, Finding


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge the newest Job of every CronJob, every Job of its own, and every CronJob."""
    for owner, name in index.newest_jobs.items():
        yield from _failed(index, index.get("Job", owner.namespace, name) or {})
    for cron in index.of_kind("CronJob"):
        yield from _suspended(index, cron)
        yield from _never_starts(index, cron)


def _failed(index: ClusterIndex, job: KubernetesObject) -> Iterator[Finding]:
    failed = condition(job, "Failed") or condition(job, "FailureTarget")
    if failed.get("status") != "True":
        return
    ref, owner = ObjectRef.of(job), index.owner_of(job)
    reason = text(failed, "reason")
    name = {"BackoffLimitExceeded": "backoffLimit", "DeadlineExceeded": "activeDeadlineSeconds"}.get(reason, "")
    field = f"spec.{'jobTemplate.spec.' if owner.kind == 'CronJob' else ''}{name}" if name else ""
    deadline = text(job, "spec", "activeDeadlineSeconds") if reason == "DeadlineExceeded" else ""
    events = [event for event in index.events_of(ref) if event.warning]
    yield Finding(
        kind=FaultKind.JOB_FAILED,
        object=owner,
        field=field,
        observed=deadline or reason,
        expected="",
        message=f"Job {ref.name} failed: {text(failed, 'message') or reason}.",
        directness="stated",
        evidence=(
            Evidence.seen(
                "object", ref, "status.conditions[Failed]", f"message: {text(failed, 'message')}\nreason: {reason}"
            ),
            *(seen_event(event) for event in events[-1:]),
            seen_field(owner, field if deadline else "metadata.name", deadline or owner.name),
        ),
        since=when(failed.get("lastTransitionTime")),
        hurts=() if owner == ref else (ref,),
    )


def _suspended(index: ClusterIndex, cron: KubernetesObject) -> Iterator[Finding]:
    if dig(cron, "spec", "suspend") is not True:
        return
    ref, last = ObjectRef.of(cron), text(cron, "status", "lastScheduleTime")
    evidence = [seen_in(cron, "spec.suspend")]
    if last:
        evidence.append(seen_field(ref, "status.lastScheduleTime", last))
    yield Finding(
        kind=FaultKind.CRONJOB_SUSPENDED,
        object=ref,
        field="spec.suspend",
        observed="true",
        expected="false",
        message=f"CronJob {ref.name} is suspended" + (f"; its last run was at {last}." if last else "; it never ran."),
        directness="stated",
        evidence=tuple(evidence),
        since=None,
    )


def _never_starts(index: ClusterIndex, cron: KubernetesObject) -> Iterator[Finding]:
    """Too small a ``startingDeadlineSeconds`` (the controller looks every 10 s) or a clock that is off."""
    told = [
        event
        for event in index.events_of(cron)
        if event.reason in ("TooManyMissedTimes", "MissSchedule", "UnexpectedJob")
        or "unparseable schedule" in event.message.lower()
    ]
    if not told:
        return
    ref, deadline = ObjectRef.of(cron), number(cron, "spec", "startingDeadlineSeconds")
    small = deadline is not None and deadline < 10
    field = "spec.startingDeadlineSeconds" if small else "spec.schedule"
    yield Finding(
        kind=FaultKind.INVALID_CONFIG,
        object=ref,
        field=field,
        observed=str(deadline) if small else text(cron, "spec", "schedule"),
        expected="",
        message=f"CronJob {ref.name} misses its schedule: {told[-1].message[:160]}.",
        directness="stated",
        evidence=(seen_event(told[-1]), seen_in(cron, field)),
        since=told[-1].first,
    )
