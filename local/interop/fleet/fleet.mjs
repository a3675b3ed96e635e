// Producers, workers, our enqueuer and our drain on one queue, all at once, and what must be true of
// it afterwards.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { QUEUE, VERSIONS, connection, database, redis } from '../bullmq/deo.mjs';
import { Driver } from '../bullmq/driver.mjs';
import { random } from '../differential/random.mjs';

export const PREFIX = 'engineo';
export const NAME = 'deo_score_recompute';
const { DEO } = process.env;

/** Adds a call, by either producer. */
const BATCH = 50;

export const data = (projectId) => ({ projectId, triggeredByUserId: null, reason: 'manual' });
export const project = (i) => `fleet-${i}`;

/** Projects for all jobs, and a table in which Node workers leave a row a job. */
export async function prepare(jobs) {
  await redis.flushdb();
  await database.query('CREATE TABLE IF NOT EXISTS fleet_effect (job text NOT NULL)');
  await database.query('TRUNCATE fleet_effect');
  await database.query(`DELETE FROM "Project" WHERE id LIKE 'fleet-%'`);
  await database.query(
    `INSERT INTO "Project" (id, "userId", name)
     SELECT 'fleet-' || i, (SELECT id FROM "User" LIMIT 1), 'fleet' FROM generate_series(0, $1::int) AS i`, [jobs]);
}

/** Options of every kind; those of one id in fifty compete for a few deduplication ids. */
function options(r, i, knowsKeepLast) {
  return r.weighted([
    [40, () => ({})],
    [12, () => ({ priority: r.upTo(5) })],
    [10, () => ({ delay: r.upTo(1_500) })],
    [8, () => ({ lifo: true })],
    [10, () => ({ jobId: `custom${i}` })],
    [12, () => ({ attempts: 3, backoff: { type: 'fixed', delay: 50 } })],
    [4, () => ({ deduplication: { id: `plain${r.below(20)}` } })],
    [4, () => ({ deduplication: { id: `last${r.below(20)}`, ...(knowsKeepLast && { keepLastIfActive: true }) } })],
  ])();
}

/** Adds `count` jobs in batches; gives the ids that it was answered. */
async function produce(add, { first, count, seed, knowsKeepLast, cancelled }) {
  const r = random(seed);
  const ids = [];
  for (let from = first; from < first + count && !cancelled(); from += BATCH) {
    const jobs = Array.from({ length: Math.min(BATCH, first + count - from) }, (_, i) => ({
      name: NAME, data: data(project(from + i)), opts: options(r, from + i, knowsKeepLast),
    }));
    ids.push(...(await add(jobs)));
    await sleep(r.below(10));
  }
  return ids;
}

/** Ticks of the drain, one after the other, as EventBridge would start them but faster. */
async function drains(transport, cancelled, reports) {
  const env = { ...process.env, REDIS_TRANSPORT: transport, ENABLE_QUEUE_EVENTS: 'true', REDIS_PREFIX: PREFIX,
    // As many batches at once as a worker, so that both have a share.
    DRAIN_LANES: '1' };
  while (!cancelled()) {
    const child = spawn(DEO, ['drain', '--json'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const text = [];
    child.stdout.on('data', (chunk) => text.push(chunk));
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(code, 0, 'a tick failed');
    reports.push(JSON.parse(Buffer.concat(text).toString()));
    await sleep(30);
  }
}

/** Pauses and resumes by either side, in either order, now and then twice. */
async function pauses(sides, { seed, cancelled }) {
  const r = random(seed);
  while (!cancelled()) {
    await sleep(150 + r.below(300));
    const [pauser, resumer] = [r.pick(sides), r.pick(sides)];
    await pauser.pause();
    if (r.chance(0.2)) await r.pick(sides).pause();
    await sleep(200 + r.below(700));
    await resumer.resume();
    if (r.chance(0.2)) await r.pick(sides).resume();
  }
}

/** Runs a fleet of `jobs` jobs with the given version of BullMQ, and checks it. */
export async function fleet({ version, jobs, transport, seed }) {
  const { Queue, QueueEvents, Worker } = VERSIONS[version];
  const shared = { connection, prefix: PREFIX };
  const knowsKeepLast = version !== '5.65.1';
  await prepare(jobs);
  const queue = new Queue(QUEUE, shared).setMaxListeners(0);
  const events = new QueueEvents(QUEUE, { ...shared, lastEventId: '0-0' });
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);
  await queue.trimEvents(0);
  await redis.hset(`${PREFIX}:${QUEUE}:meta`, 'opts.maxLenEvents', jobs * 10);
  const heard = new Map();
  events.on('completed', ({ jobId }) => heard.set(jobId, (heard.get(jobId) ?? 0) + 1));

  const { REDIS_URL, UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN } = process.env;
  const driver = new Driver({ REDIS_URL, UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN, REDIS_TRANSPORT: transport });
  const ask = async (request) => {
    const answer = await driver.send(request);
    assert.equal(answer.error ?? answer.refused, undefined);
    return answer;
  };
  await ask({ op: 'open', prefix: PREFIX, queue: QUEUE, events: 'all', lockMs: 30_000 });

  const workers = [1, 2].map(() => new Worker(QUEUE, async (job) => {
    // Every third job with attempts fails the first time.
    if (job.attemptsMade === 0 && job.opts.attempts > 1 && Number(job.data.projectId.slice(6)) % 3 === 0) throw new Error('not yet');
    await database.query('INSERT INTO fleet_effect VALUES ($1)', [job.id]);
    return { by: 'node' };
  }, { ...shared, concurrency: 10, drainDelay: 1 }));
  for (const worker of workers) worker.on('error', () => {});

  let over = false;
  const cancelled = () => over;
  const reports = [];
  const busy = [
    drains(transport, cancelled, reports), drains(transport, cancelled, reports),
    pauses([
      { pause: () => queue.pause(), resume: () => queue.resume() },
      { pause: () => ask({ op: 'pause' }), resume: () => ask({ op: 'resume' }) },
    ], { seed, cancelled }),
  ];
  const failed = Promise.all(busy);

  const half = jobs / 2;
  const awaited = [];
  const byNode = async (batch) => {
    const added = await queue.addBulk(batch);
    // A caller that waits for one job in fifty, one that only it asked for.
    const alone = added.find((job) => !job.opts.deduplication);
    if (alone) awaited.push(alone.waitUntilFinished(events, 120_000));
    return added.map(({ id }) => id);
  };
  const byDeo = async (batch) => {
    const { added } = await ask({ op: 'enqueue', jobs: batch.map(({ name, data: value, opts }) => ({ name, data: JSON.stringify(value), opts })) });
    return added.map(({ id }) => id);
  };
  const produced = await Promise.race([failed, Promise.all([
    produce(byNode, { first: 0, count: half, seed: seed + 1, knowsKeepLast, cancelled }),
    produce(byDeo, { first: half, count: half, seed: seed + 2, knowsKeepLast: true, cancelled }),
  ])]);
  const ids = new Set(produced.flat());
  const results = await Promise.race([failed, Promise.all(awaited)]);
  while (await unfinished(queue)) await Promise.race([failed, sleep(50)]);
  over = true;
  await failed;
  await queue.resume();
  while (await unfinished(queue)) await sleep(50);

  const completed = await finished();
  while (heard.size < completed.size) await sleep(20);
  await Promise.all(workers.map((worker) => worker.close()));
  const spans = await check({ completed, ids, heard, results, reports, jobs });
  await Promise.all([queue.close(), events.close()]);
  driver.close();
  return { completed: completed.size, byNode: [...completed.values()].filter(({ by }) => by === 'node').length, pauses: spans };
}

async function unfinished(queue) {
  const counts = await queue.getJobCounts('wait', 'paused', 'active', 'prioritized', 'delayed', 'waiting-children');
  return Object.values(counts).some((n) => n > 0);
}

/** Completed id -> its return value. */
export async function finished() {
  const ids = await redis.zrange(`${PREFIX}:${QUEUE}:completed`, 0, -1);
  const found = new Map();
  for (let from = 0; from < ids.length; from += 1_000) {
    const page = ids.slice(from, from + 1_000);
    const answers = await redis.pipeline(page.map((id) => ['hget', `${PREFIX}:${QUEUE}:${id}`, 'returnvalue'])).exec();
    answers.forEach(([, value], i) => found.set(page[i], JSON.parse(value)));
  }
  return found;
}

/** What each event was and of which job, in their order; both sides write each in the script that does it. */
async function history() {
  const all = [];
  for (let from = '-'; ;) {
    const page = await redis.xrange(`${PREFIX}:${QUEUE}:events`, from, '+', 'COUNT', 10_000);
    if (page.length === 0) return all;
    for (const [, fields] of page) {
      const { event, jobId } = Object.fromEntries(fields.flatMap((name, i) => (i % 2 ? [] : [[name, fields[i + 1]]])));
      all.push({ event, jobId });
    }
    from = `(${page.at(-1)[0]}`;
  }
}

/** Throws unless all is well; gives how many times the queue was paused. */
async function check({ completed, ids, heard, results, reports, jobs }) {
  // None is lost: whatever a producer was answered has completed, and nothing else is left.
  assert.deepEqual([...ids].filter((id) => !completed.has(id)), [], 'jobs that did not complete');
  assert.equal(await redis.zcard(`${PREFIX}:${QUEUE}:failed`), 0);
  assert.ok(completed.size > jobs * 0.9, `${completed.size} jobs`);

  // Each has one effect: a row by its worker, or the snapshot that its return value names.
  const rows = (await database.query('SELECT job FROM fleet_effect')).rows.map(({ job }) => job).sort();
  const node = [...completed].filter(([, { by }]) => by === 'node').map(([id]) => id).sort();
  assert.deepEqual(rows, node, 'effects of Node workers');
  const stored = (await database.query(`SELECT id FROM "DeoScoreSnapshot" WHERE "projectId" LIKE 'fleet-%'`)).rows.map(({ id }) => id).sort();
  const ours = [...completed.values()].filter(({ by }) => by !== 'node').map(({ snapshotId }) => snapshotId).sort();
  assert.deepEqual(stored, ours, 'effects of drains');
  assert.ok(Math.min(node.length, ours.length) > jobs / 20, `${node.length} by workers, ${ours.length} by drains`);
  assert.equal(reports.reduce((sum, report) => sum + report.lost, 0), 0, 'no drain lost a lock');

  // Everybody who listens hears of each once.
  assert.deepEqual([...heard.keys()].sort(), [...completed.keys()].sort());
  assert.ok([...heard.values()].every((times) => times === 1));
  assert.ok(results.length > jobs / 200 && results.every((value) => value.by === 'node' || value.snapshotId));

  // Nobody takes a job from a paused queue, into which some are added meanwhile.
  let paused = false;
  let spans = 0;
  const [taken, meanwhile] = [[], { active: [], added: [] }];
  for (const { event, jobId } of await history()) {
    if (event === 'paused' && !paused) spans += 1;
    if (event === 'paused' || event === 'resumed') paused = event === 'paused';
    if (event === 'active') taken.push(jobId);
    if (paused) meanwhile[event]?.push(jobId);
  }
  const known = new Set(taken);
  assert.deepEqual([...completed.keys()].filter((id) => !known.has(id)), [], 'taken without an event');
  assert.deepEqual(meanwhile.active, [], 'taken while paused');
  assert.ok(spans >= 3 && meanwhile.added.length > 0, `${spans} pauses, ${meanwhile.added.length} jobs added meanwhile`);

  // Nothing is left behind.
  const left = (await redis.keys(`${PREFIX}:${QUEUE}:*`)).filter((key) => /:(lock|de:.*|dn:.*)$/.test(key));
  assert.deepEqual(left, []);
  return spans;
}
