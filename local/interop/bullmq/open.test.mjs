// Producers before BullMQ 5.72 drop a deduplicated add while its job is active, by their own script. With
// QUEUE_OPEN_DEDUPLICATION our claim frees the id, so that it becomes a job of its own.
import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import { VERSIONS, connection, database, redis } from './deo.mjs';
import { Driver, REDIS_ENV } from './driver.mjs';

const [PREFIX, QUEUE] = ['open', 'q'];

beforeEach(() => redis.flushdb());
after(async () => {
  await redis.quit();
  await database.end();
});

for (const [version, { Queue, Worker }] of Object.entries(VERSIONS)) {
  describe(`BullMQ ${version} adds while our drain holds the job`, () => {
    /** Adds a job, claims it, and adds another for the same id meanwhile. */
    async function addTwice(setting, deduplication, run) {
      const driver = new Driver({ ...REDIS_ENV, QUEUE_OPEN_DEDUPLICATION: String(setting) });
      await driver.send({ op: 'open', prefix: PREFIX, queue: QUEUE, events: 'off', lockMs: 30_000 });
      const queue = new Queue(QUEUE, { connection, prefix: PREFIX });
      const add = () => queue.add('job', {}, { deduplication });
      const first = await add();
      const claimed = await driver.send({ op: 'claim', count: 9 });
      assert.deepEqual(claimed.jobs.map(({ id }) => id), [first.id]);
      const end = () => driver.send({ op: 'settle', claim: claimed.claim, jobs: [{ id: first.id, how: 'complete', value: '1' }] });
      try {
        await run({ queue, driver, first, second: await add(), end, add });
      } finally {
        driver.close();
        await queue.close();
      }
    }

    test('its job is dropped unless the setting says otherwise', () => addTwice(false, { id: 'd' }, async ({ first, second, end, queue }) => {
      assert.equal(second.id, first.id);
      await end();
      assert.equal(await queue.count(), 0);
      assert.equal(await redis.exists(`${PREFIX}:${QUEUE}:de:d`), 0);
    }));

    test('with the setting it is a job of its own, and runs', () => addTwice(true, { id: 'd' }, async ({ first, second, end, add }) => {
      assert.notEqual(second.id, first.id);
      // What comes now finds the second, whose id outlives the end of the first.
      assert.equal((await add()).id, second.id);
      assert.deepEqual((await end()).codes, [0]);
      assert.equal(await redis.get(`${PREFIX}:${QUEUE}:de:d`), second.id);
      const ran = [];
      const worker = new Worker(QUEUE, async (job) => ran.push(job.id), { connection, prefix: PREFIX });
      await new Promise((resolve) => worker.once('completed', resolve));
      await worker.close();
      assert.deepEqual(ran, [second.id]);
      assert.equal(await redis.exists(`${PREFIX}:${QUEUE}:de:d`), 0);
    }));

    test('a key with a time to live stays: that window is what the producer asked for', () => addTwice(true, { id: 'd', ttl: 600_000 }, async ({ first, second, end }) => {
      assert.equal(second.id, first.id);
      assert.ok((await redis.pttl(`${PREFIX}:${QUEUE}:de:d`)) > 0);
      await end();
      assert.ok((await redis.pttl(`${PREFIX}:${QUEUE}:de:d`)) > 0);
    }));
  });
}
