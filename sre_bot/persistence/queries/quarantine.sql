-- name: of_workflow
select id as number, workflow_id, why, attempts, quarantined_at, told_at from quarantined where workflow_id = %(workflow_id)s

-- name: in_force
select id as number, workflow_id, why, attempts, quarantined_at, told_at from quarantined order by quarantined_at, workflow_id

-- name: put
insert into quarantines (workflow_id, why, attempts) values (%(workflow_id)s, %(why)s, %(attempts)s)

-- name: told
update quarantines set told_at = clock_timestamp() where id = %(number)s and told_at is null
