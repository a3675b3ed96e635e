-- A recompute reads all pages of its projects; without this, the whole table. Runs outside a transaction.
CREATE INDEX CONCURRENTLY "deo_CrawlResult_projectId_idx" ON "CrawlResult" ("projectId");
