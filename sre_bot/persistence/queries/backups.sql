-- name: facts
select pg_export_snapshot() as snapshot, current_setting('server_version') as server_version,
    clock_timestamp() as taken_at

-- name: newest_migration
select max(name) as name from schema_migrations where name not like 'langgraph%%'

-- name: relations
select count(*) as relations
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname not like 'pg\_%%' and n.nspname <> 'information_schema'

-- name: restored
insert into restorations (backup, taken_at) values (%(backup)s, %(taken_at)s)

-- name: fence_off
-- No claim that was ever made on the old database, also after the backup, has one of these fences.
insert into leases as l (workflow_id, owner, fence, claimed_at, expires_at)
select workflow_id, null, %(epoch)s, clock_timestamp(), clock_timestamp() from workflow_states
on conflict (workflow_id) do update set owner = null, fence = l.fence + excluded.fence, expires_at = excluded.expires_at

-- name: doubt_intents
update effects set status = 'started' where status = 'intended'

-- name: was_restored
select exists (select 1 from restorations) as found

-- name: reopened
insert into reopened_workflows (workflow_id, found_in) values (%(workflow_id)s, %(found_in)s)

-- name: fence_off_one
insert into leases (workflow_id, owner, fence, claimed_at, expires_at)
values (%(workflow_id)s, null, %(epoch)s, clock_timestamp(), clock_timestamp())
