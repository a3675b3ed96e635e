-- Deletes what retention no longer keeps of some projects' snapshots; a project's newest always stays.
--   $1 text[]     the projects' ids
--   $2 bigint     the newest so many of each project stay, at least 1
--   $3 timestamp  null: all others go; else those from here on stay too, and so does the newest of
--                 every calendar week before
--   $4 bigint     at most so many go at once
DELETE FROM "DeoScoreSnapshot" s
WHERE s.id IN (
    SELECT r.id
    FROM (
        SELECT o.id, o."computedAt",
            row_number() OVER (PARTITION BY o."projectId"
                ORDER BY o."computedAt" DESC, o.id COLLATE "C" DESC) AS place,
            row_number() OVER (PARTITION BY o."projectId", date_trunc('week', o."computedAt")
                ORDER BY o."computedAt" DESC, o.id COLLATE "C" DESC) AS place_in_week
        FROM "DeoScoreSnapshot" o
        WHERE o."projectId" = ANY ($1)
    ) AS r
    WHERE r.place > $2 AND ($3 IS NULL OR (r."computedAt" < $3 AND r.place_in_week > 1))
    LIMIT $4
)
RETURNING 1
