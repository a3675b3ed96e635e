-- The same, where the database has a table of members.
--   $1 text    the user's id          $2 text[]  the projects' ids
SELECT EXISTS (SELECT 1 FROM "User" u WHERE u.id = $1) AS user_exists,
    p.id IS NOT NULL AS found,
    coalesce(p."userId" = $1, false) AS owner,
    EXISTS (
        SELECT 1 FROM "ProjectMember" m WHERE m."projectId" = p.id AND m."userId" = $1
    ) AS member,
    true AS has_members
FROM unnest($2) WITH ORDINALITY AS w (id, ordinal)
LEFT JOIN "Project" p ON p.id = w.id
ORDER BY w.ordinal
