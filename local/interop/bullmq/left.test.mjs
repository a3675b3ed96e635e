// What drains leave behind when they are killed and their requests fail: BullMQ reads, retries, removes, runs and
// cleans all of it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { QUEUE, VERSIONS, connection, database, project, redis } from './deo.mjs';

const prefix = 'engineo';
const base = `${prefix}:${QUEUE}`;
const STATES = ['waiting', 'prioritized', 'delayed', 'active', 'completed', 'failed'];
const SEED = '7';
const FAULTS = '429=0.05,500=0.05,502html=0.05,reset-before=0.05,reset-after=0.05,truncate=0.05';

let gateway;
let settings;

before(async () => {
  const args = ['rest-gateway', '--json', '--listen', '127.0.0.1:0', '--redis', process.env.REDIS_URL, '--token', 'token', '--fault', FAULTS, '--seed', SEED];
  gateway = spawn(process.env.DEO, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(createInterface(gateway.stdout), 'line');
  settings = { REDIS_TRANSPORT: 'rest', UPSTASH_REDIS_REST_URL: JSON.parse(line).url, UPSTASH_REDIS_REST_TOKEN: 'token', QUEUE_BATCH_SIZE: '5' };
});

after(async () => {
  gateway.kill('SIGTERM');
  await once(gateway, 'exit');
  await redis.quit();
  await database.end();
});

const drain = () => spawn(process.env.DEO, ['drain', '--json'], { env: { ...process.env, ...settings }, stdio: 'ignore' });

/** Jobs of every kind, and drains that die with a batch in their hands. Gives the jobs' ids. */
async function leave(queue) {
  await redis.flushdb();
  const real = await project();
  const job = (projectId, opts = {}) => ({ name: 'deo_score_recompute', data: { projectId, triggeredByUserId: null, reason: 'manual' }, opts });
  const kinds = [job(real), job(real), job('none'), job(real, { priority: 3 }), job(real, { lifo: true }), job('none', { attempts: 2, backoff: 60_000 })];
  const jobs = await queue.addBulk(Array.from({ length: 480 }, (_, i) => kinds[i % kinds.length]));
  const delayed = await queue.addBulk([job(real, { delay: 600_000 }), job(real, { delay: 600_000, jobId: 'own' })]);
  // Nothing of this batch is finished yet: its rows wait for this lock.
  const client = await database.connect();
  await client.query('BEGIN; LOCK TABLE "DeoScoreSnapshot"');
  for (let i = 0; i < 4; i += 1) {
    const dying = drain();
    while ((await redis.llen(`${base}:active`)) < 5 * (i + 1)) {
      if (dying.exitCode !== null) throw new Error('the drain ended before it was killed');
      await sleep(5);
    }
    dying.kill('SIGKILL');
    await once(dying, 'exit');
  }
  await client.query('ROLLBACK');
  client.release();
  for (let i = 0; i < 3; i += 1) {
    const working = drain();
    while ((await redis.zcard(`${base}:completed`)) < 20 * (i + 1) && working.exitCode === null) await sleep(5);
    working.kill('SIGKILL');
    if (working.exitCode === null && working.signalCode === null) await once(working, 'exit');
  }
  return [...jobs, ...delayed].map(({ id }) => id);
}

for (const [version, { Queue, Worker }] of Object.entries(VERSIONS)) {
  describe(`BullMQ ${version}`, () => {
    let queue;
    before(async () => {
      queue = new Queue(QUEUE, { connection, prefix });
      await queue.waitUntilReady();
    });
    after(() => queue.close());

    test('reads, retries, removes, runs and cleans what is left', { timeout: 60_000 }, async (t) => {
      const ids = await leave(queue);
      const { paused, ...counts } = await queue.getJobCounts(...STATES);
      t.diagnostic(JSON.stringify(counts));
      assert.ok(Object.values(counts).every((count) => count > 0), JSON.stringify(counts));
      assert.ok(!paused);
      assert.equal(Object.values(counts).reduce((sum, count) => sum + count), ids.length);

      // It reads them.
      const jobs = {};
      for (const state of STATES) {
        jobs[state] = await queue.getJobs([state]);
        assert.equal(jobs[state].length, counts[state]);
        for (const job of jobs[state]) assert.equal(await job.getState(), state);
      }
      assert.deepEqual(Object.values(jobs).flat().map(({ id }) => id).sort(), ids.sort());
      assert.ok(jobs.completed.every(({ returnvalue, finishedOn }) => returnvalue.snapshotId && finishedOn));
      assert.ok(jobs.failed.every(({ failedReason, stacktrace }) => failedReason && stacktrace.length));

      // It retries and removes one of each, and what a dead drain holds once its lock has run out.
      await jobs.failed.pop().retry();
      await jobs.completed.pop().retry('completed');
      const held = jobs.active[0];
      await assert.rejects(held.remove(), /locked/);
      await redis.del(`${base}:stalled-check`, ...jobs.active.map(({ id }) => `${base}:${id}:lock`));
      const removed = [held, ...STATES.filter((state) => state !== 'active').map((state) => jobs[state].pop())];
      for (const job of removed) await job.remove();

      // It runs the rest, the dead drains' jobs among them.
      const ran = [];
      const worker = new Worker(QUEUE, async ({ id }) => { ran.push(id); }, { connection, prefix, stalledInterval: 300, drainDelay: 1, concurrency: 10 });
      await queue.promoteJobs();
      const open = () => queue.getJobCounts('waiting', 'prioritized', 'delayed', 'active');
      while (Object.values(await open()).some((count) => count > 0)) await sleep(20);
      await worker.close();
      assert.equal(new Set(ran).size, ran.length, 'a job ran twice');
      assert.deepEqual(await queue.getJobCounts('completed', 'failed'), {
        completed: ids.length - removed.length - jobs.failed.length, failed: jobs.failed.length,
      });

      // It cleans all of it.
      for (const state of ['completed', 'failed']) await queue.clean(0, 0, state);
      const left = (await redis.keys(`${base}:*`)).map((key) => key.slice(base.length + 1)).sort();
      const known = ['events', 'id', 'meta', 'stalled-check', 'pc', 'marker'];
      assert.deepEqual(left.filter((key) => !known.includes(key) && !key.startsWith('batchmq:')), []);
    });
  });
}
