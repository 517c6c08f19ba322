-- The comparisons of Redis with the record: who made the last one, and what had to be put right since the beginning.
create table redis_rounds (
    prefix text primary key,
    owner text not null,
    claimed_at timestamp with time zone not null,
    ended_at timestamp with time zone,
    trouble text not null default '',
    trouble_since timestamp with time zone,
    rounds bigint not null default 0,
    repaired jsonb not null default '{}'
);
