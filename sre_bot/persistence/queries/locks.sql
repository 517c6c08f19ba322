-- name: serialise
select pg_advisory_xact_lock(hashtextextended('sre_bot.resource_locks', 0))

-- name: drop_dead_holders
delete from resource_locks where expires_at <= clock_timestamp()

-- name: taken_by_others
select resource from resource_locks
where resource = any(%(resources)s) and workflow_id is distinct from %(workflow_id)s::uuid

-- name: take
insert into resource_locks (resource, workflow_id)
select resource, %(workflow_id)s from unnest(%(resources)s::text[]) as resource order by resource
on conflict (resource) do nothing

-- name: take_outside
insert into resource_locks (resource, holder, expires_at)
values (%(resource)s, %(holder)s, clock_timestamp() + %(ttl)s)
on conflict (resource) do nothing
returning resource

-- name: renew_outside
update resource_locks set expires_at = clock_timestamp() + %(ttl)s
where resource = %(resource)s and holder = %(holder)s

-- name: free_outside
delete from resource_locks where resource = %(resource)s and holder = %(holder)s

-- name: wait
insert into resource_waits (workflow_id, resources, priority)
values (%(workflow_id)s, %(resources)s, %(priority)s)
on conflict (workflow_id) do update set resources = excluded.resources, priority = excluded.priority

-- name: stop_waiting
delete from resource_waits where workflow_id = %(workflow_id)s

-- name: free
delete from resource_locks
where workflow_id = %(workflow_id)s and (%(resources)s::text[] is null or resource = any(%(resources)s))
returning resource

-- name: queue
select w.workflow_id, w.resources,
    array(select l.resource from resource_locks as l where l.workflow_id = w.workflow_id) as held
from resource_waits as w
order by turn_of(w.requested_at, w.priority), w.workflow_id

-- name: wanted_before
select 1 from resource_waits as w
where w.resources && %(resources)s::text[]
    and w.workflow_id <> %(workflow_id)s
    and not exists (
        select 1 from resource_locks as l where l.workflow_id = %(workflow_id)s and l.resource = any(w.resources)
    )
    and turn_of(w.requested_at, w.priority) < turn_of(
        coalesce(
            (select mine.requested_at from resource_waits as mine where mine.workflow_id = %(workflow_id)s),
            clock_timestamp()
        ),
        %(priority)s::smallint
    )
limit 1

-- name: held
select resource, workflow_id, holder, acquired_at, expires_at from resource_locks order by resource

-- name: waiting
select workflow_id, resources, priority, requested_at from resource_waits
order by turn_of(requested_at, priority), workflow_id
