-- Whether a user exists.
--   $1 text  the user's id
SELECT EXISTS (SELECT 1 FROM "User" u WHERE u.id = $1)
