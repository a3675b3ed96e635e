-- A project's current score and when it was computed; no row for an unknown project.
--   $1 text  the project's id
SELECT p."currentDeoScore", p."currentDeoScoreComputedAt" FROM "Project" p WHERE p.id = $1
