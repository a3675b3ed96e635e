// A worker of BullMQ beside the drains of `deo chaos`, which adds a few jobs of its own: says what it added, one
// line of JSON a job, says "ready", and works until SIGTERM.
//   node chaos.mjs '{"package": "bullmq-6", "redis": "redis://…", "database": "postgres://…", "prefix": "…",
//                    "queue": "…", "adds": 5, "name": "…", "projects": 10}'
// A job that it ends has the effect that one of a drain has: the snapshot whose id follows from the job, and the
// project's score where no newer read has moved it.
import { createHash } from 'node:crypto';
import pg from 'pg';

const task = JSON.parse(process.argv[2]);
const { Queue, UnrecoverableError, Worker } = await import(task.package);
const url = new URL(task.redis);
const shared = {
  connection: { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null, retryStrategy: () => 50 },
  prefix: task.prefix,
};
const pool = new pg.Pool({ connectionString: task.database, max: 3, connectionTimeoutMillis: 2_000 });
// What breaks on the way is what the run is about.
for (const event of ['uncaughtException', 'unhandledRejection']) process.on(event, () => {});
pool.on('error', () => {});

/** The id of a job's snapshot: a UUID out of the SHA-256 of the parts, each behind its length. */
function snapshotId(job) {
  const hash = createHash('sha256');
  for (const part of ['deo-snapshot', task.prefix, task.queue, job.id, String(job.timestamp)]) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(Buffer.byteLength(part)));
    hash.update(length).update(part);
  }
  const uuid = hash.digest().subarray(0, 16);
  uuid[6] = 0x80 | (uuid[6] & 0x0f);
  uuid[8] = 0x80 | (uuid[8] & 0x3f);
  return uuid.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

// The moment of the read is taken once the project is locked, so that no other one's comes between.
const SAVE = `
  WITH project AS (SELECT id FROM "Project" WHERE id = $2 FOR NO KEY UPDATE),
  read AS MATERIALIZED (SELECT id, date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC') AS at FROM project),
  moved AS (UPDATE "Project" p SET "currentDeoScore" = 50, "currentDeoScoreComputedAt" = read.at FROM read
    WHERE p.id = read.id AND (p."currentDeoScoreComputedAt" IS NULL OR p."currentDeoScoreComputedAt" < read.at))
  INSERT INTO "DeoScoreSnapshot" AS s (id, "projectId", "overallScore", "computedAt", "updatedAt")
  SELECT $1, read.id, 50, read.at, read.at FROM read
  ON CONFLICT (id) DO UPDATE SET "overallScore" = 50, "computedAt" = excluded."computedAt"
  WHERE s."computedAt" < excluded."computedAt"
  RETURNING id`;

async function process_(job) {
  const { projectId } = job.data ?? {};
  if (typeof projectId !== 'string' || projectId.includes('\0')) throw new UnrecoverableError('Malformed job data');
  const id = snapshotId(job);
  await pool.query(SAVE, [id, projectId]);
  const { rowCount } = await pool.query('SELECT 1 FROM "DeoScoreSnapshot" WHERE id = $1', [id]);
  if (rowCount === 0) throw new UnrecoverableError('Project not found');
  return { projectId, snapshotId: id };
}

// A call whose answer is lost fails, and another id gets another try. Its client would repeat it: where the answer was that
// a command had been refused half-way, BullMQ then takes the half for the whole, and says that it is there.
const queue = new Queue(task.queue, { ...shared, connection: { ...shared.connection, maxRetriesPerRequest: 0 } });
queue.on('error', () => {});
const worker = new Worker(task.queue, process_, { ...shared, concurrency: 5, lockDuration: 5_000, stalledInterval: 2_000, drainDelay: 1 });
worker.on('error', () => {});
let isEnding = false;

/** Adds its jobs, and tells of each try before it and after it. */
async function add() {
  for (let n = 0; n < task.adds; n += 1) {
    const project = `seed-1-p${String(n % task.projects).padStart(7, '0')}`;
    const data = { projectId: project, triggeredByUserId: null, reason: 'manual' };
    const opts = [{}, { priority: 3 }, { delay: 200 }, { lifo: true }, { attempts: 3, backoff: 50 }][n % 5];
    for (let again = 0; !isEnding; again += 1) {
      // BullMQ's scripts leave what they have written when a command in them is refused: another id for another try.
      const said = { id: `${task.name}-${n}-${again}`, project, timestamp: Date.now() };
      console.log(JSON.stringify({ ...said, unanswered: true }));
      try {
        await queue.add('deo_score_recompute', data, { attempts: 3, backoff: 100, ...opts, jobId: said.id, timestamp: said.timestamp });
        console.log(JSON.stringify(said));
        break;
      } catch {
        console.log(JSON.stringify({ ...said, unanswered: true, failed: true }));
        await new Promise((resolve) => { setTimeout(resolve, 50); });
      }
    }
  }
}

console.log('ready');
const added = add();
process.on('SIGTERM', async () => {
  isEnding = true;
  // What became of the try under way is told as well.
  await added;
  await worker.close();
  process.exit(0);
});
