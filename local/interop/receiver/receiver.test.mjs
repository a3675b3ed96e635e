// Jobs that BullMQ adds, our tick posts, and a receiver in Express or NestJS does: against a real Redis and API.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { OLDEST, Redis, VERSIONS } from '../bullmq/modules.mjs';
import * as express from './express.mjs';
import * as nest from './nest.js';
import { isSigned, settle, sign } from './signed.mjs';

const { Queue } = VERSIONS[OLDEST];
const { hostname: host, port } = new URL(process.env.REDIS_URL);
const redis = new Redis({ host, port: Number(port), maxRetriesPerRequest: null });
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const OTHER = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;
const PREFIX = 'receiver';
after(() => redis.quit());

/** Our side of a queue: its API, and ticks. */
class Ours {
  static async start(queue, url, secret = SECRET) {
    const ours = new Ours();
    const env = { ...process.env, REDIS_PREFIX: PREFIX, QUEUE_HTTP_SECRET: secret };
    const program = join(dirname(process.env.DEO), 'forward');
    ours.process = spawn(program, [queue, url], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    ours.lines = createInterface({ input: ours.process.stdout })[Symbol.asyncIterator]();
    ours.api = (await ours.next()).api;
    return ours;
  }

  async next() {
    const { value, done } = await this.lines.next();
    assert.ok(!done, 'our side ended');
    return JSON.parse(value);
  }

  tick() {
    this.process.stdin.write('\n');
    return this.next();
  }

  close() {
    this.process.stdin.end();
  }
}

async function work(job) {
  if (job.data.fails) throw new Error('told to');
  return { done: job.data.n, key: job.idempotencyKey };
}

/** A queue with these jobs, and where their ends can be seen. */
async function jobsOf(t, name, data) {
  const queue = new Queue(name, { connection: redis, prefix: PREFIX });
  t.after(() => queue.close());
  const opts = { attempts: 2, backoff: { type: 'fixed', delay: 60_000 } };
  const jobs = await queue.addBulk(data.map((data) => ({ name: 'job', data, opts })));
  const states = () => Promise.all(jobs.map((job) => queue.getJobState(job.id)));
  return { queue, ids: jobs.map((job) => job.id), states, job: (place) => queue.getJob(jobs[place].id) };
}

async function ours(t, ...args) {
  const side = await Ours.start(...args);
  t.after(() => side.close());
  return side;
}

const KINDS = {
  Express: async () => {
    const server = createServer(express.receiver(SECRET, work)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { url: `http://127.0.0.1:${server.address().port}/jobs`, close: () => server.close() };
  },
  NestJS: async () => {
    const app = await nest.receiver(SECRET, work);
    await app.listen(0, '127.0.0.1');
    return { url: `${await app.getUrl()}/jobs`, close: () => app.close() };
  },
};

for (const [kind, start] of Object.entries(KINDS)) {
  describe(`a receiver in ${kind}`, async () => {
    const receiver = await start();
    after(() => receiver.close());

    test('does the jobs, and one that it throws over fails alone', async (t) => {
      const { ids, states, job } = await jobsOf(t, `${kind}-works`, [{ n: 1 }, { fails: true }, { n: 3 }]);
      const side = await ours(t, `${kind}-works`, receiver.url);
      const report = await side.tick();
      assert.deepEqual(await states(), ['completed', 'delayed', 'completed'], JSON.stringify(report));
      assert.deepEqual((await job(2)).returnvalue, { done: 3, key: `${ids[2]}:1` });
      assert.deepEqual([(await job(1)).failedReason, (await job(1)).attemptsMade], ['told to', 1]);
    });

    test('takes a batch that is as large as one can be', async (t) => {
      const data = Array.from({ length: 30 }, (_, n) => ({ n, text: 'x'.repeat(100_000) }));
      const { states } = await jobsOf(t, `${kind}-large`, data);
      const side = await ours(t, `${kind}-large`, receiver.url);
      const report = await side.tick();
      assert.deepEqual([report.completed, report.requests], [30, 1]);
      assert.deepEqual([...new Set(await states())], ['completed']);
    });

    test('refuses what is signed with another secret, and no job pays for it', async (t) => {
      const { states, job } = await jobsOf(t, `${kind}-wrong`, [{ n: 1 }]);
      const side = await ours(t, `${kind}-wrong`, receiver.url, OTHER);
      const report = await side.tick();
      assert.match(report.error, /status 401: check its URL, and that it has the same secret/);
      assert.deepEqual([await states(), (await job(0)).attemptsMade], [['waiting'], 0]);
      // With the new secret beside the old one, as while one takes the other's place.
      const both = await ours(t, `${kind}-wrong`, receiver.url, `${OTHER} ${SECRET}`);
      await both.tick();
      assert.deepEqual(await states(), ['completed']);
    });

    test('refuses a request that comes twice, late, or changed', async () => {
      const body = JSON.stringify({ queue: 'q', claim: 'c', jobs: [] });
      const post = async (headers, sent = body) =>
        (await fetch(receiver.url, { method: 'POST', headers, body: sent })).status;
      const headers = sign(body, SECRET, 'batch_1' + kind);
      assert.deepEqual([await post(headers), await post(headers)], [200, 401]);
      const now = Math.floor(Date.now() / 1000);
      assert.equal(await post(sign(body, SECRET, 'batch_2' + kind, now - 302)), 401);
      assert.equal(await post(sign(body, SECRET, 'batch_3' + kind, 'soon')), 401);
      assert.equal(await post(sign(body, OTHER, 'batch_4' + kind)), 401);
      assert.equal(await post(sign(body, SECRET, 'batch_5' + kind), body + ' '), 401);
      assert.equal(await post({ 'content-type': 'application/json' }), 401);
      // Neither parser takes such a body, so that there are no bytes to check.
      assert.equal(await post({ 'content-type': 'text/plain' }), 401);
      assert.equal(await post({ ...sign(body, SECRET, 'batch_6' + kind), 'content-type': 'text/plain' }), 401);
    });
  });
}

describe('a receiver that goes on after its answer', async () => {
  const taken = [];
  // Reads the bytes, has the library of Standard Webhooks check them, and takes the jobs.
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    assert.ok(isSigned(request.headers, body, SECRET));
    taken.push(new Webhook(SECRET).verify(body, request.headers));
    response.writeHead(202, { 'content-type': 'application/json' }).end('{"lockMs": 60000}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}/jobs`;
  after(() => server.close());

  test('finishes its jobs by a callback to the API', async (t) => {
    const { queue, ids, states, job } = await jobsOf(t, 'long', [{ n: 1 }, { n: 2 }, { n: 3 }]);
    const side = await ours(t, 'long', url);
    const report = await side.tick();
    assert.deepEqual([report.kept, report.remaining.active], [3, 3]);
    const [batch] = taken;
    assert.deepEqual(batch.jobs.map((job) => job.id), ids);
    const lock = () => redis.pttl(`${PREFIX}:long:${ids[1]}:lock`);
    assert.ok((await lock()) <= 60_000);
    const jobs = [
      { id: ids[0], status: 'completed', returnvalue: { pages: 7 } },
      { id: ids[1], status: 'working', lockMs: 600_000 },
      { id: ids[2], status: 'failed', reason: 'no such page' },
    ];
    const outcomes = ({ jobs }) => jobs.map((job) => job.outcome);
    assert.deepEqual(outcomes(await settle(side.api, SECRET, batch, jobs)), ['completed', 'working', 'retried']);
    assert.deepEqual(await states(), ['completed', 'active', 'delayed']);
    assert.deepEqual((await job(0)).returnvalue, { pages: 7 });
    assert.ok((await lock()) > 500_000);
    // Once more, as when the answer was lost.
    assert.deepEqual(outcomes(await settle(side.api, SECRET, batch, jobs)), ['refused', 'working', 'refused']);
    assert.deepEqual(outcomes(await settle(side.api, SECRET, batch, [{ id: ids[1], status: 'completed' }])), ['completed']);
    assert.deepEqual(await states(), ['completed', 'completed', 'delayed']);
    assert.equal((await queue.getJobCounts('active')).active, 0);
  });

  test('hears why a callback does not count', async (t) => {
    const side = await ours(t, 'long-wrong', url);
    const batch = { queue: 'long-wrong', claim: 'c' };
    const jobs = [{ id: '1', status: 'completed' }];
    assert.equal((await settle(side.api, OTHER, batch, jobs)).status, 401);
    assert.equal((await settle(side.api, SECRET, { ...batch, queue: 'another' }, jobs)).status, 404);
    const wrong = await settle(side.api, SECRET, batch, [{ id: '1', status: 'done' }]);
    assert.deepEqual([wrong.statusCode, wrong.error], [400, 'BadRequestException']);
    assert.match(wrong.message, /^jobs\[0\] is malformed/);
  });
});
