-- The next projects by id, each with whether it is wanted: all are.
--   $1 text    the last project already seen ('': from the first on)
--   $2 bigint  how many
--   $3 text    the last project to look at (null: to the last one)
SELECT p.id, true FROM "Project" p
WHERE p.id > $1 AND ($3 IS NULL OR p.id <= $3)
ORDER BY p.id LIMIT $2
