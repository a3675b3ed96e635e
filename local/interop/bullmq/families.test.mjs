// A parent that worked must not complete over a child that failed or is open: our drain ends it as a worker does.
import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { QUEUE, VERSIONS, connection, database, drain, once, project, redis } from './deo.mjs';

const prefix = 'engineo';
const key = (name) => `${prefix}:${QUEUE}:${name}`;

beforeEach(() => redis.flushdb());
after(async () => {
  await redis.quit();
  await database.end();
});

/** Each leaves a parent in `wait` that must not complete. */
const CASES = {
  'a failed child': () => redis.zadd(key('parent:unsuccessful'), 1, key('child')),
  'an open child': () => redis.sadd(key('parent:dependencies'), key('child')),
};

for (const [version, { Queue, Worker }] of Object.entries(VERSIONS)) {
  for (const [name, make] of Object.entries(CASES)) {
    test(`BullMQ ${version}: ${name}`, async () => {
      const projectId = await project();
      const ends = [];
      for (const who of ['BullMQ', 'deo']) {
        await redis.flushdb();
        const queue = new Queue(QUEUE, { connection, prefix });
        try {
          await queue.add('deo_score_recompute', { projectId }, { jobId: 'parent', attempts: 2 });
          await make();
          if (who === 'deo') {
            assert.equal((await drain()).lost, 0);
          } else {
            const worker = new Worker(QUEUE, async () => 1, { connection, prefix });
            worker.on('error', () => {});
            await once(worker, 'drained');
            await worker.close();
          }
          const job = await queue.getJob('parent');
          const { failedReason, attemptsMade, attemptsStarted, stacktrace } = job;
          ends.push({ failedReason, attemptsMade, attemptsStarted, traces: stacktrace.length, state: await job.getState(), keys: (await redis.keys(key('parent*'))).sort() });
        } finally {
          await queue.close();
        }
      }
      assert.deepEqual(ends[1], ends[0]);
      assert.equal(ends[1].state, 'failed');
    });
  }
}
