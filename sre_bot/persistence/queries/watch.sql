-- All of these go through the live workflows by their ticket, a page at a time: the index over the tickets of live
-- workflows finds the place to go on from, and what has ended is never passed.

-- name: in_review
select w.*, due_of(w) as due
from workflow_states as w
where w.outcome is null
    and w.ticket_id > %(after)s
    and w.detailed_state = 'awaiting_review'
    and w.driver = 'graph'
    and w.runner = any(%(runners)s)
    and (w.due_at is null or w.runner = 'server')
order by w.ticket_id
limit %(limit)s

-- name: overdue
-- Of those in our hands whose deadline has passed: who is in line, set aside or on the way out has an excuse.
select w.*, due_of(w) as due
from workflow_states as w
where w.outcome is null
    and w.ticket_id > %(after)s
    and w.timeout_at < clock_timestamp()
    and w.driver = 'graph'
    and w.runner = 'worker'
    and w.detailed_state is distinct from 'escalation'
    and not exists (select 1 from resource_waits as r where r.workflow_id = w.workflow_id)
    and not exists (select 1 from quarantined as q where q.workflow_id = w.workflow_id)
order by w.ticket_id
limit %(limit)s

-- name: at_a_server
-- Begun on LangGraph Server, and overdue, or without a step for a while and nobody's turn to review.
select w.*, due_of(w) as due
from workflow_states as w
where w.outcome is null
    and w.ticket_id > %(after)s
    and w.driver = 'graph'
    and w.runner = 'server'
    and w.detailed_state <> 'escalation'
    and (
        w.timeout_at < clock_timestamp()
        or (w.updated_at <= clock_timestamp() - %(grace)s::interval and w.detailed_state <> 'awaiting_review')
    )
    and not exists (select 1 from resource_waits as r where r.workflow_id = w.workflow_id)
order by w.ticket_id
limit %(limit)s

-- name: to_remind
-- Parked in a state of which so much time is left, and not yet told so about the change that it has now.
select w.*, due_of(w) as due
from workflow_states as w
where w.outcome is null
    and w.ticket_id > %(after)s
    and w.timeout_at > clock_timestamp() + %(more_than)s::interval
    and w.timeout_at <= clock_timestamp() + %(at_most)s::interval
    and w.detailed_state = %(state)s
    and w.driver = 'graph'
    and w.runner = 'worker'
    and w.due_at is null
    and not exists (
        select 1 from effects as e
        where e.workflow_id = w.workflow_id
            and e.name = %(told)s || left(coalesce(w.context ->> 'pr_head', ''), 12)
            and e.status = 'done'
    )
order by w.ticket_id
limit %(limit)s

-- name: same_files
-- Pairs of live workflows whose fixes write the same file of one repository and that are not linked for it yet; only in
-- repositories for which a fix was committed since then.
with committed as (
    select w.workflow_id, w.context ->> 'repository' as repository, e.key, e.settled_at
    from workflow_states as w
    join effects as e on e.workflow_id = w.workflow_id and e.name = 'commit:fix' and e.status = 'done'
    where w.outcome is null and w.driver = 'graph'
),
fresh as (
    select repository from committed where %(since)s::timestamptz is null or settled_at >= %(since)s
),
written as (
    select distinct c.workflow_id, c.repository, edit ->> 'path' as path
    from committed as c
    join effects as e on e.key = c.key
    cross join lateral jsonb_array_elements(e.request -> 'edits') as edit
    where c.repository in (select repository from fresh)
)
select distinct one.workflow_id as one, other.workflow_id as other
from written as one
join written as other on other.repository = one.repository and other.path = one.path
    and other.workflow_id > one.workflow_id
where not exists (
    select 1 from workflow_links as l
    where l.workflow_id = one.workflow_id and l.other = other.workflow_id and l.relation = 'overlaps'
)
order by one.workflow_id, other.workflow_id
