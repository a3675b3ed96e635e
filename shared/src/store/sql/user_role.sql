-- A user's role; no row for an unknown user.
--   $1 text  the user's id
SELECT coalesce(u.role::text, '') FROM "User" u WHERE u.id = $1
