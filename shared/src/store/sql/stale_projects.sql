-- The next projects by id, each with whether its score is stale: there is none, it is older than $4,
-- or there are rows newer than it.
--   $1 text       the last project already seen ('': from the first on)
--   $2 bigint     how many to look at
--   $3 text       the last project to look at (null: to the last one)
--   $4 timestamp  scores older than this are stale (null: none is)
SELECT p.id,
    p."currentDeoScoreComputedAt" IS NULL
        OR coalesce(p."currentDeoScoreComputedAt" < $4, false)
        OR EXISTS (SELECT 1 FROM "CrawlResult" c
            WHERE c."projectId" = p.id AND c."scannedAt" > p."currentDeoScoreComputedAt")
        OR EXISTS (SELECT 1 FROM "Product" d
            WHERE d."projectId" = p.id AND d."lastSyncedAt" > p."currentDeoScoreComputedAt")
FROM (SELECT * FROM "Project" WHERE id > $1 AND ($3 IS NULL OR id <= $3)
    ORDER BY id LIMIT $2) AS p
ORDER BY p.id
