alter table repairs add column contractor_note text;
