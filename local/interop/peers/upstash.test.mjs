// A producer with four plain commands, as a function at the edge has that cannot run BullMQ: @upstash/redis over
// our REST gateway. It writes no `meta` and runs no script; what it adds is drained by ours and by Node workers.
import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis as Upstash } from '@upstash/redis';
import { QUEUE, VERSIONS, connection, database, deo, drain, project, redis, snapshots } from '../bullmq/deo.mjs';

const PREFIX = 'engineo';
const NAME = 'deo_score_recompute';
const key = (name) => `${PREFIX}:${QUEUE}:${name}`;
const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = process.env;

beforeEach(() => redis.flushdb());
after(async () => {
  await redis.quit();
  await database.end();
});

for (const [way, options] of Object.entries({ 'one after the other': { enableAutoPipelining: false }, 'pipelined': {} })) {
  const edge = new Upstash({ url, token, ...options });
  /** INCR, HSET, LPUSH, ZADD: the hash first, since an id without one is no job. */
  async function add(projectId) {
    const id = String(await edge.incr(key('id')));
    const data = { projectId, triggeredByUserId: null, reason: 'manual' };
    await edge.hset(key(id), { name: NAME, data: JSON.stringify(data), opts: '{}', timestamp: Date.now(), delay: 0, priority: 0 });
    await edge.lpush(key('wait'), id);
    await edge.zadd(key('marker'), { score: 0, member: '0' });
    return id;
  }
  const addAll = (projects) => Promise.all(projects.map(add));
  const projects = (count) => Promise.all(Array.from({ length: count }, project));
  const completed = async () => (await redis.zrange(key('completed'), 0, -1)).sort();

  describe(`a producer with four plain commands, ${way}`, () => {
    test('its jobs are drained', async () => {
      const asked = await projects(20);
      const ids = await addAll(asked);
      assert.equal(new Set(ids).size, 20);
      const report = await drain();
      assert.deepEqual([report.completed, report.failed, report.lost], [20, 0, 0]);
      assert.deepEqual(await completed(), ids.sort());
      for (const id of asked) assert.equal((await snapshots(id)).length, 1);
    });

    test('a queue that ours paused keeps them, and all run once ours resumes', async () => {
      const asked = await projects(4);
      const before = await addAll(asked.slice(0, 2));
      await deo(['queue', 'pause', '--json']);
      const meanwhile = await addAll(asked.slice(2));
      assert.equal((await drain()).stoppedBecause, 'paused');
      await deo(['queue', 'resume', '--json']);
      assert.equal((await drain()).completed, 4);
      assert.deepEqual(await completed(), [...before, ...meanwhile].sort());
    });

    for (const [version, { Worker }] of Object.entries(VERSIONS)) {
      test(`its jobs wake a worker of BullMQ ${version}, and it runs them`, async () => {
        const worker = new Worker(QUEUE, async (job) => job.data.projectId, { connection, prefix: PREFIX });
        await worker.waitUntilReady();
        while (!(await redis.client('LIST')).includes('cmd=bzpopmin')) await sleep(2);
        const began = Date.now();
        const asked = await projects(20);
        const ids = await addAll(asked);
        while ((await redis.zcard(key('completed'))) < 20 && Date.now() < began + 20_000) await sleep(2);
        const took = Date.now() - began;
        await worker.close();
        assert.deepEqual(await completed(), ids.sort());
        const results = await Promise.all(ids.map((id) => redis.hget(key(id), 'returnvalue')));
        assert.deepEqual(results.map((text) => JSON.parse(text)).sort(), asked.sort());
        // Unwoken, it would look after five seconds.
        assert.ok(took < 4_000, `${took} ms`);
      });
    }
  });
}
