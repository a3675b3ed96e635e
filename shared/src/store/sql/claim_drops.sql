-- Claims events of drops that are due, gives up those that nobody took within a day, and deletes what has been over
-- for a week.
--   $1 bigint  how many to claim
-- Answers each event that was claimed, or one row of nulls if none was, and beside each:
--   snapshot  text     names it
--   project   text
--   from, to  integer
--   read_at   text     when the rows of the lower score were read, as ISO 8601
--   given_up  bigint   how many were given up: after a long outage too many to list
--
-- An event is claimed for the last time when it is due after its day: somebody may look only once a night. It is
-- given up when it is due after that, or after a week.
--
-- A claim puts off when the event is due next, so that nobody else sends it meanwhile. Whoever does not end it
-- by then, because it was not taken or the process died, has nothing to undo.
WITH expired AS (
    UPDATE deo.score_drop d SET ended_at = now() AT TIME ZONE 'UTC', outcome = 'given up'
    WHERE (d.platform, d.snapshot_id) IN (
        SELECT o.platform, o.snapshot_id FROM deo.score_drop o
        WHERE o.platform = platform_schema() AND o.ended_at IS NULL
            AND o.due_at <= now() AT TIME ZONE 'UTC'
            AND (o.due_at > o.created_at + interval '1 day'
                OR o.created_at < now() AT TIME ZONE 'UTC' - interval '7 days')
        LIMIT 1000
        FOR UPDATE SKIP LOCKED)
    RETURNING 1
),
forgotten AS (
    DELETE FROM deo.score_drop d
    WHERE (d.platform, d.snapshot_id) IN (
        SELECT o.platform, o.snapshot_id FROM deo.score_drop o
        WHERE o.platform = platform_schema()
            AND o.ended_at < now() AT TIME ZONE 'UTC' - interval '7 days'
        LIMIT 1000
        FOR UPDATE SKIP LOCKED)
),
due AS (
    SELECT o.platform, o.snapshot_id FROM deo.score_drop o
    WHERE o.platform = platform_schema() AND o.ended_at IS NULL
        AND o.due_at <= now() AT TIME ZONE 'UTC'
        AND o.due_at <= o.created_at + interval '1 day'
        AND o.created_at >= now() AT TIME ZONE 'UTC' - interval '7 days'
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
SELECT c.snapshot_id, c.project_id, c.from_score, c.to_score,
    to_char(c.read_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), e.given_up
FROM (SELECT count(*) AS given_up FROM expired) AS e
LEFT JOIN claimed c ON true
ORDER BY c.read_at, c.snapshot_id
