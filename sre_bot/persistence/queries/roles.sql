-- name: facts
-- Who owns the log, or may become its owner, is kept from nothing by grants.
select r.rolsuper or pg_has_role(r.oid, t.relowner, 'member') as owns
from pg_roles as r, pg_class as t
where r.rolname = %(role)s and t.oid = 'state_transitions'::regclass

-- name: grants
grant usage on schema {schema} to {role};
grant select, insert, update, delete on all tables in schema {schema} to {role};
grant usage on all sequences in schema {schema} to {role};
revoke update, delete, truncate on state_transitions, operator_requests, restorations, reopened_workflows from {role};
revoke insert, update, delete, truncate on schema_migrations, checkpoint_migrations from {role}
