-- Whether the database answers, and has the table of drops.
SELECT 'deo.score_drop'::regclass
