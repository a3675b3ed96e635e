// Our own keys beside BullMQ's: its removal of orphans passes over them, its obliterate leaves none that stays, and
// whoever discovers queues by scanning finds the queue alone.
import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import { Driver, REDIS_ENV } from './driver.mjs';
import { QUEUE, VERSIONS, connection, database, drain, project, redis } from './deo.mjs';

const prefix = 'engineo';
const base = `${prefix}:${QUEUE}:batchmq:`;
const job = (opts) => ({ name: 'n', data: '{}', ...opts });

const ours = async () => (await redis.keys('*')).filter((key) => key.includes('batchmq')).sort();

/** Leaves every key of ours, beside jobs in several states. */
async function leave() {
  await redis.flushdb();
  const driver = new Driver(REDIS_ENV);
  const ask = (request) => driver.ask(request);
  await ask({ op: 'open', prefix, queue: QUEUE, events: 'all', lockMs: 30_000 });
  const data = JSON.stringify({ projectId: await project(), triggeredByUserId: null, reason: 'manual' });
  await ask({ op: 'enqueue', jobs: [{ name: 'deo_score_recompute', data }] });
  const { completed } = await drain();
  assert.equal(completed, 1);
  await ask({ op: 'enqueue', jobs: [job()], key: 'a caller\'s: own:lock' });
  await ask({ op: 'claim', count: 1 });
  await ask({ op: 'enqueue', jobs: [job(), job({ opts: { delay: 600_000 } }), job({ opts: { priority: 2 } })] });
  driver.close();
  // What a night and an idle drain write, which takes hours and ten minutes.
  await redis.set(`${base}cron-cursor`, 'p1', 'EX', 604_800);
  await redis.set(`${base}idle`, '1', 'EX', 86_400);
  const keys = await ours();
  for (const name of ['cron-cursor', 'heartbeat', 'idle', 'receipt-once-0-']) {
    assert.ok(keys.some((key) => key.startsWith(base + name)), `${name}: ${keys}`);
  }
  return keys;
}

beforeEach(() => redis.flushdb());
after(async () => {
  await redis.quit();
  await database.end();
});

test('each has two segments behind the queue, a time to live, and no name of a part of a job', async () => {
  for (const key of await leave()) {
    assert.deepEqual(key.split(':').slice(0, 3), [prefix, QUEUE, 'batchmq'], key);
    assert.equal(key.split(':').length, 4, key);
    assert.doesNotMatch(key, /:(lock|logs|dependencies|processed|failed|unsuccessful)$/);
    assert.ok((await redis.pttl(key)) > 0, key);
  }
});

test('whoever discovers queues by scanning finds the queue alone', async () => {
  await leave();
  const keys = await redis.keys('*');
  const found = (pattern) => new Set(keys.map((key) => pattern.exec(key)?.[1]).filter((name) => name !== undefined));
  assert.deepEqual(found(/^.+?:(.+?):.+?$/), new Set([QUEUE]));
  for (const name of ['meta', 'id']) assert.deepEqual(found(new RegExp(`^${prefix}:(.*):${name}$`)), new Set([QUEUE]));
});

for (const [version, { Queue }] of Object.entries(VERSIONS)) {
  describe(`BullMQ ${version}`, () => {
    async function on(run) {
      const queue = new Queue(QUEUE, { connection, prefix });
      await queue.waitUntilReady();
      try {
        await run(queue);
      } finally {
        await queue.close();
      }
    }

    test('removes orphans and passes over our keys', { skip: !('removeOrphanedJobs' in Queue.prototype) }, () => on(async (queue) => {
      const keys = await leave();
      await redis.hset(`${prefix}:${QUEUE}:orphan`, 'name', 'n');
      const states = await queue.getJobCounts();
      assert.equal(await queue.removeOrphanedJobs(), 1);
      assert.equal(await redis.exists(`${prefix}:${QUEUE}:orphan`), 0);
      assert.deepEqual(await ours(), keys);
      assert.deepEqual(await queue.getJobCounts(), states);
    }));

    test('obliterates the queue, and nothing of ours stays for ever', () => on(async (queue) => {
      await leave();
      await queue.obliterate({ force: true });
      for (const key of await redis.keys('*')) {
        assert.ok((await redis.pttl(key)) > 0, key);
        assert.ok(key.startsWith(base), key);
      }
    }));

    test('refuses an id that would be one of our keys', () => on(async (queue) => {
      await assert.rejects(queue.add('n', {}, { jobId: 'batchmq:heartbeat' }), /Custom Id cannot contain :/);
    }));
  });
}
