// Our long-running worker and BullMQ's producers: it sleeps on their marker, and they list it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, beforeEach, describe, test } from 'node:test';
import { QUEUE, VERSIONS, connection, database, project, redis, snapshots } from './deo.mjs';

const prefix = 'engineo';
const NAME = 'deo_score_recompute';
const data = (projectId) => ({ projectId, triggeredByUserId: null, reason: 'manual' });
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let worker;

/** Until a worker blocks on the marker. */
async function asleep() {
  for (let tries = 0; tries < 1000; tries += 1) {
    const clients = (await redis.client('LIST')).split('\n');
    if (clients.some((line) => line.includes('cmd=bzpopmin') && line.includes('flags=b'))) return;
    await pause(10);
  }
  throw new Error('no worker sleeps');
}

async function finished(job) {
  for (let tries = 0; tries < 1000; tries += 1) {
    if (await job.getState() === 'completed') return;
    await pause(10);
  }
  throw new Error(`job ${job.id} is ${await job.getState()}`);
}

before(async () => {
  await redis.flushdb();
  worker = spawn(process.env.DEO, ['worker', '--json'], {
    env: { ...process.env, REDIS_TRANSPORT: 'tcp' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [first] = await once(createInterface(worker.stdout), 'line');
  assert.match(first, /^working/);
});

beforeEach(async () => {
  await asleep();
  await redis.flushdb();
});

after(async () => {
  worker.kill('SIGTERM');
  const [code] = await once(worker, 'exit');
  await redis.quit();
  await database.end();
  assert.equal(code, 0);
});

for (const [version, { Queue }] of Object.entries(VERSIONS)) {
  describe(`BullMQ ${version}`, () => {
    const queue = new Queue(QUEUE, { connection, prefix });
    before(() => queue.waitUntilReady());
    after(() => queue.close());

    test('the worker is among its workers, once', async () => {
      const [worker, ...others] = await queue.getWorkers();
      assert.deepEqual(others, []);
      assert.deepEqual([worker?.name, worker?.rawname], [QUEUE, queue.clientName()]);
      assert.equal(await queue.getWorkersCount(), 1);
    });

    test('what it adds, wakes the worker at once', async () => {
      const waits = [];
      for (let i = 0; i < 5; i += 1) {
        const id = await project();
        const job = await queue.add(NAME, data(id));
        await finished(job);
        const { processedOn, timestamp } = await queue.getJob(job.id);
        waits.push(processedOn - timestamp);
        assert.equal((await snapshots(id)).length, 1);
        await asleep();
      }
      console.log(`BullMQ ${version}: waited ${waits} ms`);
      assert.ok(waits.sort((a, b) => a - b)[2] < 500, `${waits}`);
    });

    test('what it delays, is done in time, also behind a later one', async () => {
      const later = await queue.add(NAME, data(await project()), { delay: 600_000 });
      const sooner = await queue.add(NAME, data(await project()), { delay: 600 });
      await finished(sooner);
      const { processedOn, timestamp, opts } = await queue.getJob(sooner.id);
      const late = processedOn - timestamp - opts.delay;
      console.log(`BullMQ ${version}: late by ${late} ms`);
      assert.ok(late >= 0 && late < 5000, `late by ${late} ms`);
      await later.remove();
    });

    test('what it pauses, waits until it resumes', async () => {
      await queue.pause();
      const job = await queue.add(NAME, data(await project()));
      await asleep();
      assert.equal(await job.getState(), 'waiting');
      await queue.resume();
      await finished(job);
    });
  });
}
