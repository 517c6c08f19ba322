"""What Redis may hold, where there is one: a copy of where workflows stand, their progress as it happens, lock hints.

Postgres decides everything. What is here may be lost, late or wrong at any time: whoever reads it either asks Postgres
for the truth afterwards, or says that it may be stale. Nothing in here is imported by the record's own modules but the
lock hints.
"""
