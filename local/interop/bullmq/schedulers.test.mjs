// Schedulers made by BullMQ and by `deo`, whose jobs a worker of Node and our drain take at the same time:
// whoever takes one, there is one next job, and no schedule ends.
import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import { QUEUE, VERSIONS, connection, database, deo, drain, project, redis, snapshots } from './deo.mjs';
import { Driver } from './driver.mjs';

const prefix = 'engineo';
const ROUNDS = 12;
const base = `${prefix}:${QUEUE}:`;
const hour = 3_600_000;
/** Which scheduler a job is of. */
const origin = (job) => job.replace(/^repeat:(.*):\d+$/, '$1');

beforeEach(() => redis.flushdb());
after(async () => {
  await redis.quit();
  await database.end();
});

/** Makes a scheduler with `deo`. */
const schedule = (id, ...args) =>
  deo(['queue', 'schedule', 'upsert', id, ...args, '--json'], { ENABLE_QUEUE_SCHEDULERS: 'true' });

for (const [version, { Queue, Worker }] of Object.entries(VERSIONS)) {
  describe(`schedulers, beside BullMQ ${version}`, () => {
    const open = [];
    const track = (peer) => (open.push(peer), peer);
    after(() => Promise.all(open.map((peer) => peer.close())));

    test('both sides take the jobs of both, and each has one next job', async () => {
      const queue = track(new Queue(QUEUE, { connection, prefix }));
      await queue.upsertJobScheduler('theirs', { every: 60 }, { name: 'job', data: { of: 'theirs' }, opts: { removeOnComplete: 1 } });
      await queue.upsertJobScheduler('theirs:by:cron', { pattern: '* * * * * *', tz: 'Europe/Berlin' }, { name: 'job' });
      await schedule('ours', '--every', '70ms', '--name', 'job', '--data', '{"of":"ours"}');
      await schedule('ours:by:cron', '--cron', '* * * * * *', '--tz', 'Asia/Kolkata', '--name', 'job', '--priority', '3');
      const ids = ['theirs', 'theirs:by:cron', 'ours', 'ours:by:cron'];

      const done = { node: [], deo: [] };
      const data = new Map();
      const worker = track(new Worker(QUEUE, async (job) => {
        done.node.push(job.id);
        data.set(job.repeatJobKey, JSON.stringify(job.data));
      }, { connection, prefix, concurrency: 2 }));
      const driver = new Driver(process.env);
      await driver.send({ op: 'open', prefix, queue: QUEUE, events: 'all', lockMs: 30_000 });
      const made = (id) => [...done.node, ...done.deo].filter((job) => origin(job) === id);
      const enough = () => ids.every((id) => made(id).length >= (id.includes('cron') ? 3 : ROUNDS)) && done.node.length > 9 && done.deo.length > 9;
      let errors = 0;
      worker.on('error', () => { errors += 1; });
      while (!enough()) {
        const { claim, jobs, unscheduled, error } = await driver.send({ op: 'claim', count: 3 });
        assert.deepEqual([unscheduled, error], [[], undefined]);
        for (const job of jobs) {
          done.deo.push(job.id);
          data.set(job.repeatJobKey, job.data);
        }
        if (jobs.length > 0) {
          const { codes } = await driver.send({ op: 'settle', claim, jobs: jobs.map(({ id }) => ({ id, how: 'complete', value: 'null' })) });
          assert.ok(codes.every((code) => code === 0), `${codes}`);
        }
      }
      await worker.close();
      driver.close();

      assert.equal(errors, 0);
      const all = [...done.node, ...done.deo];
      assert.equal(new Set(all).size, all.length, 'a job was done twice');
      assert.deepEqual(Object.fromEntries(data), { theirs: '{"of":"theirs"}', 'theirs:by:cron': '{}', ours: '{"of":"ours"}', 'ours:by:cron': '{}' });
      const pending = (await queue.getJobs(['delayed', 'wait', 'prioritized', 'active'])).map((job) => job.id);
      for (const id of ids) {
        const next = pending.filter((job) => origin(job) === id);
        assert.equal(next.length, 1, `${id} has ${next.length} next jobs`);
        assert.equal(next[0], `repeat:${id}:${await redis.zscore(`${base}repeat`, id)}`);
        assert.equal(Number(await redis.hget(`${base}repeat:${id}`, 'ic')), made(id).length + 1);
        // A slot is left out only when its time passed while nobody came; cron's are whole seconds.
        const times = [...made(id), ...next].map((job) => Number(job.split(':').at(-1))).sort((a, b) => a - b);
        const step = { theirs: 60, ours: 70 }[id] ?? 1_000;
        times.slice(1).forEach((time, i) => assert.equal((time - times[i]) % step, 0, `${id}: ${times}`));
      }
      console.log(`BullMQ ${version}: ${done.node.length} jobs by Node, ${done.deo.length} by deo`);
    });

    test('the drain keeps a schedule of BullMQ going, and a worker goes on with it', async () => {
      const queue = track(new Queue(QUEUE, { connection, prefix }));
      const projectId = await project();
      const template = { name: 'deo_score_recompute', data: { projectId, triggeredByUserId: null, reason: 'scheduled' } };
      await queue.upsertJobScheduler('nightly', { every: hour }, template);
      assert.equal((await drain()).completed, 1);
      assert.equal((await snapshots(projectId)).length, 1);
      const [next] = await queue.getDelayed();
      assert.deepEqual([next.data, next.opts.repeat.count, next.repeatJobKey], [template.data, 2, 'nightly']);
      await next.promote();
      const worker = track(new Worker(QUEUE, null, { connection, prefix, autorun: false }));
      const job = await worker.getNextJob('token', { block: false });
      assert.equal(job.id, next.id);
      await job.moveToCompleted('done', 'token', false);
      assert.equal((await queue.getDelayed()).length, 1);
      assert.equal((await queue.getJobScheduler('nightly')).iterationCount, 3);
    });

    for (const [name, rule] of Object.entries({ interval: { every: hour }, pattern: { pattern: '0 3 * * *', tz: 'Europe/Berlin' } })) {
      test(`a schedule by ${name} whose next job is gone goes on`, async () => {
        const queue = track(new Queue(QUEUE, { connection, prefix }));
        const projectId = await project();
        const template = { name: 'deo_score_recompute', data: { projectId }, opts: { attempts: 4 } };
        await queue.upsertJobScheduler('s', rule, template);
        await redis.del(`${base}wait`, `${base}delayed`, ...(await redis.keys(`${base}repeat:s:*`)));
        const { rescheduled, claimed } = await drain();
        assert.deepEqual([rescheduled, claimed], [1, 0]);
        const [next, ...more] = await queue.getDelayed();
        assert.deepEqual([more.length, next.data, next.opts.attempts, next.repeatJobKey], [0, template.data, 4, 's']);
        assert.equal((await queue.getJobScheduler('s')).next, next.timestamp + next.delay);
        assert.equal((await drain()).rescheduled, 0);
        // And a worker goes on with it.
        await next.promote();
        const worker = track(new Worker(QUEUE, null, { connection, prefix, autorun: false }));
        assert.equal((await worker.getNextJob('token', { block: false })).id, next.id);
        assert.equal((await queue.getDelayed()).length, 1);
      });
    }

    test('a repeatable job of version 5 goes on', { skip: !version.startsWith('5') }, async () => {
      const queue = track(new Queue(QUEUE, { connection, prefix }));
      const projectId = await project();
      await queue.add('deo_score_recompute', { projectId }, { repeat: { pattern: '0 3 * * *', tz: 'Europe/Berlin' } });
      const [first] = await queue.getDelayed();
      await first.promote();
      assert.equal((await drain()).completed, 1);
      const [next, ...more] = await queue.getDelayed();
      assert.deepEqual([more.length, next.data, next.opts.repeat.count], [0, { projectId }, 2]);
      assert.equal((await queue.getRepeatableJobs())[0].next, next.opts.prevMillis);
      const worker = track(new Worker(QUEUE, null, { connection, prefix, autorun: false }));
      await next.promote();
      await worker.getNextJob('token', { block: false });
      assert.equal((await queue.getDelayed()).length, 1);
    });
  });
}
