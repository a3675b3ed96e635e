-- Those of some projects that exist and were not scored since their job failed.
--   $1 text[]  the projects' ids, each once        $2 timestamp[]  when their jobs failed
SELECT p.id
FROM unnest($1, $2) AS f (id, at)
JOIN "Project" p ON p.id = f.id
WHERE p."currentDeoScoreComputedAt" IS NULL OR p."currentDeoScoreComputedAt" < f.at
