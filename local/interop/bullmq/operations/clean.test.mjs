// `deo queue clean` and `obliterate`, and all of it without events.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { QUEUE, deo, redis } from '../deo.mjs';
import { BULL, HOUR, OURS, copy, eachVersion } from './twins.mjs';

eachVersion('clean and obliterate', ({ q, six, flow, child, parent, take, complete, fail, unlock, age, add, judge, refused }) => {
  const clean = (state, grace, limit = 0) =>
    judge(['clean', state, '--older-than', `${grace}ms`, ...(limit ? ['--limit', `${limit}`] : [])], () =>
      q().clean(grace, limit, state));

  describe('clean', () => {
    for (const [state, end] of [['completed', complete], ['failed', fail]]) {
      const three = async () => {
        for (const [i, id] of ['a', 'b', 'c'].entries()) {
          await add(id, { deduplication: { id: `d-${id}`, ttl: HOUR } });
          await end();
          await age(state, id, (3 - i) * HOUR);
        }
      };
      test(`${state} jobs`, async () => {
        await three();
        await clean(state, 0);
      });
      test(`${state} jobs that are old enough`, async () => {
        await three();
        await clean(state, 1.5 * HOUR);
      });
      test(`at most two ${state} jobs`, async () => {
        await three();
        await clean(state, 0, 2);
      });
    }
    const old = (ms) => ({ timestamp: Date.now() - ms });
    test('waiting jobs that are old enough', async () => {
      for (const i of [5, 4, 3, 2, 1]) await add(`w${i}`, old(i * HOUR));
      await add('young', { lifo: true });
      await clean('wait', 2.5 * HOUR);
    });
    test('the two oldest waiting jobs', async () => {
      for (const i of [5, 4, 3, 2, 1]) await add(`w${i}`, old(i * HOUR));
      await clean('wait', 0, 2);
    });
    test('as many as are old enough among the two oldest', async () => {
      await add('a', old(3 * HOUR));
      await add('b');
      await add('c', old(3 * HOUR));
      await clean('wait', HOUR, 2);
    });
    test('paused jobs', { skip: six }, async () => {
      await q().pause();
      await add('a', old(3 * HOUR));
      await add('b');
      await clean('paused', HOUR);
    });
    test('delayed jobs but not the next of a scheduler', async () => {
      await add('a', { ...old(3 * HOUR), delay: 9 * HOUR });
      await add('b', { delay: HOUR });
      await q().upsertJobScheduler('s', { pattern: '0 3 * * *' }, { name: 'n' });
      await clean('delayed', HOUR);
    });
    test('all delayed jobs but the next of a scheduler', async () => {
      await add('a', { delay: HOUR });
      await q().upsertJobScheduler('s', { pattern: '0 3 * * *' }, { name: 'n' });
      await clean('delayed', 0);
    });
    test('prioritized jobs', async () => {
      await add('a', { ...old(3 * HOUR), priority: 3 });
      await add('b', { ...old(3 * HOUR), priority: 1 });
      await add('c', { priority: 2 });
      await clean('prioritized', HOUR);
    });
    test('active jobs that nobody holds', async () => {
      await add('a');
      await add('b');
      await take();
      await take();
      await unlock('a');
      await clean('active', 0);
    });
    test('children take their parent with them', async () => {
      await parent([child('c1'), child('c2')]);
      await clean('wait', 0);
    });
    test('children release a parent of another queue', async () => {
      await flow({ name: 'p', queueName: 'other', opts: { jobId: 'p' }, children: [child('c1')] });
      await clean('wait', 0);
    });
    test('deduplication keys without a time to live', async () => {
      await add('a', { deduplication: { id: 'd' } });
      await clean('wait', 0);
    });
    test('more jobs than a page holds, with young ones among them', async () => {
      await q().addBulk(Array.from({ length: 1203 }, (_, i) => ({
        name: 'n', data: {}, opts: { jobId: `j${i}`, ...old(i % 7 ? 2 * HOUR : 0) },
      })));
      await clean('wait', HOUR);
    });
  });

  describe('obliterate', () => {
    const everything = async () => {
      await add('done');
      await complete();
      await add('bad', { deduplication: { id: 'x', ttl: HOUR } });
      await fail();
      await add('w', { deduplication: { id: 'd' } });
      await add('p', { priority: 2 });
      await add('late', { delay: HOUR });
      await parent([child('c1'), child('c2', {}, 'other')]);
      await q().upsertJobScheduler('s', { pattern: '0 3 * * *' }, { name: 'n' });
    };
    const obliterate = (opts) =>
      judge(['obliterate', '--yes', ...(opts?.force ? ['--force'] : [])], () => q().obliterate(opts));
    test('everything', async () => {
      await everything();
      await q().pause();
      await obliterate();
    });
    test('with active jobs is refused', async () => {
      await add('x');
      await take();
      await q().pause();
      await refused(['obliterate', '--yes'], async () => {
        // BullMQ's own pauses first, and so tells once more that it is paused.
        const events = await redis.xlen(`${BULL}:${QUEUE}:events`);
        try {
          await q().obliterate();
        } finally {
          const last = await redis.xrevrange(`${BULL}:${QUEUE}:events`, '+', '-', 'COUNT', 1);
          if ((await redis.xlen(`${BULL}:${QUEUE}:events`)) > events) {
            await redis.xdel(`${BULL}:${QUEUE}:events`, last[0][0]);
          }
        }
      });
    });
    test('with active jobs by force', async () => {
      await add('x');
      await take();
      await everything();
      await q().pause();
      await obliterate({ force: true });
    });
    test('in pages', async () => {
      await q().addBulk(Array.from({ length: 1203 }, (_, i) => ({ name: 'n', data: {}, opts: { jobId: `j${i}` } })));
      await q().pause();
      await obliterate();
    });
  });

  test('without events nothing is told', async () => {
    await add('x');
    await fail();
    await copy(BULL, OURS);
    const env = { REDIS_PREFIX: OURS, ENABLE_QUEUE_EVENTS: 'final' };
    const told = await redis.xlen(`${OURS}:${QUEUE}:events`);
    for (const args of [['pause'], ['resume'], ['retry', '--all-failed'], ['remove', 'x'], ['clean', 'wait', '--older-than', '0']]) {
      await deo(['queue', ...args, '--json'], env);
    }
    assert.equal(await redis.xlen(`${OURS}:${QUEUE}:events`), told);
  });
});
