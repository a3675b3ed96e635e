// A seed becomes a sequence: a version of BullMQ, settings, and steps. What a step is about (which
// job, which claim) is a number that is resolved when it runs, so that steps can be left out.
import { START } from './clock.mjs';
import { random } from './random.mjs';

/**
 * Times to live run in real time. They are odd multiples of 5,000 s and the clock is moved by tens
 * of thousands, or by a minute some times, so that a slow machine changes nothing.
 */
const SECOND = 1_000;

export function generate(seed, version) {
  const r = { ...random(seed), version };
  // With schedulers, jobs are claimed one by one: see differences.md.
  r.schedulers = r.chance(0.3);
  const events = r.weighted([[5, 'all'], [2, 'off'], [2, 'final']]);
  const metrics = r.weighted([[3, 0], [1, 2], [1, 1_000]]);
  const steps = Array.from({ length: 14 + r.below(16) }, () => step(r));
  return { seed, version, events, metrics, steps };
}

function step(r) {
  const queue = r.chance(0.85) ? 0 : 1;
  const kind = r.weighted([
    [22, 'add'],
    [6, 'addByNode'],
    [6, 'flow'],
    [22, 'claim'],
    [22, 'settle'],
    [8, 'settleAndClaim'],
    [3, 'settleStale'],
    [8, 'advance'],
    [4, 'expireLocks'],
    [5, 'recover'],
    [2, 'renew'],
    [2, 'pause'],
    [3, 'resume'],
    [2, 'promote'],
    [1, 'promoteAll'],
    [3, 'remove'],
    [3, 'retry'],
    [1, 'retryAll'],
    [1, 'clean'],
    [1, 'drain'],
    [1, 'obliterate'],
    [1, 'limits'],
    [2, 'change'],
    [4, 'wake'],
    ...(r.schedulers ? [[16, 'schedule'], [3, 'unschedule'], [14, 'promote']] : []),
  ]);
  const made = { kind, queue, ...MAKE[kind]?.(r) };
  if (MAYBE_THEIRS.has(kind) && r.chance(0.25)) made.by = 'node';
  return made;
}

/** What deo does on its side, unless BullMQ does it there, too. */
const MAYBE_THEIRS = new Set(['schedule', 'unschedule', 'recover', 'pause', 'resume', 'promote', 'promoteAll', 'remove', 'retry', 'retryAll', 'clean', 'obliterate']);

const MAKE = {
  add: (r) => ({ jobs: jobs(r, false) }),
  addByNode: (r) => ({ jobs: jobs(r, true) }),
  flow: (r) => ({ flow: flow(r) }),
  schedule: (r) => ({ id: r.pick(SCHEDULERS), repeat: rule(r), template: template(r) }),
  unschedule: (r) => ({ id: r.pick(SCHEDULERS) }),
  claim: (r) => ({ count: r.schedulers ? 1 : r.weighted([[3, 1], [3, 2], [2, 3], [2, 8]]), ...(r.chance(0.1) && { marker: true }) }),
  settle: (r) => settlement(r),
  settleAndClaim: (r) => ({ ...settlement(r), next: r.schedulers ? 1 : r.upTo(3) }),
  settleStale: (r) => settlement(r),
  advance: (r) => ({ ms: r.weighted([[3, 1], [3, 50], [2, 200], [1, 60 * SECOND], [r.schedulers ? 8 : 2, 10_000 * SECOND], [r.schedulers ? 4 : 1, 40_000 * SECOND]]) }),
  expireLocks: (r) => ({ which: r.next(), count: r.upTo(3) }),
  recover: (r) => (r.chance(0.5) ? {} : { which: r.next(), count: r.upTo(3), marker: r.chance(0.3), full: r.chance(0.4) }),
  renew: (r) => ({ which: r.next() }),
  promote: (r) => ({ which: r.next() }),
  remove: (r) => ({ which: r.next(), from: r.pick(['wait', 'prioritized', 'delayed', 'completed', 'failed', 'waitingChildren', 'active']) }),
  retry: (r) => ({ which: r.next(), from: r.pick(['failed', 'failed', 'completed']), ...(r.chance(0.1) && { really: 'delayed' }) }),
  obliterate: (r) => ({ force: r.chance(0.5) }),
  retryAll: (r) => ({ from: r.pick(['failed', 'completed']) }),
  clean: (r) => ({ grace: r.pick([0, 0, 100, 10_000 * SECOND]), limit: r.pick([0, 1, 100]), from: r.pick(['completed', 'failed', 'wait', 'delayed', 'prioritized', 'active']) }),
  drain: (r) => ({ delayed: r.chance(0.5) }),
  limits: (r) => ({
    limit: r.pick([{ concurrency: 1 }, { concurrency: 3 }, { concurrency: null }, { max: 2, duration: 15_000 * SECOND }, { max: null }]),
  }),
  change: (r) => ({
    which: r.next(),
    what: r.pick([['updateProgress', { at: 7 }], ['log', 'a line'], ['updateData', { n: -1 }], ['changePriority', { priority: r.pick([0, 3]) }], ['changeDelay', 500]]),
  }),
};

const settlement = (r) => ({
  which: r.next(),
  ends: Array.from({ length: r.upTo(4) }, () => ({
    how: r.weighted([[5, 'complete'], [4, 'fail'], [1, 'unrecoverable'], [2, 'release']]),
    value: r.pick(['null', '{"a":1}', '"text"', '0']),
  })),
});

/** Jobs of one call; `rich`: with options that only BullMQ's own producers set. */
function jobs(r, rich) {
  return Array.from({ length: r.weighted([[4, 1], [2, 2], [2, 4], [1, 6]]) }, () => ({
    name: r.pick(['job', 'other', 'náme']),
    data: r.pick([{ n: r.below(1000) }, {}, [], null, 'text', { text: 'ü"\\/\u2028', deep: { list: [] } }]),
    opts: options(r, rich),
  }));
}

function options(r, rich) {
  const opts = {};
  const maybe = (p, key, value) => { if (r.chance(p)) opts[key] = value(); };
  maybe(0.15, 'jobId', () => r.pick(['c1', 'c2', 'c3', 'x:y:z']));
  maybe(0.25, 'deduplication', () => deduplication(r));
  maybe(0.25, 'delay', () => r.pick([1, 50, 50, 500, 20_000 * SECOND, ...(rich ? [50.5, 1e300] : [])]));
  maybe(0.25, 'priority', () => r.pick([1, 2, 2, 7, 2_097_151]));
  maybe(0.1, 'lifo', () => true);
  maybe(0.5, 'attempts', () => r.pick([1, 2, 3, 5, ...(rich ? [1.5, 1e300] : [])]));
  // What waits behind an active job would take the id of a job that came meanwhile: see differences.md.
  if (opts.deduplication?.keepLastIfActive) delete opts.jobId;
  if (opts.attempts > 1) maybe(0.6, 'backoff', () => backoff(r, rich));
  maybe(0.4, 'removeOnComplete', () => keep(r, rich));
  maybe(0.4, 'removeOnFail', () => keep(r, rich));
  maybe(0.05, 'timestamp', () => r.pick([1_799_999_999_000, 1_800_000_001_000]));
  if (rich) {
    maybe(0.3, 'stackTraceLimit', () => r.pick([0, 1, 2]));
    maybe(0.2, 'keepLogs', () => 1);
  }
  return opts;
}

function deduplication(r) {
  const ttl = r.pick([5_000 * SECOND, 15_000 * SECOND]);
  // 5.65.1 knows no keepLastIfActive, and an id is used with or without it: see differences.md.
  if (r.version !== '5.65.1' && r.chance(0.45)) {
    const id = r.pick(['k1', 'k2']);
    return { id, keepLastIfActive: true, ...r.pick([{}, {}, { ttl }, { ttl, extend: true }, { replace: true }]) };
  }
  const id = r.pick(['d1', 'd2']);
  const mode = r.pick([{}, { ttl }, { ttl, extend: true }, { replace: true }, { ttl, replace: true }, { ttl, replace: true, extend: true }]);
  // Others know no reschedule: see differences.md.
  return { id, ...mode, ...(r.version === '6.7.0' && r.chance(0.3) && { reschedule: true }) };
}

function backoff(r, rich) {
  const delay = r.pick([1, 100, 1000, ...(rich ? [0.6, 100.5, 1500.7] : [])]);
  return r.pick([{ type: 'fixed', delay }, { type: 'exponential', delay }, ...(rich ? [delay, 0] : [])]);
}

function keep(r, rich) {
  return r.pick([
    true, false, { count: 0 }, { count: 1 }, { count: 2 }, { age: 10_000 }, { count: 2, age: 10_000 },
    // 5.65.1 knows no limit: see differences.md.
    { age: 10_000, ...(r.version !== '5.65.1' && { limit: 1 }) },
    ...(rich ? [2, 0, -1, Number.MAX_SAFE_INTEGER, { age: 0.5 }, { age: 1e300, count: Number.MAX_SAFE_INTEGER }, { age: 10_000.5, count: 2 }] : []),
  ]);
}

const SCHEDULERS = ['s1', 's2', 'a:b'];

/** When a scheduler's jobs are due. The clock begins at 2027-01-15T08:00Z. */
function rule(r) {
  // 5.65.1 goes on by another rule where a time was missed: see differences.md.
  const every = r.version === '5.65.1' ? [3_000_000, 5_000_000] : [0.05, 10_000, 15_000];
  const when = r.pick([
    { every: r.pick(every) * SECOND }, { every: r.pick(every) * SECOND }, { every: every[1] * SECOND }, { every: every[1] * SECOND },
    { pattern: '*/5 * * * *', tz: 'UTC' }, { pattern: '0 3 * * *', tz: 'Europe/Berlin' }, { pattern: '15 30 10 * * 1-5', tz: 'Asia/Kolkata' },
    { pattern: '0 12 * * *', tz: 'UTC', immediately: true },
  ]);
  const maybe = (p, more) => { if (r.chance(p)) Object.assign(when, more()); };
  // 5.65.1 knows no offset: see differences.md.
  if (when.every > 50 && r.version !== '5.65.1') maybe(0.3, () => ({ offset: r.pick([1_000, 4_000 * SECOND]) }));
  if (!when.immediately) maybe(0.2, () => ({ startDate: START + r.pick([-1, 30, 50_000 * SECOND]) }));
  maybe(0.2, () => ({ endDate: START + r.pick([-1, 60_000 * SECOND, 900_000 * SECOND]) }));
  maybe(0.2, () => ({ limit: r.upTo(3) }));
  return when;
}

function template(r) {
  const { jobId: _, delay: __, timestamp: ___, deduplication: ____, ...opts } = options(r, false);
  return { name: r.pick(['job', 'other']), data: r.pick([{}, { n: r.below(100) }, { list: [], text: 'ü"\\/' }]), opts };
}

/** A parent with children, perhaps in the other queue, and with children of their own. */
function flow(r, depth = 0) {
  const opts = { ...r.pick([{}, {}, { priority: 3 }, { delay: 50 }, { attempts: 2 }, { removeOnComplete: true, removeOnFail: true }]) };
  if (depth > 0) Object.assign(opts, r.pick([{}, {}, { failParentOnFailure: true }, { continueParentOnFailure: true }, { ignoreDependencyOnFailure: true }, { removeDependencyOnFailure: true }]));
  const node = { name: `level${depth}`, queue: r.chance(0.75) ? 0 : 1, data: { depth }, opts };
  const children = depth === 0 ? r.upTo(3) : depth === 1 && r.chance(0.2) ? 1 : 0;
  if (children > 0) node.children = Array.from({ length: children }, () => flow(r, depth + 1));
  return node;
}
