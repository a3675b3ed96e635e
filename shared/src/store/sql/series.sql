-- A project's scores over a span, the oldest first: all of them, or a few that look the same in a plot.
--   $1 text       the project's id
--   $2 timestamp  from here on        $3 timestamp  before this
--   $4 integer    points at most, 4 or more
-- Answers points:
--   at         timestamp  when its rows were read
--   score      integer    overall
--   snapshots  bigint     how many there are in the span; the same in every row
--
-- Where there are more than $4, the span is cut into equal parts, and each gives the lowest and the highest
-- of its scores, the earliest of each; the first and the newest of the span are always among them.
-- The index of V6 holds all that is read here: no row is, and no metadata. It is read once, but for its ends
-- and for a span that is short.
--
-- A score and its time are put into one number, so that a part's lowest score is one minimum and has its
-- time with it: that is half of what grouping by scores takes. Doubles hold both to the millisecond for
-- spans of up to 1,000 years.
WITH ends AS MATERIALIZED (
    SELECT f.at AS first, f.score AS first_score, l.at AS newest, l.score AS newest_score,
        date_part('epoch', f.at) * 1000 AS zero,
        round(date_part('epoch', l.at - f.at) * 1000) + 1 AS length
    FROM (
        SELECT s."computedAt" AS at, s."overallScore" AS score FROM "DeoScoreSnapshot" s
        WHERE s."projectId" = $1 AND s."computedAt" >= $2 AND s."computedAt" < $3
        ORDER BY s."computedAt" LIMIT 1
    ) AS f
    CROSS JOIN (
        SELECT s."computedAt" AS at, s."overallScore" AS score FROM "DeoScoreSnapshot" s
        WHERE s."projectId" = $1 AND s."computedAt" >= $2 AND s."computedAt" < $3
        ORDER BY s."computedAt" DESC LIMIT 1
    ) AS l
),
parts AS MATERIALIZED (
    SELECT min(k.score + k.ms) AS lowest, max(k.score - k.ms) AS highest, count(*) AS snapshots
    FROM (
        SELECT s."overallScore" * (SELECT length FROM ends) AS score,
            date_part('epoch', s."computedAt") * 1000 - (SELECT zero FROM ends) AS ms
        FROM "DeoScoreSnapshot" s
        WHERE s."projectId" = $1 AND s."computedAt" >= $2 AND s."computedAt" < $3
        -- Keeps the planner from computing these once for each of their uses.
        OFFSET 0
    ) AS k
    GROUP BY floor(k.ms * (SELECT ($4 / 2 - 1) / length FROM ends))
),
total AS MATERIALIZED (
    SELECT sum(snapshots)::bigint AS snapshots, sum(snapshots) > $4 AS is_long FROM parts
)
SELECT p.at, p.score, t.snapshots
FROM total t
CROSS JOIN (
    SELECT e.first + round(e.ms) * interval '1 millisecond' AS at, e.score::integer AS score
    FROM (
        SELECT n.first, floor(p.lowest / n.length) AS score,
            p.lowest - floor(p.lowest / n.length) * n.length AS ms
        FROM parts p CROSS JOIN ends n
        UNION ALL
        SELECT n.first, ceil(p.highest / n.length),
            ceil(p.highest / n.length) * n.length - p.highest
        FROM parts p CROSS JOIN ends n
    ) AS e
    WHERE (SELECT is_long FROM total)
    UNION SELECT first, first_score FROM ends WHERE (SELECT is_long FROM total)
    UNION SELECT newest, newest_score FROM ends WHERE (SELECT is_long FROM total)
    UNION ALL
    SELECT s."computedAt", s."overallScore" FROM "DeoScoreSnapshot" s
    WHERE s."projectId" = $1 AND s."computedAt" >= $2 AND s."computedAt" < $3
        AND NOT (SELECT is_long FROM total)
) AS p
ORDER BY p.at, p.score
