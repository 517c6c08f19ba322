-- name: beat
insert into worker_heartbeats (owner, good_for, troubles)
values (%(owner)s, %(good_for)s, %(troubles)s)
on conflict (owner) do update set beat_at = clock_timestamp(), good_for = excluded.good_for, troubles = excluded.troubles

-- name: leave
delete from worker_heartbeats where owner = %(owner)s

-- name: forget
delete from worker_heartbeats where beat_at < clock_timestamp() - %(after)s::interval

-- name: workers
select owner, started_at, beat_at, beat_at + good_for > clock_timestamp() as alive, clock_timestamp() as now, troubles
from worker_heartbeats
order by owner

-- name: abandoned
-- Workflows whose runner's heartbeat has stopped and that nobody took up for a while although somebody may.
select w.workflow_id, w.ticket_id, l.owner, l.expires_at
from leases as l
join workflow_states as w on w.workflow_id = l.workflow_id and w.outcome is null and w.driver = 'graph'
where l.owner is not null
    and l.expires_at < clock_timestamp() - %(grace)s::interval
    and w.runner = 'worker'
    and not is_paused(w)
    and not exists (select 1 from quarantined as q where q.workflow_id = w.workflow_id and q.told_at is not null)
order by l.expires_at

-- name: waiting_for_services
-- Why live workflows have to be tried again, in the words of their last errors.
select w.workflow_id, w.ticket_id, e.message
from workflow_states as w
cross join lateral (
    select message, error_type from workflow_errors where workflow_id = w.workflow_id order by id desc limit 1
) as e
where w.outcome is null and w.detailed_state = 'retry' and e.error_type in ('transient', 'rate_limited')
order by w.ticket_id
