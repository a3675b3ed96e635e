// A worker's limiter: BullMQ's and ours count the same jobs together.
import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { QUEUE, VERSIONS, connection, database, drain, project, redis } from './deo.mjs';

const prefix = 'engineo';
const key = `${prefix}:${QUEUE}:limiter`;

beforeEach(() => redis.flushdb());
after(async () => {
  await redis.quit();
  await database.end();
});

for (const [version, { Queue, Worker }] of Object.entries(VERSIONS)) {
  test(`a limit is shared with BullMQ ${version}`, async () => {
    const queue = new Queue(QUEUE, { connection, prefix });
    const limiter = { max: 5, duration: 60_000 };
    const [worker, rested] = [1, 2].map(() => new Worker(QUEUE, null, { connection, prefix, autorun: false, limiter }));
    const limited = { QUEUE_LIMITER_MAX: '5', QUEUE_LIMITER_DURATION_MS: '60000' };
    try {
      const projectId = await project();
      await queue.addBulk(Array.from({ length: 9 }, () => ({ name: 'deo_score_recompute', data: { projectId } })));
      for (let i = 0; i < 3; i += 1) assert.ok(await worker.getNextJob('token', { block: false }));
      const report = await drain(limited);
      assert.deepEqual([report.completed, report.stoppedBecause], [2, 'limited']);
      assert.equal(await redis.get(key), '5');
      assert.ok(await redis.pttl(key) > 0);
      assert.equal(await worker.getNextJob('token', { block: false }), undefined);
      // The time is over: ours begins, and BullMQ counts on, by a worker that was not told to wait.
      await redis.del(key);
      assert.equal((await drain(limited)).completed, 4);
      assert.equal(await redis.get(key), '4');
      await queue.add('deo_score_recompute', { projectId });
      assert.ok(await rested.getNextJob('token', { block: false }));
      assert.equal(await redis.get(key), '5');
    } finally {
      await Promise.all([worker.close(), rested.close()]);
      await queue.close();
    }
  });
}
