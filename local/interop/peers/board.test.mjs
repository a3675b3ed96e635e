// bull-board's HTTP API on queues whose jobs are ours: it lists them in every state, and acts on them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { HonoAdapter } from '@bull-board/hono';
import { serve } from '@hono/node-server';
import { serveStatic } from '@hono/node-server/serve-static';
import { Hono } from 'hono';
import { Driver, REDIS_ENV } from '../bullmq/driver.mjs';
import { Redis, VERSIONS } from '../bullmq/modules.mjs';

const { hostname: host, port } = new URL(REDIS_ENV.REDIS_URL);
const connection = { host, port: Number(port), maxRetriesPerRequest: null };
const PREFIX = 'board';

for (const [version, { Queue, Worker }] of Object.entries(VERSIONS)) {
  describe(`bull-board over BullMQ ${version}`, () => {
    let driver, server, base, queue, view;
    let made = 0;

    const ask = (request) => driver.ask(request);
    const add = async (...options) => {
      const jobs = options.map((opts, n) => ({ name: 'ours', data: JSON.stringify({ n }), opts }));
      return (await ask({ op: 'enqueue', jobs })).added.map(({ id }) => id);
    };
    const claim = (count = 10) => ask({ op: 'claim', count });
    const end = (claimed, how, value) => ask({
      op: 'settle', claim: claimed.claim, jobs: claimed.jobs.map(({ id }) => ({ id, how, value })),
    });

    /** A queue of its own for each test, on a board. */
    async function board(run, prefix = PREFIX) {
      made += 1;
      const name = `${version.replaceAll('.', '_')}-${made}`;
      queue = new Queue(name, { connection, prefix });
      await queue.waitUntilReady();
      driver = new Driver(REDIS_ENV);
      await ask({ op: 'open', prefix, queue: name, events: 'all', lockMs: 30_000 });
      const serverAdapter = new HonoAdapter(serveStatic);
      view = createBullBoard({ queues: [new BullMQAdapter(queue)], serverAdapter });
      const app = new Hono();
      app.route('/', serverAdapter.registerPlugin());
      await new Promise((resolve) => {
        server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, (address) => {
          base = `http://127.0.0.1:${address.port}/api/queues`;
          resolve();
        });
      });
      try {
        await run(name);
      } finally {
        await new Promise((resolve) => server.close(resolve));
        await queue.close();
        driver.close();
      }
    }
    /** The board's view of the queue, and of the jobs in one state. */
    async function look(status = 'latest') {
      const answer = await fetch(`${base}?${new URLSearchParams({ activeQueue: queue.name, status, page: 1, jobsPerPage: 100 })}`);
      assert.equal(answer.status, 200);
      return (await answer.json()).queues.find(({ name }) => name === queue.name);
    }
    const listed = async (status) => (await look(status)).jobs.map(({ id }) => id).sort();
    async function put(path, expected) {
      const answer = await fetch(`${base}/${queue.name}${path}`, { method: 'PUT' });
      const text = await answer.text();
      assert.equal(answer.status, expected, text);
      return text;
    }

    // As the images of bull-board that are given a prefix do.
    test('finds this queue and no other where it discovers them by their keys', () => board(async (name) => {
      await ask({ op: 'enqueue', jobs: [{ name: 'ours', data: '{}' }], key: 'a caller\'s: own:lock' });
      await end(await claim(1), 'complete', '1');
      const client = new Redis(connection);
      const [prefix] = queue.toKey('').split(':');
      await client.xadd(`${prefix}:${name}:batchmq:heartbeat`, '*', 'at', '1', 'report', '{}');
      const keys = await client.keys(`${prefix}:*`);
      assert.ok(keys.some((key) => key.includes(':batchmq:receipt-once-')), `${keys}`);
      const found = [...new Set(keys.map((key) => key.replace(/^.+?:(.+?):.+?$/, '$1')))];
      const queues = found.map((each) => new Queue(each, { connection, prefix }));
      view.replaceQueues(queues.map((each) => new BullMQAdapter(each)));
      const answer = await (await fetch(`${base}?${new URLSearchParams({ activeQueue: name, status: 'completed', page: 1, jobsPerPage: 9 })}`)).json();
      await Promise.all([client.quit(), ...queues.map((each) => each.close())]);
      assert.deepEqual(answer.queues.map((each) => each.name), [name]);
      assert.equal(answer.queues[0].counts.completed, 1);
    }, `discovered${version.replaceAll('.', '_')}`));

    test('lists a job in every state, with all that is ours to say', () => board(async () => {
      const [done, failing] = await add({ attempts: 1 }, { attempts: 1, removeOnFail: { count: 5 } });
      const first = await claim(1);
      await end(first, 'complete', '{"score":7}');
      await end(await claim(1), 'unrecoverable', 'cannot be');
      const [running] = await add({});
      await claim(1);
      const [waiting, ranked, late] = await add({}, { priority: 3 }, { delay: 600_000 });
      assert.deepEqual(await listed('completed'), [done]);
      assert.deepEqual(await listed('failed'), [failing]);
      assert.deepEqual(await listed('active'), [running]);
      assert.deepEqual(await listed('waiting'), [waiting]);
      assert.deepEqual(await listed('prioritized'), [ranked]);
      assert.deepEqual(await listed('delayed'), [late]);
      const { counts, jobs } = await look();
      assert.deepEqual(['completed', 'failed', 'active', 'waiting', 'prioritized', 'delayed'].map((state) => counts[state]), [1, 1, 1, 1, 1, 1]);
      assert.equal(jobs.length, 6);

      const shown = Object.fromEntries(jobs.map((job) => [job.id, job]));
      assert.deepEqual(shown[done].returnValue, { score: 7 });
      assert.ok(shown[done].finishedOn >= shown[done].processedOn);
      assert.equal(shown[done].attempts, 1);
      assert.equal(shown[failing].failedReason, 'cannot be');
      assert.match(shown[failing].stacktrace[0], /cannot be/);
      assert.equal(shown[failing].isFailed, true);
      assert.equal(shown[late].delay, 600_000);
      assert.equal(shown[ranked].opts.priority, 3);
      for (const job of jobs) {
        assert.equal(job.name, 'ours');
        assert.equal(typeof job.data.n, 'number');
        assert.ok(job.timestamp > 0);
      }
      const one = await (await fetch(`${base}/${queue.name}/${failing}`)).json();
      assert.equal(one.status, 'failed');
    }));

    test('lists a parent of a flow whose child is ours to end, and jobs of a paused queue', () => board(async () => {
      await put('/pause', 200);
      const [held] = await add({});
      const view = await look();
      assert.equal(view.isPaused, true);
      assert.deepEqual(await listed('paused'), [held]);
      assert.deepEqual((await claim()).status, 'paused');
      await put('/resume', 200);
      assert.deepEqual((await claim()).jobs.map(({ id }) => id), [held]);

      const { FlowProducer } = VERSIONS[version];
      const flows = new FlowProducer({ connection, prefix: PREFIX });
      const { job: parent } = await flows.add({ name: 'parent', queueName: queue.name, children: [{ name: 'child', queueName: queue.name }] });
      await flows.close();
      assert.deepEqual(await listed('waiting-children'), [parent.id]);
      await end(await claim(), 'complete', '1');
      assert.deepEqual(await listed('waiting-children'), []);
      assert.deepEqual(await listed('waiting'), [parent.id]);
    }));

    // Ours puts what waits into `paused`, which every version resumes without loss. Version 6 does not count it.
    test('shows what waits in a queue that ours paused, without a number over BullMQ 6, and resumes it', () => board(async () => {
      const counted = version.startsWith('5');
      const ids = await add({}, {}, { priority: 1 });
      await ask({ op: 'pause' });
      const { isPaused, counts } = await look();
      assert.equal(isPaused, true);
      assert.deepEqual([counts.waiting, counts.paused, counts.prioritized], [0, counted ? 2 : undefined, 1]);
      assert.deepEqual([await queue.count(), (await queue.getJobs()).length], counted ? [3, 3] : [1, 1]);
      assert.deepEqual(await listed('paused'), ids.slice(0, 2));
      assert.deepEqual(await listed('waiting'), counted ? ids.slice(0, 2) : []);
      const one = await (await fetch(`${base}/${queue.name}/${ids[0]}`)).json();
      assert.equal(one.status, 'waiting');
      await put('/resume', 200);
      assert.deepEqual(await listed('waiting'), ids.slice(0, 2));
      assert.deepEqual((await claim()).jobs.map(({ id }) => id), ids);
    }));

    test('removes and empties what waits in a queue that ours paused', () => board(async () => {
      const [first] = await add({}, {}, { priority: 1 });
      await ask({ op: 'pause' });
      await put(`/${first}/clean`, 204);
      await put('/empty', 200);
      await put('/resume', 200);
      assert.deepEqual((await claim()).jobs, []);
    }));

    test('retries a failed job of ours, and a completed one', () => board(async () => {
      const [id] = await add({});
      await end(await claim(), 'unrecoverable', 'not now');
      await put(`/${id}/retry`, 204);
      assert.deepEqual(await listed('waiting'), [id]);
      assert.equal((await look()).jobs[0].failedReason, undefined);
      await end(await claim(), 'complete', '1');
      assert.deepEqual(await listed('completed'), [id]);
      await put(`/${id}/retry`, 204);
      assert.deepEqual((await claim()).jobs.map((job) => job.id), [id]);
    }));

    test('retries all failed jobs', () => board(async () => {
      const ids = await add(...Array.from({ length: 7 }, () => ({})));
      await end(await claim(), 'unrecoverable', 'not now');
      assert.deepEqual(JSON.parse(await put('/retry/failed', 200)), { retried: 7, skipped: 0 });
      const worker = new Worker(queue.name, async () => 'by Node', { connection, prefix: PREFIX });
      await new Promise((resolve) => { worker.on('drained', resolve); });
      await worker.close();
      assert.deepEqual(await listed('completed'), ids.sort());
    }));

    test('promotes one delayed job, then all', () => board(async () => {
      const ids = await add({ delay: 600_000 }, { delay: 700_000 }, { delay: 800_000, priority: 2 });
      await put(`/${ids[1]}/promote`, 204);
      assert.deepEqual(await listed('waiting'), [ids[1]]);
      await put('/promote', 200);
      assert.deepEqual(await listed('delayed'), []);
      assert.deepEqual((await claim()).jobs.map(({ id }) => id).sort(), ids.sort());
    }));

    test('removes a job, and refuses an active one', () => board(async () => {
      const [held, other] = await add({ deduplication: { id: 'held' } }, { deduplication: { id: 'other' } });
      await claim(1);
      await put(`/${held}/clean`, 409);
      await put(`/${other}/clean`, 204);
      const { counts } = await look();
      assert.deepEqual([counts.active, counts.waiting], [1, 0]);
      // Its deduplication went with it.
      const [again] = await add({ deduplication: { id: 'other' } });
      assert.notEqual(again, other);
    }));

    test('cleans completed jobs, and empties the queue', () => board(async (name) => {
      await add({}, {});
      await end(await claim(), 'complete', '1');
      // It keeps those of the last five seconds.
      await ask({ op: 'open', prefix: PREFIX, queue: name, events: 'all', lockMs: 30_000, now: Date.now() - 60_000 });
      await add({}, {}, {});
      await end(await claim(), 'complete', '1');
      await put('/clean/completed', 200);
      assert.equal((await look()).counts.completed, 2);
      await ask({ op: 'open', prefix: PREFIX, queue: name, events: 'all', lockMs: 30_000, now: Date.now() });
      await add({}, { priority: 1 });
      await put('/empty', 200);
      const { counts } = await look();
      assert.deepEqual([counts.waiting, counts.prioritized], [0, 0]);
      assert.deepEqual((await claim()).jobs, []);
    }));
  });
}
