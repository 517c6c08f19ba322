-- Large values, stored once under the hash of their content.

create table artifacts (
    digest text primary key,
    media_type text not null,
    size bigint not null,
    content bytea not null,
    created_at timestamp with time zone not null default clock_timestamp()
);

alter table artifacts alter column content set storage external;
