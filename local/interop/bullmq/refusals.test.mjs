// What a queue refuses to take: each version's `Queue.add` and ours say the same of every id and option,
// but for what EXCEPTIONS lists with its reason.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { QUEUE, VERSIONS, connection, database, redis } from './deo.mjs';
import { Driver } from './driver.mjs';

const prefix = 'engineo';
const LAST = 2 ** 21 - 1;

const IDS = [
  'a', 'A-1', '1a', ' 1', '1 ', '+1', '1.0', '1e3', '0x1f', '-', '--1', 'Infinity', 'é',
  '0', '1', '12', '-1', '-5', 'NaN', '007', '00', '-0',
  '9007199254740991', '9007199254740992', '9007199254740993', '18446744073709551615', '18446744073709552000',
  '123456789012345680000', '123456789012345678901', '999999999999999900000', '999999999999999999999',
  '1000000000000000000000', '1000000000000000000001', '1e+21', '100000000000000000000000',
  ':', 'a:b', 'a:b:c', '::', 'a:b:c:d', '1:2:3', '0:', '0:a', '0:a:b', '00:a:b', '-0:a:b',
];

const dedup = (deduplication) => ({ deduplication });
const fixed = (jitter) => ({ backoff: { type: 'fixed', delay: 10, jitter } });
const OPTIONS = [
  ...[0, 1, LAST, LAST + 2, 2 ** 32, 1.5].map((priority) => ({ priority })),
  ...[0, 1, 2 ** 31, 2 ** 41].map((delay) => ({ delay })),
  ...[0, 1, 100].map((attempts) => ({ attempts })),
  // The data is 11 bytes long, of which é is two.
  ...[0, 1, 10, 11, 12].map((sizeLimit) => ({ sizeLimit })),
  dedup({ id: 'd' }), dedup({ id: '' }), dedup({}), dedup({ ttl: 5 }), dedup({ id: '1' }), dedup({ id: 'a:b' }), dedup({ id: '0:' }),
  dedup({ id: 'd', ttl: 0 }), dedup({ id: 'd', ttl: 5_000 }), dedup({ id: 'd', ttl: 5_000, extend: true, replace: true }),
  dedup({ id: 'd', keepLastIfActive: true }), dedup({ id: 'd', ttl: 5_000, keepLastIfActive: true }),
  ...[0, 0.5, 1, -0.1, 1.1, 2].map(fixed),
  { backoff: { type: 'exponential', delay: 10, jitter: 1.1 } }, { backoff: { type: 'exponential', delay: 0 } },
  { lifo: true }, { lifo: true, priority: 5 }, { delay: 5, priority: 5, lifo: true },
  { removeOnComplete: true, removeOnFail: { count: 0 } }, { removeOnComplete: { age: 1, count: 1, limit: 1 } },
  { timestamp: 1 },
];

const ALL = Object.keys(VERSIONS);
const FIVE = ALL.filter((version) => version.startsWith('5.'));
/** BullMQ takes these in the versions named, and we do not. */
const EXCEPTIONS = [
  { opts: { jobId: '' }, versions: ALL, why: 'there it asks for a counted id, which here is asked for by giving none' },
  { name: '', versions: ALL, why: 'no handler can be told by it' },
  { opts: { priority: LAST + 1 }, versions: ['5.65.1'], why: 'the later versions correct it: it leaves the counter of its place no room' },
  { opts: { priority: -1 }, versions: ALL, why: 'out of the range that is documented: it would run before all others' },
  { opts: { delay: -1 }, versions: ALL, why: 'no time before now can be waited for' },
  { opts: { backoff: { type: 'lunar', delay: 1 } }, versions: ALL, why: 'only a worker of Node\'s can be given a strategy of one\'s own' },
  { opts: { debounce: { id: 'd' } }, versions: FIVE, why: 'was removed in 6; it is deduplication by its old name' },
  { opts: { repeat: { every: 60_000 } }, versions: ALL, why: 'repeatable jobs are the old way (6 no longer acts on it); ours are made by `deo queue schedule`' },
];

/** BullMQ adds these, too, but takes the id in the script's answer for the code of an error, and says that it failed. */
const MISTAKEN = ['-07', '-1e3', '-1.5', '-Infinity', '-9007199254740993'];

let driver;
before(async () => {
  driver = new Driver(process.env);
  await driver.send({ op: 'open', prefix, queue: QUEUE, events: 'off', lockMs: 30_000 });
});
beforeEach(() => redis.flushdb());
after(async () => {
  driver.close();
  await redis.quit();
  await database.end();
});

const data = { a: 'éxx' };

/** Why we refuse it; undefined if we do not. */
async function ours(name, opts) {
  const answer = await driver.send({ op: 'enqueue', jobs: [{ name, data: JSON.stringify(data), opts }] });
  return answer.refused ?? answer.error;
}

for (const [version, { FlowProducer, Queue }] of Object.entries(VERSIONS)) {
  describe(`BullMQ ${version}`, () => {
    let queue;
    before(() => { queue = new Queue(QUEUE, { connection, prefix }); });
    after(() => queue.close());
    const theirs = (name, opts) => queue.add(name, data, opts).then(() => undefined, ({ message }) => message);

    for (const opts of [...IDS.map((jobId) => ({ jobId })), ...OPTIONS]) {
      test(`of ${JSON.stringify(opts)}`, async () => {
        const there = await theirs('name', opts);
        await redis.flushdb();
        const here = await ours('name', opts);
        assert.equal(here === undefined, there === undefined, `BullMQ: ${there ?? 'accepted'}; deo: ${here ?? 'accepted'}`);
      });
    }

    for (const { name = 'name', opts = {}, versions, why } of EXCEPTIONS) {
      test(`refused here: ${JSON.stringify({ name, ...opts })}, since ${why}`, async () => {
        const there = await theirs(name, opts);
        assert.equal(there === undefined, versions.includes(version), there);
        await redis.flushdb();
        assert.notEqual(await ours(name, opts), undefined);
      });
    }

    for (const jobId of MISTAKEN) {
      test(`of ${jobId}, which BullMQ adds and calls failed`, async () => {
        assert.match(await theirs('name', { jobId }), /^Unknown code -/);
        assert.equal(await redis.exists(`${prefix}:${QUEUE}:${jobId}`), 1);
        await redis.flushdb();
        assert.equal(await ours('name', { jobId }), undefined);
      });
    }

    for (const jobId of ['007', '-0', '9007199254740993']) {
      test(`a job ${jobId} that gets a parent while it is active lets it go`, async () => {
        await queue.add('child', {}, { jobId });
        const { claim } = await driver.send({ op: 'claim', count: 1 });
        const flows = new FlowProducer({ connection, prefix });
        try {
          const child = { name: 'child', queueName: QUEUE, opts: { jobId } };
          const { job: parent } = await flows.add({ name: 'parent', queueName: QUEUE, children: [child] });
          assert.equal(await parent.getState(), 'waiting-children');
          const { codes } = await driver.send({ op: 'settle', claim, jobs: [{ id: jobId, how: 'complete', value: '"v"' }] });
          assert.deepEqual(codes, [0]);
          assert.equal(await parent.getState(), 'waiting');
          assert.deepEqual(Object.values(await parent.getChildrenValues()), ['v']);
        } finally {
          await flows.close();
        }
      });
    }
  });
}
