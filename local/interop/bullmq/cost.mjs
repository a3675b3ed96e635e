// What BullMQ costs, counted by Redis: the work of `deo bench commands`, done by BullMQ.
//   node cost.mjs busy REDIS_URL '{"jobs":1000,"keep":{"age":..,"count":..}}'
//   node cost.mjs idle REDIS_URL SECONDS
//   node cost.mjs version
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq-6';
import { Redis } from 'ioredis';

/** What a client sends itself; whatever else is counted runs inside of its scripts. */
const CLIENTS = new Set(['evalsha', 'eval', 'bzpopmin', 'multi', 'exec']);

/** Ours: the counting itself, and looking whether a worker sleeps. Setting up a connection. */
const UNCOUNTED = /^(info|client\|.*|hello|ping|script\|.*)$/;

const [what, url, argument] = process.argv.slice(2);
const print = (value) => console.log(JSON.stringify(value));

async function executed(redis) {
  const calls = { inner: 0, client: 0 };
  for (const [, name, number] of (await redis.info('commandstats')).matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
    if (CLIENTS.has(name)) calls.client += Number(number);
    else if (!UNCOUNTED.test(name)) calls.inner += Number(number);
  }
  return calls;
}

/** What `run` executes, a `per`-th of it. */
async function cost(redis, per, run) {
  const before = await executed(redis);
  await run();
  const after = await executed(redis);
  return { inner: (after.inner - before.inner) / per, client: (after.client - before.client) / per };
}

async function connected() {
  const { hostname: host, port } = new URL(url);
  const connection = { host, port: Number(port), maxRetriesPerRequest: null };
  return { connection, redis: new Redis(connection) };
}

const NAME = 'deo_score_recompute';
const project = (i) => ({ projectId: `project-${i}`, triggeredByUserId: null, reason: 'manual' });

async function busy({ jobs, keep }) {
  const { connection, redis } = await connected();
  const queue = new Queue('deo_score_queue', { connection });
  await queue.waitUntilReady();
  const make = (opts) => Array.from({ length: jobs }, (_, i) => ({ name: NAME, data: project(i), opts: opts(i) }));
  const add = async (batch) => {
    for (let from = 0; from < batch.length; from += 100) await queue.addBulk(batch.slice(from, from + 100));
  };

  /** Processes all that waits, one at a time. */
  async function work() {
    const worker = new Worker(queue.name, async () => ({ done: true }), { connection, skipStalledCheck: true });
    await once(worker, 'drained');
    await worker.close();
  }
  const through = (opts) => cost(redis, jobs, async () => {
    await add(make(opts));
    await work();
  });

  const report = { keep: await through(() => ({})) };
  report.remove = await through(() => ({ removeOnComplete: true }));
  const asked = (more) => (i) => ({
    attempts: 3, backoff: { type: 'exponential', delay: 1_000 },
    deduplication: { id: project(i).projectId, keepLastIfActive: true }, removeOnComplete: keep, removeOnFail: keep, ...more,
  });
  // The second time, retention evicts a job for each.
  await through(asked({}));
  report.byApi = await through(asked({}));
  report.byCron = await through(asked({ priority: 10 }));
  await add(make(() => ({})));
  report.drained = await cost(redis, jobs, work);

  // A worker that sleeps is woken by one job, and sleeps again.
  const asleep = async () => {
    while (!/ flags=b /.test(await redis.client('LIST'))) await new Promise(setImmediate);
  };
  const worker = new Worker(queue.name, async () => ({ done: true }), { connection, skipStalledCheck: true });
  await asleep();
  const LONE = 20;
  report.lone = await cost(redis, LONE, async () => {
    for (let i = 0; i < LONE; i += 1) {
      const completed = once(worker, 'completed');
      await queue.add(NAME, project(i));
      await completed;
      await asleep();
    }
  });
  await worker.close();
  await queue.close();
  await redis.quit();
  return report;
}

/** A worker with its own defaults and nothing to do. */
async function idle(seconds) {
  const { connection, redis } = await connected();
  const worker = new Worker('deo_score_queue', async () => {}, { connection });
  await worker.waitUntilReady();
  // It polls every 5 s: begin and end between two polls.
  await sleep(2_500);
  const calls = await cost(redis, seconds / 60, () => sleep(seconds * 1_000));
  await worker.close();
  await redis.quit();
  return calls;
}

if (what === 'busy') print(await busy(JSON.parse(argument)));
else if (what === 'idle') print(await idle(Number(argument)));
else print(createRequire(import.meta.url)('bullmq-6/package.json').version);
