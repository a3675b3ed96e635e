-- The outbox of drops of scores: what is written with a snapshot, and sent afterwards. In our own schema; where that
-- does not exist (see migrations/README.md) nothing is made, and drops cannot be announced.
DO $$
BEGIN
    IF to_regnamespace('deo') IS NULL OR to_regclass('deo.score_drop') IS NOT NULL THEN
        RETURN;
    END IF;
    CREATE TABLE deo.score_drop (
        -- The schema of the platform's tables: a database may hold several platforms.
        platform TEXT NOT NULL,
        -- Of the job whose result it is: a job has one event at most.
        snapshot_id TEXT NOT NULL,
        project_id TEXT NOT NULL,
        from_score INTEGER NOT NULL,
        to_score INTEGER NOT NULL,
        read_at TIMESTAMP(3) NOT NULL,
        created_at TIMESTAMP(3) NOT NULL,
        -- When it may be sent (again).
        due_at TIMESTAMP(3) NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        ended_at TIMESTAMP(3),
        outcome TEXT CHECK (outcome IN ('delivered', 'given up')),
        PRIMARY KEY (platform, snapshot_id)
    );
    CREATE INDEX score_drop_due ON deo.score_drop (platform, due_at) WHERE ended_at IS NULL;
    CREATE INDEX score_drop_ended ON deo.score_drop (platform, ended_at) WHERE ended_at IS NOT NULL;
END
$$;
