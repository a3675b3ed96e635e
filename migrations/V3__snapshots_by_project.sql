-- A project's newest snapshots. Runs outside a transaction: it blocks nobody, however large the table is.
CREATE INDEX CONCURRENTLY "DeoScoreSnapshot_projectId_computedAt_idx"
    ON "DeoScoreSnapshot" ("projectId", "computedAt" DESC);
