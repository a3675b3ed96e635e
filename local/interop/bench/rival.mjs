// A rival of `deo bench jobs`, in a process of its own: connects, says "ready", works once it is told to
// go, and says in one line of JSON what that took.
//   node rival.mjs '{"role": "pg", "redis": "redis://…", "database": "postgres://…", "prefix": "…",
//                    "jobs": 100, "concurrency": 1, "opts": {…}}'
// Roles: pg and prisma recompute as the platform does; noop does nothing; add and addBulk enqueue; wait has a
// worker with pg on, and adds a job for each line that names a project (for `deo bench latency`).
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Queue, Worker } from 'bullmq';
import { computed } from './score.mjs';

const { role, redis, database, prefix, jobs, concurrency, opts } = JSON.parse(process.argv[2]);
const QUEUE = 'deo_score_queue';
const NAME = 'deo_score_recompute';
const url = new URL(redis);
const connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null };

/** The platform's six statements, without an ORM. */
async function pgProcessor() {
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({ connectionString: database, max: concurrency });
  // Connected before the clock runs, as ours is not.
  await Promise.all(Array.from({ length: concurrency }, () => pool.query('SELECT pg_sleep(0.05)')));
  const find = (id) => pool.query('SELECT * FROM "Project" WHERE id = $1', [id]);
  return async ({ data, id }) => {
    const { projectId } = data;
    if ((await find(projectId)).rowCount === 0) throw new Error('Project not found');
    const pages = await pool.query('SELECT * FROM "CrawlResult" WHERE "projectId" = $1', [projectId]);
    const products = await pool.query('SELECT * FROM "Product" WHERE "projectId" = $1', [projectId]);
    const score = computed(pages.rows, products.rows, Date.now());
    if ((await find(projectId)).rowCount === 0) throw new Error('Project not found');
    const now = new Date();
    await pool.query(
      `INSERT INTO "DeoScoreSnapshot" (id, "projectId", "overallScore", "contentScore", "entityScore", "technicalScore",
        "visibilityScore", version, metadata, "computedAt", "createdAt", "updatedAt")
       VALUES ($1, $2, $3, $4, $5, $6, $7, 'v1', $8, $9, $9, $9)`,
      [`${prefix}:${id}`, projectId, score.overall, score.content, score.entities, score.technical, score.visibility,
        JSON.stringify(score.metadata), now]);
    await pool.query('UPDATE "Project" SET "currentDeoScore" = $2, "currentDeoScoreComputedAt" = $3 WHERE id = $1',
      [projectId, score.overall, now]);
    return { projectId, snapshotId: `${prefix}:${id}` };
  };
}

/** The same with Prisma, as the platform has it. */
async function prismaProcessor() {
  const { PrismaClient } = await import('@prisma/client');
  const { PrismaPg } = await import('@prisma/adapter-pg');
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database, max: concurrency }) });
  await prisma.$connect();
  await Promise.all(Array.from({ length: concurrency }, () => prisma.$queryRawUnsafe('SELECT 1 AS one FROM pg_sleep(0.05)')));
  return async ({ data, id }) => {
    const { projectId } = data;
    const where = { id: projectId };
    if (!await prisma.project.findUnique({ where })) throw new Error('Project not found');
    const pages = await prisma.crawlResult.findMany({ where: { projectId } });
    const products = await prisma.product.findMany({ where: { projectId } });
    const score = computed(pages, products, Date.now());
    if (!await prisma.project.findUnique({ where })) throw new Error('Project not found');
    const computedAt = new Date();
    const snapshot = await prisma.deoScoreSnapshot.create({
      data: {
        id: `${prefix}:${id}`, projectId, overallScore: score.overall, contentScore: score.content, entityScore: score.entities,
        technicalScore: score.technical, visibilityScore: score.visibility, metadata: score.metadata, computedAt,
      },
    });
    await prisma.project.update({
      where, data: { currentDeoScore: score.overall, currentDeoScoreComputedAt: computedAt },
    });
    return { projectId, snapshotId: snapshot.id };
  };
}

/** Works until so many jobs are done. */
async function worker(processor) {
  const it = new Worker(QUEUE, processor, { connection, prefix, concurrency, autorun: false });
  await it.waitUntilReady();
  it.on('error', (error) => console.error(error));
  return () => new Promise((resolve, reject) => {
    let done = 0;
    it.on('completed', () => {
      done += 1;
      if (done === jobs) resolve();
    });
    it.on('failed', (_, error) => reject(error));
    it.run().catch(reject);
  });
}

const data = (n) => ({ projectId: `project-${n}`, triggeredByUserId: null, reason: 'manual' });
const options = (n) => (opts.deduplicated
  ? { ...opts.job, deduplication: { id: `project-${n}`, keepLastIfActive: true } }
  : opts.job);

async function producer(work) {
  const queue = new Queue(QUEUE, { connection, prefix });
  await queue.waitUntilReady();
  return () => work(queue);
}

const addOneByOne = async (queue) => {
  for (let n = 0; n < jobs; n += 1) await queue.add(NAME, data(n), options(n));
};

const addInBulk = async (queue) => {
  for (let from = 0; from < jobs; from += 1_000) {
    const length = Math.min(1_000, jobs - from);
    await queue.addBulk(Array.from({ length }, (_, n) => ({ name: NAME, data: data(from + n), opts: options(from + n) })));
  }
};

/** Adds a job for each project that it is told, while a worker waits for them; ends with its input. */
async function addAsTold() {
  const worker = new Worker(QUEUE, await pgProcessor(), { connection, prefix, concurrency });
  worker.on('error', (error) => console.error(error));
  worker.on('failed', (_, error) => {
    console.error(error);
    process.exit(1);
  });
  const queue = new Queue(QUEUE, { connection, prefix });
  await Promise.all([worker.waitUntilReady(), queue.waitUntilReady()]);
  console.log('ready');
  for await (const projectId of createInterface({ input: process.stdin })) {
    const { id } = await queue.add(NAME, { projectId, triggeredByUserId: null, reason: 'manual' },
      { ...opts.job, deduplication: { id: projectId, keepLastIfActive: true } });
    console.log(id);
  }
}

if (role === 'wait') {
  await addAsTold();
  process.exit(0);
}

const run = await {
  pg: async () => worker(await pgProcessor()),
  prisma: async () => worker(await prismaProcessor()),
  noop: () => worker(async (job) => ({ projectId: job.data.projectId })),
  add: () => producer(addOneByOne),
  addBulk: () => producer(addInBulk),
}[role]();

console.log('ready');
for await (const _ of createInterface({ input: process.stdin })) break;
const cpu = process.cpuUsage();
const began = process.hrtime.bigint();
await run();
const seconds = Number(process.hrtime.bigint() - began) / 1e9;
const { user, system } = process.cpuUsage(cpu);
const peak = /VmHWM:\s+(\d+)/.exec(readStatus())?.[1];
console.log(JSON.stringify({ jobs, seconds, cpuSeconds: (user + system) / 1e6, peakKb: peak === undefined ? null : Number(peak) }));
process.exit(0);

function readStatus() {
  try {
    return readFileSync('/proc/self/status', 'utf8');
  } catch {
    return '';
  }
}
