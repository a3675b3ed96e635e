-- A project's scores over time without the rows, whose metadata is most of them. Runs outside a transaction.
CREATE INDEX CONCURRENTLY "deo_DeoScoreSnapshot_projectId_computedAt_overallScore_idx"
    ON "DeoScoreSnapshot" ("projectId", "computedAt" DESC, "overallScore");
