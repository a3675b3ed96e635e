// Plain jobs, each way, against each version of BullMQ.
import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import { QUEUE, VERSIONS, connection, database, drain, once, project, recompute, redis, snapshots } from './deo.mjs';

const prefix = 'engineo';
const NAME = 'deo_score_recompute';
const data = (projectId) => ({ projectId, triggeredByUserId: null, reason: 'manual' });

beforeEach(() => redis.flushdb());
after(async () => {
  await redis.quit();
  await database.end();
});

for (const [version, { Queue, QueueEvents, Worker }] of Object.entries(VERSIONS)) {
  describe(`BullMQ ${version}`, () => {
    const open = [];
    const queue = () => track(new Queue(QUEUE, { connection, prefix }));
    const worker = (run) => track(new Worker(QUEUE, run, { connection, prefix, drainDelay: 1 }));
    function track(peer) {
      open.push(peer);
      return peer;
    }
    after(() => Promise.all(open.map((peer) => peer.close())));

    test('a job added by BullMQ is drained', async () => {
      const q = queue();
      const id = await project();
      const job = await q.add(NAME, data(id));
      const report = await drain();
      assert.equal(report.completed, 1);
      assert.equal(await job.getState(), 'completed');
      const stored = await q.getJob(job.id);
      const rows = await snapshots(id);
      assert.equal(rows.length, 1);
      assert.deepEqual(stored.returnvalue, { projectId: id, snapshotId: rows[0].id });
      assert.equal(stored.attemptsMade, 1);
      assert.ok(stored.finishedOn >= stored.processedOn);
      const counts = await q.getJobCounts();
      assert.equal(counts.completed, 1);
      assert.equal(counts.active + counts.waiting + counts.delayed + counts.failed, 0);
    });

    test('a waiting caller hears of it when final events are on', async () => {
      const q = queue();
      const events = track(new QueueEvents(QUEUE, { connection, prefix }));
      await events.waitUntilReady();
      const id = await project();
      const job = await q.add(NAME, data(id));
      const [result] = await Promise.all([
        job.waitUntilFinished(events, 20_000),
        drain({ ENABLE_QUEUE_EVENTS: 'final' }),
      ]);
      assert.equal(result.projectId, id);
    });

    test('a job that can never work fails with its reason and can be retried by hand', async () => {
      const q = queue();
      const id = await project();
      const unknown = await q.add(NAME, data('nobody'), { attempts: 3 });
      const malformed = await q.add(NAME, { project: id }, { attempts: 3 });
      const good = await q.add(NAME, data(id));
      const report = await drain();
      assert.deepEqual([report.completed, report.failed, report.retried], [1, 2, 0]);
      assert.equal(await good.getState(), 'completed');
      for (const [job, reason] of [[unknown, /Project not found/], [malformed, /Malformed job data/]]) {
        const stored = await q.getJob(job.id);
        assert.equal(await stored.getState(), 'failed');
        assert.match(stored.failedReason, reason);
        assert.match(stored.stacktrace[0], reason);
        assert.equal(stored.attemptsMade, 1);
        await stored.retry('failed');
        assert.equal(await stored.getState(), 'waiting');
      }
      assert.equal((await drain()).failed, 2);
    });

    test('priorities, delays and order are kept', async () => {
      const q = queue();
      const seen = [];
      const ids = { low: await project(), high: await project(), plain: await project(), late: await project(), front: await project() };
      await q.add(NAME, data(ids.low), { priority: 20 });
      await q.add(NAME, data(ids.high), { priority: 2 });
      await q.add(NAME, data(ids.plain));
      await q.add(NAME, data(ids.front), { lifo: true });
      const late = await q.add(NAME, data(ids.late), { delay: 1500 });
      await drain({ QUEUE_BATCH_SIZE: '1', DRAIN_LANES: '1' });
      const done = (await q.getCompleted()).sort((a, b) => a.finishedOn - b.finishedOn || a.processedOn - b.processedOn);
      for (const job of done) seen.push(Object.keys(ids).find((key) => ids[key] === job.data.projectId));
      assert.deepEqual(seen, ['front', 'plain', 'high', 'low']);
      assert.equal(await late.getState(), 'delayed');
      await new Promise((resolve) => setTimeout(resolve, late.timestamp + 1600 - Date.now()));
      assert.equal((await drain()).completed, 1);
      assert.equal(await late.getState(), 'completed');
    });

    test('a paused queue is left alone', async () => {
      const q = queue();
      const id = await project();
      await q.pause();
      const job = await q.add(NAME, data(id));
      const enqueued = await recompute(await project());
      assert.equal(enqueued.status, 201);
      const report = await drain();
      assert.equal(report.stoppedBecause, 'paused');
      assert.equal(report.claimed, 0);
      await q.resume();
      assert.equal((await drain()).completed, 2);
      assert.equal(await job.getState(), 'completed');
    });

    test('a job enqueued by the API is processed by a worker', async () => {
      const q = queue();
      await q.waitUntilReady();
      const id = await project();
      const answer = await recompute(id);
      assert.equal(answer.status, 201);
      assert.deepEqual(answer.body, { projectId: id, enqueued: true });
      const jobId = answer.headers.get('x-job-id');
      const w = worker(async (job) => ({ saw: job.data.projectId }));
      await once(w, 'completed');
      await w.close();
      const job = await q.getJob(jobId);
      assert.equal(await job.getState(), 'completed');
      assert.deepEqual(job.returnvalue, { saw: id });
      assert.equal(job.name, NAME);
      assert.equal(job.opts.attempts, 3);
      const counts = await q.getJobCounts();
      assert.equal(counts.completed, 1);
      assert.equal(await redis.exists(`${prefix}:${QUEUE}:de:${id}`), 0);
    });

    test('a sleeping worker wakes when the API enqueues', async () => {
      const w = worker(async () => 'done');
      await w.waitUntilReady();
      // The first claim of a fresh worker finds nothing and puts it to sleep on the marker.
      while (!(await redis.client('LIST')).includes('cmd=bzpopmin')) await new Promise(setImmediate);
      const finished = once(w, 'completed');
      await recompute(await project());
      const [job] = await finished;
      assert.ok(job.processedOn - job.timestamp < 500, `woke after ${job.processedOn - job.timestamp} ms`);
      await w.close();
    });

    test('a second request while a job waits reuses it; while it runs, it runs once more', async () => {
      const q = queue();
      await q.waitUntilReady();
      const id = await project();
      const first = await recompute(id);
      const second = await recompute(id);
      assert.equal(second.headers.get('x-deduplicated'), 'true');
      assert.equal(second.headers.get('x-job-id'), first.headers.get('x-job-id'));

      const runs = [];
      let started;
      const running = new Promise((resolve) => { started = resolve; });
      let release;
      const released = new Promise((resolve) => { release = resolve; });
      const twice = new Promise((resolve) => {
        const w = worker(async (job) => {
          runs.push(job.id);
          started();
          await released;
          return runs.length;
        });
        w.on('completed', () => runs.length === 2 && resolve(w));
      });
      await running;
      const third = await recompute(id);
      assert.equal(third.headers.get('x-deduplicated'), 'after-active');
      release();
      await (await twice).close();
      assert.equal(new Set(runs).size, 2);
      const counts = await q.getJobCounts();
      assert.deepEqual([counts.completed, counts.waiting, counts.active], [2, 0, 0]);
      assert.deepEqual(await redis.keys(`${prefix}:${QUEUE}:d[en]:*`), []);
    });

    test('a manual request does not wait behind the scheduled ones', async () => {
      const q = queue();
      await q.waitUntilReady();
      const [first, wanted] = [await project(), await project()];
      await recompute(first, { reason: 'scheduled' });
      const night = await recompute(wanted, { reason: 'scheduled' });
      const manual = await recompute(wanted);
      assert.equal(manual.headers.get('x-job-id'), night.headers.get('x-job-id'));
      const job = await q.getJob(night.headers.get('x-job-id'));
      assert.equal(await job.getState(), 'waiting');
      await drain({ QUEUE_BATCH_SIZE: '1' });
      const done = await q.getCompleted();
      const at = (id) => done.find((j) => j.data.projectId === id).processedOn;
      assert.ok(at(wanted) <= at(first));
    });

    test('events are written as asked', async () => {
      const q = queue();
      const written = async (setting) => {
        await redis.del(`${prefix}:${QUEUE}:events`);
        await q.add(NAME, data(await project()));
        const before = (await redis.xrange(`${prefix}:${QUEUE}:events`, '-', '+')).length;
        await drain({ ENABLE_QUEUE_EVENTS: setting });
        const entries = await redis.xrange(`${prefix}:${QUEUE}:events`, '-', '+');
        return entries.slice(before).map(([, fields]) => fields[1]);
      };
      assert.deepEqual(await written('false'), []);
      assert.deepEqual(await written('final'), ['completed']);
      assert.deepEqual(await written('true'), ['active', 'completed', 'drained']);
    });
  });
}
