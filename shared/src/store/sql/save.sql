-- Stores a batch of snapshots and moves the projects' current scores, all or nothing.
--   $1 text[]       snapshot ids, each once        $2 text[]     project ids
--   $3 timestamp[]  computed at                    $4 integer[]  overall
--   $5..$8 integer[] content, entities, technical, visibility
--   $9 text[]       versions                       $10 jsonb[]   metadata
-- Answers the projects that do not exist (any more).
--
-- The projects' rows are locked first and in one order: two drains that save at once cannot wait for
-- each other in a circle, and no project can be deleted between being found and being referred to.
WITH input AS (
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS i (
        id, project, computed_at, overall, content, entities, technical, visibility, version, metadata)
),
found AS MATERIALIZED (
    SELECT p.id FROM "Project" p
    WHERE p.id IN (SELECT project FROM input)
    ORDER BY p.id
    FOR NO KEY UPDATE
),
stored AS (
    INSERT INTO "DeoScoreSnapshot" AS s (id, "projectId", "overallScore", "contentScore",
        "entityScore", "technicalScore", "visibilityScore", version, metadata,
        "computedAt", "createdAt", "updatedAt")
    SELECT i.id, i.project, i.overall, i.content, i.entities, i.technical, i.visibility, i.version,
        i.metadata, i.computed_at, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
    FROM input i
    JOIN found f ON f.id = i.project
    ORDER BY i.id
    -- The same job again: its own row follows a newer result and ignores an older one.
    ON CONFLICT (id) DO UPDATE SET "projectId" = excluded."projectId",
        "overallScore" = excluded."overallScore", "contentScore" = excluded."contentScore",
        "entityScore" = excluded."entityScore", "technicalScore" = excluded."technicalScore",
        "visibilityScore" = excluded."visibilityScore", version = excluded.version,
        metadata = excluded.metadata, "computedAt" = excluded."computedAt",
        "updatedAt" = excluded."updatedAt"
    WHERE s."computedAt" < excluded."computedAt"
),
moved AS (
    UPDATE "Project" p
    SET "currentDeoScore" = n.overall, "currentDeoScoreComputedAt" = n.computed_at
    FROM (
        SELECT DISTINCT ON (i.project) i.project, i.overall, i.computed_at
        FROM input i
        JOIN found f ON f.id = i.project
        ORDER BY i.project, i.computed_at DESC, i.id
    ) AS n
    WHERE p.id = n.project
        AND (p."currentDeoScoreComputedAt" IS NULL OR p."currentDeoScoreComputedAt" < n.computed_at)
)
SELECT DISTINCT i.project FROM input i
WHERE NOT EXISTS (SELECT 1 FROM found f WHERE f.id = i.project)
