-- What the platform's ORM makes: our tables among others, with more columns than we read, and no index on
-- "CrawlResult"."projectId" and "Product"."projectId".
CREATE TYPE "UserRole" AS ENUM ('USER', 'ADMIN');
CREATE TYPE "PlanType" AS ENUM ('FREE', 'PRO');
CREATE TABLE "User" (
    "id" TEXT NOT NULL, "email" TEXT NOT NULL, "password" TEXT NOT NULL, "name" TEXT,
    "role" "UserRole" NOT NULL DEFAULT 'USER', "plan" "PlanType" NOT NULL DEFAULT 'FREE',
    "twoFactorSecret" TEXT, "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL, CONSTRAINT "User_pkey" PRIMARY KEY ("id"));
CREATE UNIQUE INDEX "User_email_key" ON "User" ("email");
CREATE TABLE "Project" (
    "id" TEXT NOT NULL, "userId" TEXT NOT NULL, "name" TEXT NOT NULL, "domain" TEXT,
    "connectedSource" TEXT NOT NULL DEFAULT 'shopify', "settings" JSONB NOT NULL DEFAULT '{}',
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "updatedAt" TIMESTAMP(3) NOT NULL,
    "currentDeoScore" INTEGER, "currentDeoScoreComputedAt" TIMESTAMP(3),
    CONSTRAINT "Project_pkey" PRIMARY KEY ("id"));
ALTER TABLE "Project" ADD CONSTRAINT "Project_userId_fkey" FOREIGN KEY ("userId")
    REFERENCES "User" ("id") ON DELETE CASCADE ON UPDATE CASCADE;
CREATE TABLE "CrawlResult" (
    "id" TEXT NOT NULL, "projectId" TEXT NOT NULL, "url" TEXT NOT NULL, "statusCode" INTEGER NOT NULL,
    "title" TEXT, "metaDescription" TEXT, "h1" TEXT, "canonical" TEXT, "wordCount" INTEGER,
    "loadTimeMs" INTEGER, "issues" JSONB NOT NULL, "headers" JSONB,
    "scannedAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "CrawlResult_pkey" PRIMARY KEY ("id"));
ALTER TABLE "CrawlResult" ADD CONSTRAINT "CrawlResult_projectId_fkey" FOREIGN KEY ("projectId")
    REFERENCES "Project" ("id") ON DELETE CASCADE ON UPDATE CASCADE;
CREATE TABLE "Product" (
    "id" TEXT NOT NULL, "projectId" TEXT NOT NULL, "externalId" VARCHAR(191) NOT NULL,
    "title" TEXT NOT NULL, "description" TEXT, "seoTitle" TEXT, "seoDescription" TEXT,
    "imageUrls" JSONB, "handle" TEXT, "price" DECIMAL(65,30),
    "lastSyncedAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "Product_pkey" PRIMARY KEY ("id"));
CREATE UNIQUE INDEX "Product_projectId_externalId_key" ON "Product" ("externalId", "projectId");
ALTER TABLE "Product" ADD CONSTRAINT "Product_projectId_fkey" FOREIGN KEY ("projectId")
    REFERENCES "Project" ("id") ON DELETE CASCADE ON UPDATE CASCADE;
CREATE TABLE "DeoScoreSnapshot" (
    "id" TEXT NOT NULL, "projectId" TEXT NOT NULL, "overallScore" INTEGER NOT NULL,
    "contentScore" INTEGER, "entityScore" INTEGER, "technicalScore" INTEGER, "visibilityScore" INTEGER,
    "version" TEXT NOT NULL DEFAULT 'v1', "metadata" JSONB, "note" TEXT,
    "computedAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "updatedAt" TIMESTAMP(3) NOT NULL,
    CONSTRAINT "DeoScoreSnapshot_pkey" PRIMARY KEY ("id"));
ALTER TABLE "DeoScoreSnapshot" ADD CONSTRAINT "DeoScoreSnapshot_projectId_fkey" FOREIGN KEY ("projectId")
    REFERENCES "Project" ("id") ON DELETE CASCADE ON UPDATE CASCADE;
CREATE TABLE "_prisma_migrations" ("id" VARCHAR(36) PRIMARY KEY, "migration_name" VARCHAR(255) NOT NULL);

INSERT INTO "User" (id, email, password, "updatedAt") VALUES ('usr1', 'a@example.com', '', now());
INSERT INTO "Project" (id, "userId", name, "updatedAt") VALUES ('cln1', 'usr1', 'Shop', now());
INSERT INTO "CrawlResult" (id, "projectId", url, "statusCode", issues)
    SELECT 'crw' || n, 'cln1', 'https://shop.example/' || n, 200, '["MISSING_H1"]' FROM generate_series(1, 50) n;
INSERT INTO "Product" (id, "projectId", "externalId", title, price)
    SELECT 'prd' || n, 'cln1', n, 'Mug', 9.5 FROM generate_series(1, 50) n;
INSERT INTO "DeoScoreSnapshot" (id, "projectId", "overallScore", "updatedAt") VALUES ('snp1', 'cln1', 40, now());
