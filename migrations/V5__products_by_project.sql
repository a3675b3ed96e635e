-- The same for products. Runs outside a transaction.
CREATE INDEX CONCURRENTLY "deo_Product_projectId_idx" ON "Product" ("projectId");
