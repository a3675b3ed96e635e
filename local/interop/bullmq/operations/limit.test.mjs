// `deo queue limit`: BullMQ reads what it wrote, and what it wrote holds BullMQ's own workers back.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { QUEUE, VERSIONS, connection, deo, redis } from '../deo.mjs';
import { BULL, eachVersion } from './twins.mjs';

const limit = (...args) => deo(['queue', 'limit', ...args, '--json'], { REDIS_PREFIX: BULL });

eachVersion('limit', ({ q, version, take, add, judge }) => {
  describe('limit', () => {
    test('the concurrency', async () => {
      await judge(['limit', '--concurrency', '7'], () => q().setGlobalConcurrency(7));
      assert.equal((await limit('--concurrency', '5')).concurrency, 5);
      assert.equal(await q().getGlobalConcurrency(), 5);
      await judge(['limit', '--concurrency', 'none'], () => q().removeGlobalConcurrency());
    });
    test('the rate', async () => {
      await judge(['limit', '--rate', '9/1m'], () => q().setGlobalRateLimit(9, 60_000));
      assert.deepEqual((await limit('--rate', '2/10s')).rate, { max: 2, durationMs: 10_000 });
      assert.deepEqual(await q().getGlobalRateLimit(), { max: 2, duration: 10_000 });
      await judge(['limit', '--rate', 'none'], () => q().removeGlobalRateLimit());
      assert.equal(await q().getGlobalRateLimit(), null);
    });
    test('how much of it is used', async () => {
      await limit('--rate', '1/1m', '--concurrency', '9');
      await add('a');
      await add('b');
      assert.ok(await take());
      const { queue, used, leftMs, active } = await limit();
      assert.deepEqual([queue, used, active], ['limited', 1, 1]);
      const ttl = await q().getRateLimitTtl();
      assert.ok(ttl > 0 && leftMs >= ttl && leftMs - ttl < 5_000, `${leftMs} and ${ttl}`);
    });
    for (const more of ['2', 'none']) {
      test(`a worker that sleeps over a full queue wakes at ${more}`, async () => {
        await limit('--concurrency', '1');
        await add('held');
        assert.ok(await take());
        await add('waits');
        await redis.del(`${BULL}:${QUEUE}:marker`);
        const { Worker } = VERSIONS[version];
        // It would look again by itself after a minute.
        const worker = new Worker(QUEUE, async () => {}, { connection, prefix: BULL, drainDelay: 60 });
        try {
          await worker.waitUntilReady();
          await sleep(500);
          const done = once(worker, 'completed');
          const began = Date.now();
          await limit('--concurrency', more);
          const [job] = await Promise.race([done, sleep(8_000, []).then(() => assert.fail('it sleeps on'))]);
          assert.equal(job.id, 'waits');
          assert.ok(Date.now() - began < 8_000);
        } finally {
          await worker.close(true);
        }
      });
    }
  });
});
