-- A project's snapshots, newest first, from a place on.
--   $1 text  the project's id
--   $2 timestamp, $3 text  the last snapshot already seen (both null: from the newest on)
--   $4 bigint  how many
--   $5 text  only the one with this id (null: any)
--   $6 boolean  whether to read the metadata, which is most of a row
SELECT s.id, s."computedAt", s.version, s."overallScore", s."contentScore", s."entityScore",
    s."technicalScore", s."visibilityScore", CASE WHEN $6 THEN s.metadata::text END
FROM "DeoScoreSnapshot" s
WHERE s."projectId" = $1
    AND ($2 IS NULL OR (s."computedAt" <= $2
        AND (s."computedAt" < $2 OR s.id COLLATE "C" < $3)))
    AND ($5 IS NULL OR s.id = $5)
ORDER BY s."computedAt" DESC, s.id COLLATE "C" DESC
LIMIT $4
