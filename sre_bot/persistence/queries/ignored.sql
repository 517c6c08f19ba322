-- name: note
insert into ignored_events (workflow_id, kind, why) values (%(workflow_id)s, %(kind)s, %(why)s)
on conflict (workflow_id, kind, why) do update
set times = ignored_events.times + 1, last_at = clock_timestamp()

-- name: wake
insert into ignored_events (workflow_id, kind, why)
select workflow_id, 'wake', 'it had ended: ' || outcome from workflow_states
where workflow_id = %(workflow_id)s and outcome is not null
on conflict (workflow_id, kind, why) do update
set times = ignored_events.times + 1, last_at = clock_timestamp()

-- name: of_workflow
select kind, why, times, first_at, last_at from ignored_events where workflow_id = %(workflow_id)s order by id
