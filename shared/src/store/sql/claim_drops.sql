-- Claims events of drops that are due, gives up those that nobody took within a day, and deletes what has been over
-- for a week.
--   $1 bigint  how many to claim
-- Answers each event that was claimed or given up:
--   snapshot  text     names it
--   project   text
--   from, to  integer
--   read_at   text     when the rows of the lower score were read, as ISO 8601
--   given_up  boolean  instead of claimed
--
-- A claim puts off when the event is due next, so that nobody else sends it meanwhile. Whoever does not end it
-- by then, because it was not taken or the process died, has nothing to undo.
WITH expired AS (
    UPDATE deo.score_drop d SET ended_at = now() AT TIME ZONE 'UTC', outcome = 'given up'
    WHERE (d.platform, d.snapshot_id) IN (
        SELECT o.platform, o.snapshot_id FROM deo.score_drop o
        WHERE o.platform = current_schema()::text AND o.ended_at IS NULL
            AND o.created_at < now() AT TIME ZONE 'UTC' - interval '1 day'
        LIMIT 1000
        FOR UPDATE SKIP LOCKED)
    RETURNING d.snapshot_id, d.project_id, d.from_score, d.to_score, d.read_at
),
forgotten AS (
    DELETE FROM deo.score_drop d
    WHERE (d.platform, d.snapshot_id) IN (
        SELECT o.platform, o.snapshot_id FROM deo.score_drop o
        WHERE o.platform = current_schema()::text
            AND o.ended_at < now() AT TIME ZONE 'UTC' - interval '7 days'
        LIMIT 1000
        FOR UPDATE SKIP LOCKED)
),
due AS (
    SELECT o.platform, o.snapshot_id FROM deo.score_drop o
    WHERE o.platform = current_schema()::text AND o.ended_at IS NULL
        AND o.due_at <= now() AT TIME ZONE 'UTC'
        AND o.created_at >= now() AT TIME ZONE 'UTC' - interval '1 day'
    ORDER BY o.due_at, o.snapshot_id
    LIMIT $1
    FOR UPDATE SKIP LOCKED
),
claimed AS (
    -- After 30 seconds, a minute, two, and so on up to an hour.
    UPDATE deo.score_drop d
    SET attempts = d.attempts + 1,
        due_at = now() AT TIME ZONE 'UTC'
            + least(interval '30 seconds' * power(2, least(d.attempts, 7)), interval '1 hour')
    FROM due
    WHERE (d.platform, d.snapshot_id) = (due.platform, due.snapshot_id)
    RETURNING d.snapshot_id, d.project_id, d.from_score, d.to_score, d.read_at
)
SELECT e.snapshot_id, e.project_id, e.from_score, e.to_score,
    to_char(e.read_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), e.given_up
FROM (SELECT *, false AS given_up FROM claimed UNION ALL SELECT *, true FROM expired) AS e
ORDER BY e.read_at, e.snapshot_id
