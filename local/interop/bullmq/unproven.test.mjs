// `meta.version` is what the last process wrote that opened the queue: it proves nothing about who works there.
// Whatever it says, no order of pauses, adds and resumes loses a job, and what is asked for while its job is
// active runs once more.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { NEWEST, OLDEST, QUEUE, VERSIONS, connection, database, project, recompute, redis } from './deo.mjs';
import { Driver, REDIS_ENV } from './driver.mjs';

const PREFIX = 'unproven';
// None is what BullMQ's Python port leaves, and any producer of plain commands; an older or newer one than those at
// work is what another service writes, or a dashboard.
const claimsBeside = (version) => [
  null, '', 'deo:0.1.0', 'batchmq:0.1.0', 'bullmq-pro:7.28.0',
  ...(version.startsWith('5') ? ['bullmq:5.65.1', `bullmq:${NEWEST}`] : ['bullmq:5.81.5', 'bullmq:7.0.0']),
];

after(async () => {
  await redis.quit();
  await database.end();
});

const key = (queue, name, prefix = PREFIX) => `${prefix}:${queue}:${name}`;
async function claimVersion(queue, value, prefix = PREFIX) {
  if (value === null) await redis.hdel(key(queue, 'meta', prefix), 'version');
  else await redis.hset(key(queue, 'meta', prefix), 'version', value);
}

/** A queue of its own, on which deo and BullMQ's versions each can pause, add and resume. */
async function world(versions) {
  const queue = `q${randomUUID()}`;
  const driver = new Driver(REDIS_ENV);
  const ask = (request) => driver.ask(request);
  await ask({ op: 'open', prefix: PREFIX, queue, events: 'off', lockMs: 30_000 });
  const peers = {
    deo: {
      pause: () => ask({ op: 'pause' }),
      resume: () => ask({ op: 'resume' }),
      add: async () => (await ask({ op: 'enqueue', jobs: [{ name: 'job', data: '{}' }] })).added[0].id,
    },
  };
  const open = [];
  for (const version of versions) {
    const peer = new VERSIONS[version].Queue(queue, { connection, prefix: PREFIX, skipMetasUpdate: true });
    open.push(peer);
    peers[version] = {
      pause: () => peer.pause(),
      resume: () => peer.resume(),
      add: async () => (await peer.add('job', {})).id,
    };
  }
  return {
    queue,
    peers,
    async close() {
      driver.close();
      await Promise.all(open.map((peer) => peer.close()));
    },
  };
}

/** Does `steps` ([peer, call]) on an empty queue that claims to be of a version; every job then runs, once. */
async function everyJobRuns({ queue, peers }, value, steps, worker) {
  const keys = await redis.keys(key(queue, '*'));
  if (keys.length > 0) await redis.del(keys);
  await claimVersion(queue, value);
  const added = [];
  for (const [peer, call] of steps) {
    const id = await peers[peer][call]();
    if (call === 'add') added.push(id);
  }
  const told = `${JSON.stringify(value)}: ${JSON.stringify(steps)}`;
  const found = await redis.lrange(key(queue, 'wait'), 0, -1);
  assert.deepEqual(found.sort(), added.sort(), told);
  // Within a worker's patience of 5 s only if it is woken: it sleeps on the marker.
  assert.equal(await redis.zscore(key(queue, 'marker'), '0'), '0', told);
  const { Worker } = VERSIONS[worker];
  const ran = [];
  const running = new Worker(queue, async (job) => ran.push(job.id), { connection, prefix: PREFIX });
  const late = Date.now() + 20_000;
  while ((await redis.zcard(key(queue, 'completed'))) < added.length && Date.now() < late) await sleep(2);
  await running.close();
  assert.deepEqual(ran.sort(), added, told);
}

/** Each of `pausers` pauses what is empty or not, each of `adders` adds meanwhile, each of `resumers` resumes. */
function* orders({ pausers, adders, resumers }) {
  for (const pauser of pausers) {
    for (const resumer of resumers) {
      for (const before of [[], adders]) {
        for (const meanwhile of [...adders.map((adder) => [adder]), adders, adders.toReversed()]) {
          const adds = (by) => by.map((adder) => [adder, 'add']);
          yield [...adds(before), [pauser, 'pause'], ...adds(meanwhile), [resumer, 'resume']];
        }
      }
    }
  }
}

/** Runs all orders under each claim, claims at once, each by the workers in turn. */
async function allOrders(versions, sides, claims) {
  let done = 0;
  await Promise.all(claims.map(async (value) => {
    const place = await world(versions);
    for (const steps of orders(sides)) {
      await everyJobRuns(place, value, steps, versions[done % versions.length]);
      done += 1;
    }
    await place.close();
  }));
  return done;
}

for (const version of Object.keys(VERSIONS)) {
  // Not over REST as well, which the same scripts travel: `run` picks that by the words "BullMQ 6".
  describe(`unproven version, ${version}`, () => {
    test('every job runs, whoever pauses, adds and resumes', async (t) => {
      const both = ['deo', version];
      const claims = claimsBeside(version);
      const done = await allOrders([version], { pausers: both, adders: both, resumers: both }, claims);
      t.diagnostic(`${done} orders`);
      assert.equal(done, claims.length * 32);
    });

    test('what is asked for while its job is active runs once more', async () => {
      const prefix = 'engineo'; // the API's
      for (const value of claimsBeside(version)) {
        await redis.flushdb();
        if (value !== null) await claimVersion(QUEUE, value, prefix);
        const id = await project();
        const first = await recompute(id);
        const runs = [];
        let start, release;
        const [started, released] = [new Promise((resolve) => { start = resolve; }), new Promise((resolve) => { release = resolve; })];
        const worker = new VERSIONS[version].Worker(QUEUE, async (job) => {
          runs.push(job.id);
          start();
          await released;
        }, { connection, prefix });
        await started;
        let second, third;
        try {
          second = await recompute(id);
          // The second's job stands for it.
          third = await recompute(id);
          release();
          const late = Date.now() + 20_000;
          while ((await redis.zcard(key(QUEUE, 'completed', prefix))) < 2 && Date.now() < late) await sleep(2);
        } finally {
          release();
          await worker.close();
        }
        assert.deepEqual([second, third].map(({ headers }) => headers.get('x-deduplicated')), ['after-active', 'true'], value);
        assert.deepEqual(runs, [first, second].map(({ headers }) => headers.get('x-job-id')), value);
        assert.equal(third.headers.get('x-job-id'), runs[1]);
        assert.deepEqual(await redis.keys(key(QUEUE, 'd[en]:*', prefix)), [], value);
      }
    });
  });
}

// BullMQ 5's resume renames `paused` over what 6 added to `wait`, so that it has no part in it here. What the three
// lose together otherwise: ../fleet/majors.test.mjs.
describe('unproven version, both majors', () => {
  test('every job runs where 6 or deo resumes', async (t) => {
    const [both, all] = [[OLDEST, NEWEST], ['deo', OLDEST, NEWEST]];
    const claims = [null, 'batchmq:0.1.0', `bullmq:${OLDEST}`, `bullmq:${NEWEST}`];
    const done = await allOrders(both, { pausers: all, adders: all, resumers: ['deo', NEWEST] }, claims);
    t.diagnostic(`${done} orders`);
    assert.equal(done, claims.length * 60);
  });
});
