-- name: claim
insert into leases as l (workflow_id, owner, fence, claimed_at, expires_at, attempts)
values (%(workflow_id)s, %(owner)s, 1, clock_timestamp(), clock_timestamp() + %(ttl)s, 1)
on conflict (workflow_id) do update set
    owner = excluded.owner,
    fence = l.fence + 1,
    claimed_at = excluded.claimed_at,
    expires_at = excluded.expires_at,
    attempts = l.attempts + 1
where l.owner is null or l.expires_at <= clock_timestamp()
returning fence

-- name: holder
select owner, fence, expires_at, expires_at > clock_timestamp() as alive
from leases where workflow_id = %(workflow_id)s and owner is not null

-- name: renew
update leases set expires_at = clock_timestamp() + %(ttl)s
where workflow_id = %(workflow_id)s and owner = %(owner)s and fence = %(fence)s and expires_at > clock_timestamp()

-- name: free
update leases set owner = null, expires_at = clock_timestamp(), attempts = 0
where workflow_id = %(workflow_id)s and owner = %(owner)s and fence = %(fence)s

-- name: due
-- The list of those that can be due keeps the sweep cheap beside thousands that wait for people.
select w.workflow_id
from workflow_states as w
where w.workflow_id in (
        select s.workflow_id from workflow_states as s where s.outcome is null and s.due_at <= clock_timestamp()
        union all
        select k.workflow_id from workflow_wakes as k
        union all
        select r.workflow_id from operator_requests as r where r.kind = 'cancel'
    )
    and w.outcome is null
    and w.driver = 'graph'
    and (w.runner = 'worker' or w.detailed_state = 'escalation' or cancelled_at(w) is not null)
    and due_of(w) <= clock_timestamp()
    and not is_paused(w)
    and not exists (
        select 1 from leases as l
        where l.workflow_id = w.workflow_id and l.owner is not null and l.expires_at > clock_timestamp()
    )
    and (
        cancelled_at(w) is not null
        or not exists (select 1 from quarantined as q where q.workflow_id = w.workflow_id and q.told_at is not null)
    )
    and (%(doubtful)s::boolean is null or %(doubtful)s::boolean = (attempts_of(w) >= %(doubtful_from)s))
order by turn_of(due_of(w), w.priority), w.created_at, w.workflow_id
limit %(limit)s
for no key update of w skip locked

-- name: schedule
update workflow_states set due_at = case
    when %(due_in)s::interval is not null then clock_timestamp() + %(due_in)s::interval
    when %(due_at)s::timestamptz is not null then %(due_at)s::timestamptz
    when main_state = 'error_handling' then due_at end
where workflow_id = %(workflow_id)s and outcome is null

-- name: begin
-- A parked workflow that is being run is due: if its runner dies, the next one takes it up when the lease is over.
update workflow_states set due_at = clock_timestamp()
where workflow_id = %(workflow_id)s and due_at is null and outcome is null

-- name: wake
insert into workflow_wakes (workflow_id)
select workflow_id from workflow_states where workflow_id = %(workflow_id)s and outcome is null

-- name: attempts
select attempts from leases where workflow_id = %(workflow_id)s
