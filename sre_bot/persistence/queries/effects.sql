-- name: intend
-- After a restoration the world may know more than the record: then we look before we act for the first time, too.
insert into effects (key, workflow_id, name, round, status, request, fence)
select %(key)s, %(workflow_id)s, %(name)s, %(round)s,
    case when may_have_forgotten(%(workflow_id)s::uuid) then 'started' else 'intended' end, %(request)s, %(fence)s
on conflict (key) do nothing

-- name: get
select key, name, round, status, request, result from effects where key = %(key)s

-- name: start
update effects set status = 'started', started_at = clock_timestamp(), fence = %(fence)s, tries = tries + 1
where key = %(key)s

-- name: not_performed
update effects set status = 'intended' where key = %(key)s and status = 'started' and fence = %(fence)s

-- name: settle
update effects set status = 'done', result = %(result)s, settled_at = clock_timestamp()
where key = %(key)s and status <> 'done'

-- name: give_up
update effects set status = 'unknown', settled_at = clock_timestamp() where key = %(key)s and status = 'started'

-- name: give_up_all
update effects set status = 'unknown', settled_at = clock_timestamp()
where workflow_id = %(workflow_id)s and status = 'started'

-- name: of_workflow
select key, name, round, status, request, result, fence, tries, intended_at, started_at, settled_at
from effects where workflow_id = %(workflow_id)s
order by intended_at, name, round
