-- Stores a batch of snapshots and moves the projects' current scores, all or nothing.
--   $1 text[]       snapshot ids, each once        $2 text[]     project ids
--   $3 timestamp[]  when the rows were read        $4 integer[]  overall
--   $5..$8 integer[] content, entities, technical, visibility
--   $9 text[]       versions                       $10 jsonb[]   metadata
-- Answers each project once:
--   project   text
--   found     boolean  whether it exists (still)
--   previous  integer  its score before this, where it had one
--   moved     boolean  whether this moved its score
--
-- A result never takes the place of one whose rows were read later. Of those read within the same
-- millisecond the one stored first stays: the other counts as read a millisecond before, so that it
-- stands behind in the project's history, too. Too early a moment hides no row from the nightly
-- recompute.
--
-- The projects' rows are locked first and in one order: two drains that save at once cannot wait for
-- each other in a circle, and no project can be deleted between being found and being referred to.
WITH input AS (
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS i (
        id, project, computed_at, overall, content, entities, technical, visibility, version, metadata)
),
found AS MATERIALIZED (
    -- As they are once they are locked, whatever was stored while this waited.
    SELECT p.id, p."currentDeoScore" AS overall, p."currentDeoScoreComputedAt" AS computed_at
    FROM "Project" p
    WHERE p.id IN (SELECT project FROM input)
    ORDER BY p.id
    FOR NO KEY UPDATE
),
result AS (
    SELECT i.id, i.project, i.overall, i.content, i.entities, i.technical, i.visibility, i.version,
        i.metadata, i.computed_at
            - CASE WHEN i.computed_at = f.computed_at THEN 1 ELSE 0 END * interval '1 millisecond'
            AS computed_at,
        f.computed_at IS NULL OR i.computed_at > f.computed_at AS is_newest
    FROM input i
    JOIN found f ON f.id = i.project
),
stored AS (
    INSERT INTO "DeoScoreSnapshot" AS s (id, "projectId", "overallScore", "contentScore",
        "entityScore", "technicalScore", "visibilityScore", version, metadata,
        "computedAt", "createdAt", "updatedAt")
    SELECT r.id, r.project, r.overall, r.content, r.entities, r.technical, r.visibility, r.version,
        r.metadata, r.computed_at, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
    FROM result r
    ORDER BY r.id
    -- The same job again: its own row follows a newer read and ignores an older one.
    ON CONFLICT (id) DO UPDATE SET "projectId" = excluded."projectId",
        "overallScore" = excluded."overallScore", "contentScore" = excluded."contentScore",
        "entityScore" = excluded."entityScore", "technicalScore" = excluded."technicalScore",
        "visibilityScore" = excluded."visibilityScore", version = excluded.version,
        metadata = excluded.metadata, "computedAt" = excluded."computedAt",
        "updatedAt" = excluded."updatedAt"
    WHERE s."computedAt" < excluded."computedAt"
),
newest AS (
    -- The first of a project's history.
    SELECT DISTINCT ON (r.project) r.id, r.project, r.overall, r.computed_at
    FROM result r
    WHERE r.is_newest
    ORDER BY r.project, r.computed_at DESC, r.id COLLATE "C" DESC
),
moved AS (
    UPDATE "Project" p
    SET "currentDeoScore" = n.overall, "currentDeoScoreComputedAt" = n.computed_at
    FROM newest n
    WHERE p.id = n.project
    RETURNING p.id
)
SELECT i.project, f.id IS NOT NULL, f.overall, m.id IS NOT NULL
FROM (SELECT DISTINCT project FROM input) AS i
LEFT JOIN found f ON f.id = i.project
LEFT JOIN moved m ON m.id = i.project
