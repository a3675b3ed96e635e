-- A further part of save.sql, for who announces drops: an event for each project whose score falls by so many
-- points or more.
--   $11 integer  points
--
-- A drop is measured from the score that the project had, which is that of the newest read before. A result
-- that does not become the current score emits nothing; nor does the same batch again, whose reads are as new
-- as what is there by then. A job has one event at most, whatever it finds when it runs once more.
,
dropped AS (
    INSERT INTO deo.score_drop (
        platform, snapshot_id, project_id, from_score, to_score, read_at, created_at, due_at)
    SELECT platform_schema(), n.id, n.project, f.overall, n.overall, n.computed_at,
        now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
    FROM newest n
    JOIN found f ON f.id = n.project
    WHERE f.overall - n.overall >= $11
    ORDER BY n.id
    ON CONFLICT DO NOTHING
)
