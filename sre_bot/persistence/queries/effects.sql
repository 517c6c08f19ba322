-- name: intend
-- After a restoration the world may know more than the record: then we look before we act for the first time, too.
-- After a rewind, what was said in the same words before it (a marker shows where) has been said.
insert into effects (key, workflow_id, name, round, status, request, result, fence, settled_at)
select %(key)s, %(workflow_id)s, %(name)s, %(round)s,
    coalesce(said.status, case when may_have_forgotten(%(workflow_id)s::uuid) then 'started' else 'intended' end),
    coalesce(said.request, %(request)s::jsonb), said.result, %(fence)s, said.settled_at
from (select 1) as here
left join lateral (
    select case e.status when 'unknown' then 'started' else e.status end as status, e.request, e.result,
        case e.status when 'done' then e.settled_at end as settled_at
    from effects as e
    where e.workflow_id = %(workflow_id)s and e.name = %(name)s
        and e.round < least(%(round)s, rewound_to_round(%(workflow_id)s::uuid))
        and e.request ? 'marker' and e.request - 'marker' = %(request)s::jsonb - 'marker'
    order by e.round desc
    limit 1
) as said on true
on conflict (key) do nothing

-- name: get
select key, name, round, status, request, result from effects where key = %(key)s

-- name: start
update effects set status = 'started', started_at = clock_timestamp(), fence = %(fence)s, tries = tries + 1
where key = %(key)s
returning (select l.expires_at - clock_timestamp() from leases as l where l.workflow_id = effects.workflow_id) as lasts

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
