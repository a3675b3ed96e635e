-- Whether a user has access to each of some projects, where the database has no table of members as far
-- as we know. Tells whether it has one, and whether our role may read it, so that whoever is not the owner
-- can be asked for again.
--   $1 text    the user's id          $2 text[]  the projects' ids
SELECT EXISTS (SELECT 1 FROM "User" u WHERE u.id = $1) AS user_exists,
    p.id IS NOT NULL AS found,
    coalesce(p."userId" = $1, false) AS owner,
    false AS member,
    to_regclass('"ProjectMember"') IS NOT NULL AS has_members,
    coalesce(has_any_column_privilege(to_regclass('"ProjectMember"'), 'SELECT'), false) AS reads_members
FROM unnest($2) WITH ORDINALITY AS w (id, ordinal)
LEFT JOIN "Project" p ON p.id = w.id
ORDER BY w.ordinal
