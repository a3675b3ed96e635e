// One sequence: every step is done by BullMQ on one prefix and by deo on another, and compared.
import { clock } from './clock.mjs';
import { answerDifferences, differences, eventDifferences } from './compare.mjs';
import { inOneList, states } from './snapshot.mjs';

const FINAL = new Set(['completed', 'failed', 'stalled']);

/** Steps that are BullMQ's on both sides; of the others `by` says it. */
const THEIRS = new Set(['addByNode', 'flow', 'drain', 'change']);

/** Runs `sequence`; gives nothing when both sides stayed equal, else the step and the lines. Counts idle steps. */
export async function run(world, sequence, done = { idle: 0 }) {
  const sides = { a: world.sides.a, b: world.sides.b };
  await world.reset(sequence.events, sequence.metrics);
  const state = { held: [], stale: [], flows: 0, events: sequence.events, last: await sides.a.read() };
  await sides.b.read();
  const six = world.version.startsWith('6');
  for (const [index, step] of sequence.steps.entries()) {
    const result = await STEPS[step.kind](world, step, state);
    const seen = [await sides.a.read(), await sides.b.read()];
    // Version 6 keeps in `wait` what waits in a paused queue, and deo in `paused`: see differences.md.
    const [a, b] = six && !step.literal ? seen.map(inOneList) : seen;
    if (step.kind !== 'advance' && a.events.size === state.last.events.size && differences(state.last, a).length === 0
      && [...a.events.values()].every((news) => news.length === 0)) done.idle += 1;
    const order = evictsChildren(step, state.last, a) ? releasesLast : (events) => events;
    state.last = a;
    const lines = [
      ...answerDifferences(result?.a, result?.b),
      ...differences(a, b),
      ...eventDifferences(order(expected(a.events, theirs(step) || result?.theirs ? 'all' : sequence.events)), order(b.events)),
    ];
    if (lines.length > 0) return { index, step, lines };
  }
  return undefined;
}

const theirs = ({ kind, by }) => by === 'node' || THEIRS.has(kind);

/** The events that deo is set to write, out of BullMQ's. */
function expected(events, level) {
  if (level === 'all') return events;
  const keep = ([, name]) => level === 'final' && FINAL.has(name);
  return new Map([...events].map(([key, list]) => [key, list.filter(keep)]));
}

/** Whether the end of a job has removed a failed child. Then BullMQ tells earlier of its parent: see differences.md. */
function evictsChildren({ kind, literal }, before, after) {
  return kind.startsWith('settle') && !literal
    && [...before.keys].some(([key, { content }]) => content.parentKey && content.failedReason && content.finishedOn && !after.keys.has(key));
}

/** With the parents that go on behind all else. */
function releasesLast(events) {
  const released = (event) => event.includes('waiting-children');
  return new Map([...events].map(([key, list]) => [key, [...list.filter((event) => !released(event)), ...list.filter(released)]]));
}

/** On our side by deo, or also there by BullMQ, which finds a paused queue as it keeps one. */
async function each(world, by, act) {
  if (by === 'node') await world.layOut();
  return { a: await act(world.a), b: await act(by === 'node' ? world.node : world.b) };
}

const both = (world, act) => each(world, 'node', act);

const picked = (list, at) => list[Math.floor(at * list.length)];

const STEPS = {
  /** Redis commands, their first argument a key below the prefix, on both sides; only in cases. */
  async raw(world, { commands }) {
    for (const peer of [world.a, world.b]) {
      for (const [name, key, ...args] of commands) await world.redis.call(name, `${peer.prefix}:${key}`, ...args);
    }
  },

  async add(world, { queue, jobs, literal }, state) {
    if (literal) return { a: await world.a.add(queue, jobs), b: await world.b.add(queue, jobs) };
    // What is asked while its job is active only BullMQ keeps behind that one (`dn:`): see differences.md.
    const active = states(state.last, queue).active;
    const waitsBehind = ({ opts: { deduplication: dedup } }) => dedup?.keepLastIfActive
      && active.includes(state.last.keys.get(`X:q${queue}:de:${dedup.id}`)?.content);
    if (jobs.some(waitsBehind)) return { ...await both(world, (peer) => peer.add(queue, jobs)), theirs: true };
    if (state.events === 'all') return { a: await world.a.add(queue, jobs), b: await world.b.add(queue, jobs) };
    return addNumbered(world, queue, jobs, state);
  },

  /** With `beside` what waits in a paused queue stays where deo keeps it; only in cases. */
  addByNode: (world, { queue, jobs, beside }) => (beside
    ? each(world, 'deo', (peer) => (peer === world.a ? peer : world.node).add(queue, jobs))
    : both(world, (peer) => peer.add(queue, jobs))),

  async flow(world, { flow }, state) {
    const named = (node) => ({
      name: node.name,
      queueName: `q${node.queue}`,
      data: node.data,
      opts: { ...node.opts, jobId: `f${state.flows += 1}` },
      ...(node.children && { children: node.children.map(named) }),
    });
    const tree = named(flow);
    return both(world, (peer) => peer.addFlow({ ...tree, prefix: peer.prefix, children: prefixed(tree.children, peer.prefix) }));
  },

  /** With `marker` one of BullMQ's before version 5 stands before the jobs. */
  async claim(world, { queue, count, marker, literal }, state) {
    const marked = marker && !states(state.last, queue).isPaused;
    const waits = [world.a, world.b].map((peer) => `${peer.prefix}:q${queue}:wait`);
    if (marked) for (const wait of waits) await world.redis.rpush(wait, '0:5');
    const a = await world.a.claim(queue, count);
    const b = await world.b.claim(queue, count);
    // Where no job could be claimed it is there still.
    if (marked) for (const wait of waits) await world.redis.lrem(wait, 1, '0:5');
    if (!literal) {
      await alignLimiter(world, queue, a);
      await alignMarker(world, queue);
    }
    return hold(world, state, queue, a, b, literal);
  },

  async settle(world, { queue, which, ends, next, literal }, state) {
    const batch = picked(state.held.filter((held) => held.queue === queue), which);
    if (!batch) return undefined;
    const items = batch.items.splice(0, literal ? ends.length : unrelated(batch.items.slice(0, ends.length), queue, state.last));
    if (batch.items.length === 0) state.held.splice(state.held.indexOf(batch), 1);
    state.stale.push({ queue, items });
    return end(world, state, queue, items, ends, { next, literal });
  },

  settleAndClaim: (world, step, state) => STEPS.settle(world, step, state),

  async settleStale(world, { queue, which, ends, literal }, state) {
    const batch = picked(state.stale.filter((stale) => stale.queue === queue), which);
    return batch && end(world, state, queue, batch.items.slice(0, ends.length), ends, { literal });
  },

  async advance(world, { ms }) {
    clock.advance(ms);
    await Promise.all([world.sides.a.elapse(ms), world.sides.b.elapse(ms)]);
  },

  /** What wakes a sleeping worker, which then claims or sleeps on: each takes it from one marker. */
  async wake(world, { queue }) {
    const take = (peer) => world.redis.zpopmin(`${peer.prefix}:q${queue}:marker`);
    return { a: await take(world.a), b: await take(world.b) };
  },

  async expireLocks(world, { queue, which, count }, state) {
    const batch = picked(state.held.filter((held) => held.queue === queue), which);
    const locks = batch?.items.slice(0, count).map(({ a: { id } }) => `q${queue}:${id}:lock`) ?? [];
    if (locks.length > 0) await world.redis.del(...locks.flatMap((lock) => [`${world.a.prefix}:${lock}`, `${world.b.prefix}:${lock}`]));
  },

  /** With `which` jobs of a claim have stalled by now; `marker` and `full` as in `stall`. */
  async recover(world, { by, queue, which, ...how }, state) {
    const undo = which === undefined ? undefined : await stall(world, queue, which, how, state);
    const result = await each(world, by, async (peer) => {
      const ids = await peer.recover(queue);
      const again = await peer.recover(queue);
      // Its 30 s run in real time: gone before they can make a difference.
      const check = await world.redis.getdel(`${peer.prefix}:q${queue}:stalled-check`);
      // BullMQ goes through them in the order of a set.
      return { ids: ids.sort(), again, check };
    });
    await undo?.();
    return result;
  },

  async renew(world, { queue, which }, state) {
    const batch = picked(state.held.filter((held) => held.queue === queue), which);
    if (!batch) return undefined;
    return {
      a: await world.a.renew(queue, batch.items.map(({ a }) => ({ held: a }))),
      b: await world.b.renew(queue, batch.items.map(({ b }) => ({ held: b }))),
    };
  },

  async schedule(world, { by, queue, id, repeat, template, literal }, state) {
    const { isPaused, wait, prioritized, delayed, current } = states(state.last, queue);
    // Version 6 does not find the job that waits in a paused queue, and leaves it beside the new one.
    if (!literal && isPaused && world.version.startsWith('6') && wait.includes(current[id])) return undefined;
    const schedule = (peer) => peer.schedule(queue, id, repeat, template);
    if (literal || by === 'node' || ![...wait, ...prioritized, ...delayed].includes(current[id])) return each(world, by, schedule);
    // Where it has a job to replace, BullMQ overwrites whatever else has the next one's id.
    const b = await schedule(world.b);
    return /job ID already exists/.test(b) ? undefined : { a: await schedule(world.a), b };
  },

  unschedule: (world, { by, queue, id }) => each(world, by, (peer) => peer.unschedule(queue, id)),

  pause: (world, { by, queue }) => each(world, by, (peer) => peer.pause(queue)),

  async resume(world, { by, queue, literal }, state) {
    const act = (peer) => peer.resume(queue);
    // Of a queue that is not paused, version 5 looks for waiting jobs where none are: see differences.md.
    const idle = world.version.startsWith('5') && !states(state.last, queue).isPaused;
    if (idle && !literal) return undefined;
    // Resuming is how BullMQ joins both lists, so that it is left to do so.
    return { a: await act(world.a), b: await act(by === 'node' ? world.node : world.b) };
  },

  async promote(world, { by, queue, which }, state) {
    const id = picked(states(state.last, queue).delayed, which);
    return id && each(world, by, (peer) => peer.promote(queue, id));
  },

  promoteAll: (world, { by, queue }) => each(world, by, (peer) => peer.promoteAll(queue)),

  async remove(world, { by, queue, which, from }, state) {
    const id = picked(states(state.last, queue)[from], which);
    // BullMQ removes children in the order of a set, which differs by itself.
    const few = (key) => (state.last.keys.get(`${key}:dependencies`)?.content ?? []).every((child, _, all) => all.length === 1 && few(child));
    return id && few(`X:q${queue}:${id}`) && each(world, by, (peer) => peer.remove(queue, id));
  },

  async retry(world, { by, queue, which, from, really, literal }, state) {
    const id = picked(states(state.last, queue)[really ?? from], which);
    // 5.65.1 cannot retry a child whose failure its parent was told to live with: see differences.md.
    const parent = state.last.keys.get(`X:q${queue}:${id}`)?.content.parentKey;
    if (!literal && world.version === '5.65.1' && state.last.keys.has(`${parent}:failed`)) return undefined;
    return id && each(world, by, (peer) => peer.retry(queue, id, from));
  },

  retryAll: (world, { by, queue, from }) => each(world, by, (peer) => peer.retryAll(queue, from)),
  clean: (world, { by, queue, grace, limit, from, literal }, state) => each(world, by, async (peer) => {
    // What waits in a paused queue of version 6 may stand in another list with deo: see differences.md.
    const isElsewhere = !literal && peer === world.b && from === 'wait' && world.version.startsWith('6') && states(state.last, queue).isPaused
      && await world.redis.exists(`${peer.prefix}:q${queue}:paused`);
    return peer.clean(queue, grace, limit, isElsewhere ? 'paused' : from);
  }),

  async drain(world, { queue, delayed }, state) {
    // BullMQ keeps the job of a scheduler, but drops it from `wait` instead of another one.
    const { wait, paused, current } = states(state.last, queue);
    if (Object.values(current).some((id) => [...wait, ...paused].includes(id))) return undefined;
    return both(world, (peer) => peer.drain(queue, delayed));
  },

  async obliterate(world, { by, queue, force, literal }) {
    const result = await each(world, by, (peer) => peer.obliterate(queue, force, literal));
    if (!literal) await world.writeMeta();
    return result;
  },

  async limits(world, { queue, limit }) {
    for (const side of ['a', 'b']) {
      const meta = `${world[side].prefix}:q${queue}:meta`;
      for (const [field, value] of Object.entries(limit)) {
        if (value === null) await world.redis.hdel(meta, field);
        else await world.redis.hset(meta, field, value);
      }
    }
  },

  async change(world, { queue, which, what: [method, ...args] }, state) {
    const { wait, prioritized, delayed, active } = states(state.last, queue);
    const id = picked(method === 'changeDelay' ? delayed : [...wait, ...prioritized, ...delayed, ...active], which);
    return id && both(world, (peer) => peer.job(queue, id, method, ...args));
  },
};

const prefixed = (children, prefix) => children?.map((child) => ({ ...child, prefix, children: prefixed(child.children, prefix) }));

/**
 * Lets jobs of a claim stall, seen by a pass already, while each worker has taken its marker and sleeps: with
 * `marker` one of BullMQ's before version 5 among them, with `full` in a queue at its concurrency until undone.
 */
async function stall(world, queue, which, { count, marker, full }, state) {
  const batch = picked(state.held.filter((held) => held.queue === queue), which);
  const ids = batch?.items.slice(0, count).map(({ a: { id } }) => id) ?? [];
  if (ids.length === 0) return undefined;
  const limits = state.last.keys.get(`X:q${queue}:meta`)?.content.concurrency !== undefined;
  const limited = full && !limits;
  // Where more are active than may be, whether the place of the marker counts is up to the order of a set.
  const old = marker && !limits;
  for (const { prefix } of [world.a, world.b]) {
    const at = (key) => `${prefix}:q${queue}:${key}`;
    if (old) await world.redis.lpush(at('active'), '0:5');
    await world.redis.del(at('marker'), ...ids.map((id) => at(`${id}:lock`)));
    await world.redis.sadd(at('stalled'), ...ids, ...(old ? ['0:5'] : []));
    if (limited) await world.redis.hset(at('meta'), 'concurrency', await world.redis.llen(at('active')));
  }
  return async () => {
    for (const { prefix } of limited ? [world.a, world.b] : []) await world.redis.hdel(`${prefix}:q${queue}:meta`, 'concurrency');
  };
}

/**
 * Adds while events are off: a duplicate for which deo writes nothing takes no number there (differences.md), so
 * that a batch ends behind one, and the counters are made equal.
 */
async function addNumbered(world, queue, jobs, state) {
  const counter = (peer) => `${peer.prefix}:q${queue}:id`;
  const isThere = new Set([...state.last.keys.keys()].filter((key) => key.startsWith(`X:q${queue}:`)).map((key) => key.slice(`X:q${queue}:`.length)));
  const a = await world.a.add(queue, jobs);
  let number = Number(await world.redis.get(counter(world.a))) - jobs.length;
  const b = [];
  for (let first = 0, i = 0; i < jobs.length; i += 1) {
    number += 1;
    // A job with a custom id may be none: then the counters are equal.
    const isDuplicate = a[i] !== `${number}` || isThere.has(a[i]);
    isThere.add(a[i]);
    if (!isDuplicate && i < jobs.length - 1) continue;
    b.push(...await world.b.add(queue, jobs.slice(first, i + 1)));
    if (isDuplicate && await world.redis.get(counter(world.b)) === `${number - 1}`) await world.redis.set(counter(world.b), number);
    first = i + 1;
  }
  return { a, b };
}

/** A claim that leaves nothing to claim wakes nobody on our side, and BullMQ does: see differences.md. */
async function alignMarker(world, queue) {
  const at = (peer, name) => `${peer.prefix}:q${queue}:${name}`;
  if (await world.redis.exists(at(world.a, 'wait'), at(world.a, 'prioritized'))) return;
  if (await world.redis.zscore(at(world.b, 'marker'), '0') === null) await world.redis.zrem(at(world.a, 'marker'), '0');
}

/** Version 5 counts jobs that are only claimed to be failed for the rate limit: see differences.md. */
async function alignLimiter(world, queue, { jobs }) {
  if (!world.version.startsWith('5') || !jobs.some((job) => job.deferredFailure)) return;
  const [from, to] = [world.a, world.b].map((peer) => `${peer.prefix}:q${queue}:limiter`);
  if (await world.redis.exists(from)) await world.redis.copy(from, to, 'REPLACE');
}

/** How many of `items` come before the first one whose parent or child is among those before it. */
function unrelated(items, queue, snapshot) {
  const key = ({ a: { id } }) => `X:q${queue}:${id}`;
  const parent = (item) => snapshot.keys.get(key(item))?.content.parentKey;
  const at = items.findIndex((item, i) => items.slice(0, i).some((other) => parent(item) === key(other) || parent(other) === key(item)));
  return at < 0 ? items.length : at;
}

/** Keeps what both claimed, and gives what they said about it. */
function hold(world, state, queue, a, b, literal) {
  for (const job of a.jobs) world.sides.a.holds(queue, job.id, job.token);
  for (const job of b.jobs) world.sides.b.holds(queue, job.id, job.token);
  const items = a.jobs.slice(0, b.jobs.length).map((job, i) => ({ a: job, b: b.jobs[i] }));
  if (items.length > 0) state.held.push({ queue, items });
  // What is only claimed to be failed deo reads without its data: see differences.md.
  const view = (side, { jobs }) => jobs.map(({ id, name, data, attemptsMade, stalledCounter, deferredFailure }) => (
    { id, name, data: deferredFailure && !literal ? undefined : data, attemptsMade, stalledCounter, deferredFailure: deferredFailure && side.rename(deferredFailure) }));
  return { a: view(world.sides.a, a), b: view(world.sides.b, b) };
}

/**
 * Ends `items` as `ends` say; a job with a deferred failure fails with it, as its worker does. Unless
 * it is to be `literal`, BullMQ is asked in the way in which it does what deo does: differences.md.
 */
async function end(world, state, queue, items, ends, { next, literal }) {
  const side = (name) => items.map((item, i) => {
    const { deferredFailure } = item[name];
    const { how, value } = ends[i % ends.length];
    if (deferredFailure) return { held: item[name], how: 'unrecoverable', value: deferredFailure };
    return { held: item[name], how, value: how === 'complete' ? value : `reason ${value}` };
  });
  const b = await world.b.settle(queue, side('b'), next);
  const asked = side('a').map((item, i) => (b.codes[i] < 0 && item.how === 'fail' && !literal ? { ...item, how: 'unrecoverable' } : item));
  const a = await world.a.settle(queue, asked, next, literal);
  const result = { a: { codes: a.codes }, b: { codes: b.codes } };
  if (next) {
    await alignLimiter(world, queue, a.claimed);
    await alignMarker(world, queue);
    const claimed = hold(world, state, queue, a.claimed, b.claimed, literal);
    result.a.claimed = claimed.a;
    result.b.claimed = claimed.b;
  }
  return result;
}
