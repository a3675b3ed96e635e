// What our drain counts, BullMQ's own `getMetrics` reads, and each goes on where the other left off.
import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import { QUEUE, VERSIONS, connection, database, drain, project, redis } from './deo.mjs';

const prefix = 'engineo';
const MINUTE = 60_000;

beforeEach(() => redis.flushdb());
after(async () => {
  await redis.quit();
  await database.end();
});

for (const [version, { Queue, Worker }] of Object.entries(VERSIONS)) {
  describe(`metrics, beside BullMQ ${version}`, () => {
    const open = [];
    const track = (peer) => (open.push(peer), peer);
    after(() => Promise.all(open.map((peer) => peer.close())));

    test('both sides count into the same minutes', async () => {
      const queue = track(new Queue(QUEUE, { connection, prefix }));
      const projectId = await project();
      const add = (n) => queue.addBulk(Array.from({ length: n }, () => ({ name: 'deo_score_recompute', data: { projectId } })));
      const env = { QUEUE_METRICS_MINUTES: '10' };
      const key = (end) => `${prefix}:${QUEUE}:metrics:${end}`;
      // Lets the time of both counters pass.
      const pass = async (minutes) => {
        for (const end of ['completed', 'failed']) {
          const at = await redis.hget(key(end), 'prevTS');
          if (at) await redis.hset(key(end), 'prevTS', at - minutes * MINUTE);
        }
      };
      await add(3);
      await queue.add('deo_score_recompute', { projectId: 'nobody' });
      const report = await drain(env);
      assert.deepEqual([report.completed, report.failed], [3, 1]);
      await pass(3);
      const worker = track(new Worker(QUEUE, null, { connection, prefix, autorun: false, metrics: { maxDataPoints: 10 } }));
      await add(1);
      const job = await worker.getNextJob('token', { block: false });
      await job.moveToCompleted('done', 'token', false);
      await pass(2);
      await add(2);
      assert.equal((await drain(env)).completed, 2);

      const completed = await queue.getMetrics('completed');
      assert.equal(completed.meta.count, 6);
      // The newest first, with the minutes between in which nothing happened; one more where the clock
      // came to a new minute meanwhile.
      const points = completed.data.map(Number);
      assert.deepEqual(points.filter((n) => n > 0), [1, 3], `${points}`);
      assert.ok(points.length === 5 || points.length === 6, `${points}`);
      assert.equal((await queue.getMetrics('failed')).meta.count, 1);
    });

    test('nobody asked, nothing counted', async () => {
      const queue = track(new Queue(QUEUE, { connection, prefix }));
      await queue.add('deo_score_recompute', { projectId: await project() });
      assert.equal((await drain()).completed, 1);
      assert.deepEqual(await redis.keys(`${prefix}:${QUEUE}:metrics:*`), []);
    });
  });
}
