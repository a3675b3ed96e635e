-- One row a recompute. Where the platform's ORM has made this table already, --baseline takes it as it is.

CREATE TABLE "DeoScoreSnapshot" (
    "id" TEXT NOT NULL,
    "projectId" TEXT NOT NULL,
    "overallScore" INTEGER NOT NULL,
    "contentScore" INTEGER,
    "entityScore" INTEGER,
    "technicalScore" INTEGER,
    "visibilityScore" INTEGER,
    "version" TEXT NOT NULL DEFAULT 'v1',
    "metadata" JSONB,
    "computedAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL,
    CONSTRAINT "DeoScoreSnapshot_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "DeoScoreSnapshot_projectId_fkey" FOREIGN KEY ("projectId")
        REFERENCES "Project" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);
