-- How many projects have which score.
-- Answers:
--   tens      integer  0 for 0 to 9, and so on; 9 for 90 to 100; null for those never scored
--   projects  bigint
SELECT CASE WHEN p."currentDeoScore" IS NOT NULL
    THEN least(greatest(p."currentDeoScore" / 10, 0), 9) END, count(*)
FROM "Project" p
GROUP BY 1
