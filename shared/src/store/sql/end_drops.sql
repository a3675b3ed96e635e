-- Notes of events of drops that they are over.
--   $1 text[]     their snapshots
--   $2 boolean[]  whether each was delivered: it was given up otherwise
UPDATE deo.score_drop d
SET ended_at = now() AT TIME ZONE 'UTC',
    outcome = CASE WHEN e.is_delivered THEN 'delivered' ELSE 'given up' END
FROM unnest($1, $2) AS e (snapshot, is_delivered)
WHERE d.platform = platform_schema() AND d.snapshot_id = e.snapshot AND d.ended_at IS NULL
