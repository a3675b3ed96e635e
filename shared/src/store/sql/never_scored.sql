-- The next projects by id that never had a score.
--   $1 text  the last one already seen ('': from the first on)        $2 bigint  how many
SELECT p.id FROM "Project" p
WHERE p.id > $1 AND p."currentDeoScore" IS NULL
ORDER BY p.id LIMIT $2
