-- Which of these projects exist.
--   $1 text[]  ids
SELECT p.id FROM "Project" p WHERE p.id = ANY ($1)
