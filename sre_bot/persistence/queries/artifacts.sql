-- name: put
-- The content is stored once; that this workflow stored it too is a row of its own.
with stored as (
    insert into artifacts (digest, media_type, size, content)
    values (%(digest)s, %(media_type)s, %(size)s, %(content)s)
    on conflict (digest) do nothing
)
insert into artifact_owners (workflow_id, digest) values (%(workflow_id)s, %(digest)s)
on conflict do nothing

-- name: get
select a.content
from artifacts as a
join artifact_owners as o on o.digest = a.digest
where a.digest = %(digest)s and o.workflow_id = %(workflow_id)s
