-- Workflows that a restoration had taken from the record and that were found again by what they had left outside. They
-- keep their id, which their branch and their comments bear, and they look before they act for the first time.

create table reopened_workflows (
    workflow_id uuid primary key references workflow_states (workflow_id),
    found_in text not null,
    reopened_at timestamp with time zone not null default clock_timestamp()
);

create or replace function may_have_forgotten(workflow uuid) returns boolean
language sql stable as $$
    select exists (
        select 1 from restorations as r
        join workflow_states as w on w.workflow_id = workflow and w.created_at < r.restored_at
    ) or exists (select 1 from reopened_workflows as o where o.workflow_id = workflow)
$$;
