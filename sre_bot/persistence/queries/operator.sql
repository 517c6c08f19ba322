-- name: ask
insert into operator_requests (kind, workflow_id, repository, why, asked_by)
values (%(kind)s, %(workflow_id)s, %(repository)s, %(why)s, %(asked_by)s)

-- name: pauses
select repository, why, asked_by, asked_at from pauses order by repository nulls first

-- name: pause_of
select p.repository, p.why, p.asked_by, p.asked_at
from pauses as p
join workflow_states as w on w.workflow_id = %(workflow_id)s
where p.repository is null or lower(p.repository) = lower(w.context ->> 'repository')
order by p.repository nulls first
limit 1

-- name: cancellation
select why, asked_by, asked_at from operator_requests
where workflow_id = %(workflow_id)s and kind = 'cancel'
order by id
limit 1

-- name: due_now
update workflow_states set due_at = clock_timestamp() where workflow_id = %(workflow_id)s and outcome is null

-- name: repositories
select distinct context ->> 'repository' as repository from workflow_states
where outcome is null and context ->> 'repository' <> ''

-- name: asked_since
select kind as request, workflow_id, repository, why, asked_by, asked_at from operator_requests
where %(since)s::timestamptz is null or asked_at >= %(since)s
order by id
