-- The projects whose score moved most over a span, up or down. Those that had none at its beginning did not
-- move.
--   $1 timestamp  when the span begins        $2 timestamp  before when it ends
--   $3 integer, $4 text  by how much the last one already seen moved, and its id (both null: from the first on)
--   $5 bigint     how many
-- Answers the project's id, its score at the beginning, and at the end.
SELECT m.id, m.before, m.after
FROM (
    SELECT p.id, b.score AS before, a.score AS after, abs(a.score - b.score) AS size
    FROM "Project" p
    CROSS JOIN LATERAL (
        SELECT s."overallScore" AS score FROM "DeoScoreSnapshot" s
        WHERE s."projectId" = p.id AND s."computedAt" <= $1
        ORDER BY s."computedAt" DESC LIMIT 1
    ) AS b
    CROSS JOIN LATERAL (
        SELECT s."overallScore" AS score FROM "DeoScoreSnapshot" s
        WHERE s."projectId" = p.id AND s."computedAt" < $2
        ORDER BY s."computedAt" DESC LIMIT 1
    ) AS a
) AS m
WHERE m.size > 0 AND ($3 IS NULL OR m.size < $3 OR (m.size = $3 AND m.id > $4))
ORDER BY m.size DESC, m.id
LIMIT $5
