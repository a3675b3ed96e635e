// The known differences, each with its case: ../differences.md. A case differs in the versions that it
// names, in just the lines that its patterns and differences.json name, and in no other version.
import './clock.mjs';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { VERSIONS } from '../bullmq/modules.mjs';
import { run } from './sequence.mjs';
import { Runner } from './runner.mjs';

const FIVE = ['5.65.1', '5.81.5'];
const ALL = [...FIVE, '6.7.0'];
const add = (...options) => ({ kind: 'add', queue: 0, jobs: options.map((opts) => ({ name: 'job', data: {}, opts })) });
const addByNode = (...options) => ({ ...add(...options), kind: 'addByNode' });
const claim = (count = 8) => ({ kind: 'claim', queue: 0, count });
const settle = (...hows) => ({ kind: 'settle', queue: 0, which: 0, ends: hows.map((how) => ({ how, value: 'null' })) });
const advance = (ms) => ({ kind: 'advance', ms });
const raw = (...commands) => ({ kind: 'raw', commands });
const schedule = (repeat, id = 's') => ({ kind: 'schedule', queue: 0, id, repeat, template: { name: 'job', data: { n: 1 }, opts: {} } });
const md5 = (text) => createHash('md5').update(text).digest('hex');
const HOUR = 3_600_000;
const literally = (step) => ({ ...step, literal: true });

/** A repeatable job of BullMQ 5 or before, whose time has come. */
const oldRepeatable = (key, id) => {
  const opts = JSON.stringify({ attempts: 0, delay: 0, jobId: id, timestamp: 1, prevMillis: 1_800_000_000_000, repeatJobKey: key, repeat: { count: 1, every: HOUR } });
  return raw(
    ['HSET', `q0:${id}`, 'name', 'n', 'data', '{"of":1}', 'opts', opts, 'timestamp', '1', 'delay', '0', 'priority', '0', 'rjk', key],
    ['ZADD', 'q0:repeat', '1800000000000', key], ['LPUSH', 'q0:wait', id],
  );
};

const CASES = {
  'keep-last-active': {
    versions: ALL,
    steps: [add({ deduplication: { id: 'd', keepLastIfActive: true } }), claim(), literally(add({ deduplication: { id: 'd', keepLastIfActive: true } }))],
    lines: [/^answer: BullMQ \["1"\]/, /deo +\["2"\]/, /^X:q0:2: only deo/, /^X:q0:wait: only deo/],
  },
  'keep-last-ttl': {
    versions: ['5.65.1'],
    steps: [add({ deduplication: { id: 'd', ttl: 5_000_000, keepLastIfActive: true } })],
    lines: [/^X:q0:de:d: time to live: BullMQ \d+, deo -1$/],
  },
  'keep-last-mixed': {
    versions: ['5.81.5', '6.7.0'],
    steps: [
      add({ deduplication: { id: 'd', keepLastIfActive: true } }),
      add({ deduplication: { id: 'd', ttl: 5_000_000, extend: true } }),
      claim(), settle('complete'),
    ],
    lines: [/^X:q0:de:d: only BullMQ/],
    // There the key is no keepLastIfActive one for BullMQ to begin with.
    elsewhere: [/^X:q0:de:d: only BullMQ/],
  },
  'reschedule-unknown': {
    versions: FIVE,
    steps: [add({ delay: 5_000, deduplication: { id: 'd' } }), add({ delay: 9_000, deduplication: { id: 'd', reschedule: true } })],
    lines: [/^X:q0:1 delay: BullMQ "5000", deo "9000"$/],
  },
  'stale-key': {
    versions: FIVE,
    steps: [add({ deduplication: { id: 'd' } }), raw(['DEL', 'q0:1'], ['DEL', 'q0:wait']), add({ deduplication: { id: 'd' } })],
    lines: [/^answer: BullMQ \["1"\]/, /deo +\["2"\]/, /^X:q0:2: only deo/, /^X:q0:wait: only deo/],
  },
  'lost-holder': {
    versions: ALL,
    steps: [add({ deduplication: { id: 'd' } }), raw(['DEL', 'q0:wait']), advance(90_000_000), add({ deduplication: { id: 'd' } })],
    lines: [/^answer: BullMQ \["1"\]/, /deo +\["2"\]/, /^X:q0:2: only deo/, /^X:q0:wait: only deo/],
  },
  'duplicate-number': {
    versions: ALL,
    events: 'off',
    steps: [add({ jobId: 'c' }), literally(add({ jobId: 'c' }))],
    lines: [/^X:q0:id: BullMQ "2"$/, /^ +deo +"1"$/],
  },
  'age-limit': {
    versions: ['5.65.1'],
    steps: [
      add({}, {}, { removeOnComplete: { age: 10, limit: 1 } }), claim(2), settle('complete'), settle('complete'),
      advance(20_000), claim(), settle('complete'),
    ],
    lines: [/^X:q0:1: only deo/, /^X:q0:completed: BullMQ \["3"/, /deo +\["1"/],
  },
  eviction: {
    versions: ALL,
    steps: [
      raw(['ZADD', 'q0:completed', ...Array.from({ length: 1_005 }, (_, i) => [i, `old${i}`]).flat()]),
      add({ removeOnComplete: { count: 2 } }), claim(), settle('complete'),
    ],
    lines: [/^X:q0:completed: BullMQ \["old1004","1004","1",/, /deo +\["old0","0","old1","1","old2","2","old3","3","old1004","1004","1",/],
  },
  'eviction-order': {
    versions: ALL,
    steps: [
      { kind: 'flow', flow: { name: 'parent', queue: 0, data: {}, opts: {}, children: [{ name: 'child', queue: 0, data: {}, opts: {} }] } },
      claim(), settle('unrecoverable'), add({ removeOnFail: { count: 1 } }), claim(), advance(1), literally(settle('unrecoverable')),
    ],
    lines: [/^X:q0:events:/, /BullMQ event waiting jobId f1 prev waiting-children/, /deo +event waiting jobId f1 prev waiting-children/],
  },
  'retry-child': {
    versions: ['5.65.1'],
    steps: [
      { kind: 'flow', flow: { name: 'parent', queue: 0, data: {}, opts: {}, children: [{ name: 'child', queue: 0, data: {}, opts: { ignoreDependencyOnFailure: true } }] } },
      claim(), settle('fail'), literally({ kind: 'retry', queue: 0, which: 0, from: 'failed' }),
    ],
    lines: [/^answer: BullMQ "WRONGTYPE/, /deo +0$/],
  },
  'resume-idle': {
    versions: FIVE,
    steps: [
      add({}, { delay: 50 }), raw(['DEL', 'q0:marker']), literally({ kind: 'resume', queue: 0 }),
    ],
    lines: [/^X:q0:marker: BullMQ \["1","1800000000050"\]/, /deo +\["0","0"\]/],
  },
  'release-order': {
    versions: ALL,
    steps: [add({}, {}), claim(), literally(settle('release', 'release'))],
    lines: [/^X:q0:wait: BullMQ \["1","2"\]/, /deo +\["2","1"\]/],
  },
  'refused-retry': {
    versions: ALL,
    steps: [
      add({ attempts: 2 }), claim(), add({ delay: 50 }), advance(50), { kind: 'expireLocks', queue: 0, which: 0, count: 1 },
      literally(settle('fail')),
    ],
    lines: [/^X:q0:2 delay: BullMQ "0", deo "50"$/, /^X:q0:delayed: only deo/, /^X:q0:wait: only BullMQ/],
  },
  'fetch-marker': {
    versions: ['5.81.5', '6.7.0'],
    steps: [add({ attempts: 2, backoff: { type: 'fixed', delay: 50 } }, {}), claim(1), literally({ ...settle('fail'), next: 1 })],
    lines: [/^X:q0:marker: BullMQ \["0","0"\]/, /deo +\["0","0","1","1800000000050"\]/],
  },
  'batch-marker': {
    versions: ALL,
    steps: [
      add({ attempts: 2 }, {}), claim(), raw(['DEL', 'q0:marker'], ['HSET', 'q0:meta', 'concurrency', '1']), settle('fail', 'complete'),
    ],
    lines: [/^X:q0:marker: only deo/],
  },
  'last-marker': {
    versions: ALL,
    steps: [add({}), raw(['DEL', 'q0:marker']), literally(claim())],
    lines: [/^X:q0:marker: only BullMQ has it: \["0","0"\]$/],
  },
  'family-batch': {
    versions: ALL,
    steps: [
      { kind: 'flow', flow: { name: 'parent', queue: 0, data: {}, opts: { priority: 1 }, children: [{ name: 'child', queue: 0, data: {}, opts: { continueParentOnFailure: true } }] } },
      claim(), settle('complete'), { kind: 'retry', queue: 0, which: 0, from: 'completed' }, claim(),
      literally(settle('fail', 'complete')),
    ],
    lines: [/^answer: BullMQ {"codes":\[0,0\]}/, /deo +{"codes":\[0,-4\]}/],
  },
  'taken-id': {
    versions: ['5.81.5', '6.7.0'],
    steps: [
      add({ deduplication: { id: 'd', keepLastIfActive: true } }), claim(),
      addByNode({ jobId: 'c', deduplication: { id: 'd', keepLastIfActive: true } }), add({ jobId: 'c' }), claim(),
      settle('complete'), settle('complete'),
    ],
    lines: [/^X:q0:de:d: only deo/],
  },
  'unknown-backoff': {
    versions: ALL,
    steps: [addByNode({ attempts: 2, backoff: { type: 'lunar', delay: 50 } }), claim(), settle('fail')],
    lines: [/^answer: BullMQ {"codes":\["Unknown backoff strategy lunar/, /deo +{"codes":\[0\]}/, /^X:q0:delayed: only deo/],
  },
  'no-job': {
    versions: ALL,
    steps: [raw(['LPUSH', 'q0:wait', 'ghost']), claim()],
    lines: [/^answer: BullMQ \[{"id":"ghost"/, /deo +\[\]/, /^X:q0:active: only BullMQ/, /^X:q0:ghost: only BullMQ/],
  },
  'double-id': {
    versions: ALL,
    steps: [add({}), raw(['LPUSH', 'q0:wait', '1']), claim()],
    lines: [/^answer: BullMQ \[{"id":"1",.*{"id":"1"/, /deo +\[{"id":"1",[^{]*"{}"[^{]*}\]$/],
  },
  'ended-id': {
    versions: ALL,
    steps: [add({}), claim(), settle('complete'), raw(['LPUSH', 'q0:wait', '1']), claim()],
    lines: [/^answer: BullMQ \[{"id":"1"/, /deo +\[\]/, /^X:q0:active: only BullMQ/],
  },
  'ended-id-delayed': {
    versions: ALL,
    steps: [add({}), claim(), settle('complete'), raw(['ZADD', 'q0:delayed', '4096', '1']), claim()],
    lines: [/^answer: BullMQ \[{"id":"1"/, /deo +\[\]/, /^X:q0:active: only BullMQ/],
  },
  'ended-id-stalled': {
    versions: ALL,
    steps: [add({}), claim(), settle('complete'), raw(['LPUSH', 'q0:active', '1'], ['SADD', 'q0:stalled', '1']), { kind: 'recover', queue: 0 }],
    lines: [/^answer: BullMQ {"ids":\["1"\]/, /deo +{"ids":\[\]/, /^X:q0:wait: only BullMQ/],
  },
  'deferred-data': {
    versions: ALL,
    steps: [add({}), raw(['HSET', 'q0:1', 'defa', 'why', 'data', '{"n":1}']), literally(claim())],
    lines: [/^answer: BullMQ .*"data":"{\\"n\\":1}"/, /deo +.*"data":"{}"/],
  },
  'own-name': {
    versions: ALL,
    steps: [addByNode({ jobId: 'stalled' }), claim(), settle('complete')],
    lines: [/^answer: BullMQ {"codes":\["WRONGTYPE/, /deo +{"codes":\[0\]}/, /^X:q0:active: only BullMQ/, /^X:q0:completed: only deo/],
  },
  'bad-job': {
    versions: ALL,
    steps: [add({}), raw(['HSET', 'q0:1', 'parentKey', 'x:y:9', 'parent', '7']), claim(), settle('complete')],
    lines: [/^answer: BullMQ {"codes":\["ERR .*attempt to index local/, /deo +{"codes":\[0\]}/, /^X:q0:active: only BullMQ/, /^X:q0:completed: only deo/],
  },
  'no-job-delayed': {
    versions: ALL,
    steps: [raw(['ZADD', 'q0:delayed', '4096', 'ghost']), claim()],
    lines: [/^answer: BullMQ \[{"id":"ghost"/, /deo +\[\]/, /^X:q0:active: only BullMQ/, /^X:q0:ghost: only BullMQ/],
  },
  'no-job-stalled': {
    versions: ALL,
    steps: [raw(['LPUSH', 'q0:active', 'ghost'], ['SADD', 'q0:stalled', 'ghost']), { kind: 'recover', queue: 0 }],
    lines: [/^answer: BullMQ {"ids":\["ghost"\]/, /deo +{"ids":\[\]/, /^X:q0:wait: only BullMQ/, /^X:q0:ghost: only BullMQ/],
  },
  'limited-defa': {
    versions: FIVE,
    steps: [
      add({}, {}), raw(['HSET', 'q0:1', 'defa', 'why'], ['HSET', 'q0:meta', 'max', '9', 'duration', '5000000']), literally(claim()),
    ],
    lines: [/^X:q0:limiter: BullMQ "2"/, /deo +"1"/],
  },
  'event-bound': {
    versions: ALL,
    steps: [raw(['HDEL', 'q0:meta', 'opts.maxLenEvents']), claim()],
    lines: [/^X:q0:meta opts.maxLenEvents: BullMQ nothing, deo "10000"$/],
  },
  'pause-layout': {
    versions: ['6.7.0'],
    steps: [add({}, {}), literally({ kind: 'pause', queue: 0 })],
    lines: [/^X:q0:paused: only deo has it: \["2","1"\]$/, /^X:q0:wait: only BullMQ has it: \["2","1"\]$/],
  },
  'pause-order': {
    versions: ['6.7.0'],
    steps: [add({}), { kind: 'pause', queue: 0 }, { ...addByNode({}), beside: true }, add({})],
    lines: [/^X:q0:wait: BullMQ \["3","2","1"\]$/, /deo +\["2","3","1"\]$/],
  },
  'pause-clean': {
    versions: ['6.7.0'],
    steps: [add({}), { kind: 'pause', queue: 0 }, literally({ kind: 'clean', queue: 0, grace: 0, limit: 0, from: 'wait' })],
    lines: [/^answer: BullMQ \["1"\]/, /deo +\[\]/, /^X:q0:1: only deo/, /^X:q0:paused: only deo/],
  },
  'pause-removed': {
    versions: ['6.7.0'],
    steps: [add({}), { kind: 'pause', queue: 0 }, literally({ kind: 'remove', queue: 0, which: 0, from: 'wait' })],
    lines: [/^X:q0:events:$/, /BullMQ event removed jobId 1 prev wait$/, /deo +event removed jobId 1 prev paused$/],
  },
  'every-missed': {
    versions: ['5.65.1'],
    steps: [advance(600_000), schedule({ every: HOUR }), advance(2.9 * HOUR), claim()],
    lines: [/^X:q0:repeat: BullMQ \["s","1800015000000"\]/, /deo +\["s","1800011400000"\]/],
  },
  'every-offset': {
    versions: ['5.65.1'],
    steps: [schedule({ every: HOUR, offset: 60_000 })],
    lines: [/^answer: BullMQ "repeat:s:1800000000000"/, /deo +"repeat:s:1800000060000"/],
  },
  'far-offset': {
    versions: ALL,
    steps: [schedule({ every: HOUR, offset: 2 * HOUR })],
    lines: [/^answer: BullMQ "repeat:s:/, /deo +"the offset must be less than the interval/, /^X:q0:.*: only BullMQ/, /^X:q0:events:$/, /^ +BullMQ event/],
  },
  'busy-slots': {
    versions: ['5.65.1'],
    steps: [...[0, 1, 2].map((n) => raw(['HSET', `q0:repeat:s:${1_800_000_000_000 + n * HOUR}`, 'name', 'old'])), schedule({ every: HOUR })],
    lines: [/^answer: BullMQ "Cannot create job scheduler iteration - current and next time slots already have jobs/, /deo +"repeat:s:1800010800000"/],
  },
  'schedule-taken': {
    versions: ALL,
    steps: [schedule({ every: HOUR }), claim(), literally(schedule({ pattern: '0 12 * * *', tz: 'UTC', immediately: true }))],
    lines: [/^answer: BullMQ "repeat:s:1800000000000"/, /deo +"Cannot create job scheduler iteration - job ID already exists/, /^X:q0:wait: only BullMQ/],
  },
  'schedule-paused': {
    versions: ['6.7.0'],
    steps: [{ kind: 'pause', queue: 0 }, schedule({ every: HOUR }), literally(schedule({ every: HOUR }))],
    lines: [/^answer: BullMQ "repeat:s:1800003600000"/, /deo +"repeat:s:1800000000000"/, /^X:q0:delayed: only BullMQ/],
  },
  'schedule-batch': {
    versions: ALL,
    steps: [schedule({ every: HOUR }), add({}), claim(2)],
    lines: [/^X:q0:events:/, /BullMQ event added jobId repeat:s:1800003600000/, /deo +event active jobId 2/],
  },
  'old-repeatable': {
    versions: ['6.7.0'],
    steps: [oldRepeatable('n::::3600000', `repeat:${md5(`n${md5('n::::3600000')}`)}:1800000000000`), claim()],
    lines: [/^X:q0:delayed: only deo/, /^X:q0:repeat: BullMQ \["n::::3600000","1800000000000"\]/],
  },
  'repeatable-data': {
    versions: ['6.7.0'],
    steps: [
      raw(['HSET', `q0:repeat:${md5('key')}`, 'name', 'n', 'every', `${HOUR}`]),
      oldRepeatable(md5('key'), `repeat:${md5('key')}:1800000000000`), claim(),
    ],
    lines: [/^X:q0:repeat:[0-9a-f]+:1800003600000 data: BullMQ "{}", deo "{\\"of\\":1}"/],
  },
  obliterate: {
    versions: ALL,
    steps: [literally({ kind: 'obliterate', queue: 0, force: false })],
    lines: [/^answer: BullMQ 0$/, /deo +"Cannot obliterate non-paused queue"$/, /^X:q0:meta: only deo/],
  },
};

/** By case, or case and version, the lines that none of its patterns is for: what follows from those that one is for. */
const REST = JSON.parse(readFileSync(new URL('differences.json', import.meta.url), 'utf8'));

const { REDIS_URL } = process.env;
const runner = new Runner({ redisUrl: REDIS_URL, env: { tcp: { REDIS_URL } } });
after(() => runner.close());

test('each difference that is documented has its case, and each case is documented', () => {
  const documented = [...readFileSync(new URL('../differences.md', import.meta.url), 'utf8').matchAll(/^\| `([a-z-]+)` \| ([^|]+) \|(?: [^|]+ \|){3}$/gm)];
  assert.deepEqual(documented.map(([, name]) => name), Object.keys(CASES));
  for (const name of Object.keys(REST)) assert.ok(CASES[name.split(' ')[0]], name);
  for (const [, name, versions] of documented) {
    assert.deepEqual(versions === 'all' ? ALL : versions.split(', '), CASES[name].versions, name);
  }
});

for (const [name, { versions, events = 'all', steps, lines, elsewhere }] of Object.entries(CASES)) {
  for (const version of Object.keys(VERSIONS)) {
    const differs = versions.includes(version);
    test(`${name}: ${version} ${differs ? 'differs' : 'does the same'}`, async () => {
      const found = await run(await runner.world(version, 'tcp'), { version, events, steps });
      const expected = differs ? lines : elsewhere;
      if (!expected) {
        assert.equal(found?.lines.join('\n'), undefined);
        return;
      }
      assert.equal(found?.index, steps.length - 1, 'at its last step');
      for (const line of expected) assert.ok(found.lines.some((text) => line.test(text)), `${line} is not in\n${found.lines.join('\n')}`);
      const rest = found.lines.filter((text) => !expected.some((line) => line.test(text)));
      assert.deepEqual(rest, REST[`${name} ${version}`] ?? REST[name] ?? [], 'what differs besides');
    });
  }
}
