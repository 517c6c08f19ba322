-- That this database was restored from a backup: what was done outside since that backup, the record does not know.

create table restorations (
    id bigint generated always as identity primary key,
    backup text not null,
    taken_at timestamp with time zone not null,
    restored_at timestamp with time zone not null default clock_timestamp()
);

-- Whether an effect of this workflow may have been performed in the time that a restoration took back.
create function may_have_forgotten(workflow uuid) returns boolean
language sql stable as $$
    select exists (
        select 1 from restorations as r
        join workflow_states as w on w.workflow_id = workflow and w.created_at < r.restored_at
    )
$$;
