-- Returns events of drops that were claimed and not sent: they are due at once, as if nobody had claimed them. One on
-- its last try keeps that.
--   $1 text[]  their snapshots
UPDATE deo.score_drop d
SET attempts = greatest(d.attempts - 1, 0),
    due_at = least(now() AT TIME ZONE 'UTC', d.created_at + interval '1 day')
WHERE d.platform = platform_schema() AND d.snapshot_id = ANY ($1) AND d.ended_at IS NULL
