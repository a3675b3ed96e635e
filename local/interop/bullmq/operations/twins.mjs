// The same state under two prefixes, an operation once by BullMQ and once by `deo`, and the same keys and
// refusals afterwards.
import assert from 'node:assert/strict';
import { after, beforeEach, describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { QUEUE, VERSIONS, connection, database, deo, redis } from '../deo.mjs';

export const [BULL, OURS] = ['judge', 'ours'];
export const HOUR = 3_600_000;
export const OUR_ENV = { REDIS_PREFIX: OURS, ENABLE_QUEUE_EVENTS: 'true', ENABLE_QUEUE_SCHEDULERS: 'true' };
const SLACK = 30; // ms that the two sides may read the clock apart, beyond what their calls took

const keysOf = async (prefix) =>
  (await redis.keys(`${prefix}:*`)).filter((key) => !key.includes(':batchmq:')).sort();

/** What is under a key, with every mention of `prefix` replaced. */
async function read(key, rename = (text) => text) {
  const all = (list) => list.map(rename);
  const type = await redis.type(key);
  const ttl = await redis.pttl(key);
  const value = await {
    string: async () => rename(await redis.get(key)),
    list: async () => all(await redis.lrange(key, 0, -1)),
    set: async () => all(await redis.smembers(key)).sort(),
    zset: async () => all(await redis.zrange(key, 0, -1, 'WITHSCORES')),
    hash: async () => Object.entries(await redis.hgetall(key)).map(all).sort(),
    stream: async () => (await redis.xrange(key, '-', '+')).map(([id, fields]) => [id, all(fields)]),
  }[type]();
  return { type, ttl, value };
}

/** Copies everything under one prefix to another, where jobs name themselves by the new one. */
export async function copy(from, to) {
  const rename = (text) => text.replaceAll(`${from}:`, `${to}:`);
  for (const key of await keysOf(from)) {
    const { type, ttl, value } = await read(key, rename);
    const target = rename(key);
    const pairs = (list) => list.flatMap((_, i) => (i % 2 ? [] : [list[i + 1], list[i]]));
    await {
      string: () => redis.set(target, value),
      list: () => redis.rpush(target, ...value),
      set: () => redis.sadd(target, ...value),
      zset: () => redis.zadd(target, ...pairs(value)),
      hash: () => redis.hset(target, ...value.flat()),
      stream: async () => {
        for (const [id, fields] of value) await redis.xadd(target, id, ...fields);
      },
    }[type]();
    if (ttl > 0) await redis.pexpire(target, ttl);
  }
}

/** Everything under a prefix in a form that can be compared: JSON with its keys in order. */
async function dump(prefix) {
  const rename = (text) => text.replaceAll(`${prefix}:`, '');
  const sorted = (value) =>
    value && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]))
      : value;
  const canonical = (text) => {
    try {
      return text.startsWith('{') ? JSON.stringify(sorted(JSON.parse(text))) : text;
    } catch {
      return text;
    }
  };
  // Spans that count from when the clock was read.
  const span = ([field, text]) => [
    field,
    /^(delay|offset)$/.test(field) && text !== '0' ? `ms~${text}` : text.replace(/("(?:delay|offset)":)([1-9]\d*)/g, '$1"ms~$2"'),
  ];
  const found = {};
  for (const key of await keysOf(prefix)) {
    let { type, ttl, value } = await read(key, (text) => canonical(rename(text)));
    if (type === 'hash') value = value.map(span);
    const shown = type === 'stream' ? value.map(([, fields]) => fields.join(' ')) : value;
    found[rename(key)] = { type, ttl: ttl < 0 ? ttl : 'some', value: shown };
  }
  return found;
}

/** Equal, but for times that were read from the clock while the operation ran. */
function assertSame(ours, theirs, times) {
  const slack = SLACK + times.took;
  const close = (a, b) => {
    if (a === b) return true;
    const spans = [a, b].map((text) => text.startsWith('ms~') && Number(text.slice(3)));
    if (spans[0] !== false && spans[1] !== false) return Math.abs(spans[0] - spans[1]) <= slack;
    const scale = a.length > 13 ? 4096 : 1;
    const drift = Number(a) / scale - times.ours - (Number(b) / scale - times.theirs);
    return a.length === b.length && Math.abs(drift) <= slack;
  };
  const same = (a, b) => {
    const [x, y] = [a, b].map((text) => text.split(/(ms~\d+|\d{16}(?:\.\d+)?|\d{13}(?:\.\d+)?)/));
    return x.length === y.length && x.every((part, i) => (i % 2 ? close(part, y[i]) : part === y[i]));
  };
  if (!same(JSON.stringify(ours), JSON.stringify(theirs))) {
    // What only the clock tells apart is not worth showing.
    for (const key of Object.keys(ours)) {
      if (theirs[key] && same(JSON.stringify(ours[key]), JSON.stringify(theirs[key]))) ours[key] = theirs[key];
    }
    assert.deepEqual(ours, theirs);
    assert.fail('the same but for times, which are too far apart');
  }
}

/**
 * What waits in a paused queue as one list in its order, whichever of the two keeps it. We keep it in `paused`, which
 * every version resumes without loss; version 6 leaves it in `wait`, over which the resume of version 5 would write.
 */
function waitingAsOne(keys) {
  const { [`${QUEUE}:wait`]: wait, [`${QUEUE}:paused`]: paused, ...rest } = keys;
  const lists = [wait, paused].filter(Boolean);
  const isPaused = keys[`${QUEUE}:meta`]?.value.some(([name]) => name === 'paused');
  if (!isPaused || lists.length === 0) return keys;
  return { ...rest, waiting: { ...lists[0], value: lists.flatMap(({ value }) => value) } };
}

/** The reason of a refusal, or nothing. */
export const refusal = (promise) =>
  promise.then(
    () => null,
    (error) => (error.stderr ?? error.message).replace(/^deo: /, '').trim(),
  );

/** Runs `suite` for each version of BullMQ, with a world of its own: see `world`. */
export function eachVersion(name, suite) {
  after(async () => {
    await redis.quit();
    await database.end();
  });
  for (const [version, bullmq] of Object.entries(VERSIONS)) {
    describe(`${name}, beside BullMQ ${version}`, () => suite(world(version, bullmq)));
  }
}

/** A queue under the judge's prefix, and what brings it into interesting states. */
function world(version, { FlowProducer, Queue, Worker }) {
  const six = !version.startsWith('5');
  const open = [];
  const track = (peer) => (open.push(peer), peer);
  after(() => Promise.all(open.map((peer) => peer.close())));
  let q;
  let other;
  beforeEach(async () => {
    await redis.flushdb();
    q ??= track(new Queue(QUEUE, { connection, prefix: BULL }));
    other ??= track(new Queue('other', { connection, prefix: BULL }));
    for (const queue of [q, other]) {
      await queue.waitUntilReady();
      const meta = { 'opts.maxLenEvents': 10_000, version: `bullmq:${version}` };
      await redis.hset(`${BULL}:${queue.name}:meta`, meta);
    }
  });
  let flows;
  const flow = (node) => (flows ??= track(new FlowProducer({ connection, prefix: BULL }))).add(node);
  const child = (name, opts = {}, queueName = QUEUE) => ({ name, queueName, opts: { jobId: name, ...opts } });
  const parent = (children, opts = {}) => flow({ ...child('parent', opts), children });

  /** Takes the next job as a worker does. */
  let worker;
  const take = () => {
    worker ??= track(new Worker(QUEUE, null, { connection, prefix: BULL, autorun: false }));
    return worker.getNextJob('token', { block: false });
  };
  const complete = async () => (await take()).moveToCompleted('done', 'token', false);
  const fail = async () => (await take()).moveToFailed(new Error('no'), 'token', false);
  const unlock = (id) => redis.del(`${BULL}:${QUEUE}:${id}:lock`);
  /** Makes a finished job as old as it would have to be. */
  async function age(state, id, ms) {
    const at = Date.now() - ms;
    await redis.zadd(`${BULL}:${QUEUE}:${state}`, at, id);
    await redis.hset(`${BULL}:${QUEUE}:${id}`, 'finishedOn', at);
  }
  const add = (id, opts = {}) => q.add(id, { of: id }, { jobId: id, ...opts });

  /** Runs both sides on the same state and compares what is left; answers the reason of a refusal. */
  async function compare(ours, theirs) {
    // Both sides must find the same next time of an hourly schedule.
    const left = HOUR - (Date.now() % HOUR);
    if (left < 5_000) await sleep(left);
    await copy(BULL, OURS);
    const times = { theirs: Date.now() };
    const reason = await refusal(theirs());
    times.ours = Date.now();
    assert.equal(await refusal(ours()), reason);
    times.took = Date.now() - times.theirs;
    const shape = six ? waitingAsOne : (keys) => keys;
    assertSame(shape(await dump(OURS)), shape(await dump(BULL)), times);
    return reason;
  }
  /** As `compare`, for `deo queue ...args`. */
  const judge = (args, theirs) => compare(() => deo(['queue', ...args, '--json'], OUR_ENV), theirs);
  const refused = async (args, theirs) => assert.ok(await judge(args, theirs), 'BullMQ did not refuse');

  return {
    version, six, q: () => q, flow, child, parent, take, complete, fail, unlock, age, add, compare, judge, refused,
  };
}
