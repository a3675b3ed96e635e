INSERT INTO "DeoScoreSnapshot"
    ("id", "projectId", "overallScore", "contentScore", "entityScore", "technicalScore", "visibilityScore",
     "version", "metadata", "computedAt", "updatedAt")
VALUES
    ('s1', 'p2', 40, 41, 42, 43, 44, 'v1', NULL, '2026-01-30 12:00:00', now()),
    ('s2', 'p2', 50, 51, NULL, 53, 54, 'v1', '{"signals": {"contentCoverage": 0.5}}', '2026-01-31 12:00:00', now());
CREATE TYPE "ProjectRole" AS ENUM ('OWNER', 'EDITOR', 'VIEWER');
CREATE TABLE "ProjectMember" ("projectId" text, "userId" text, role "ProjectRole");
INSERT INTO "ProjectMember" VALUES ('p1', 'viewer', 'VIEWER'), ('p1', 'editor', 'EDITOR');
