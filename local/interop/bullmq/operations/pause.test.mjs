// `deo queue pause` and `resume`.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { QUEUE, redis } from '../deo.mjs';
import { BULL, HOUR, OURS, eachVersion } from './twins.mjs';

eachVersion('pause and resume', ({ q, six, add, judge }) => {
  describe('pause and resume', () => {
    const pause = async () => {
      await judge(['pause'], () => q().pause());
      // Version 5's resume would lose what is left there, whatever version the queue says.
      assert.equal(await redis.exists(`${OURS}:${QUEUE}:wait`), 0);
    };
    const resume = () => judge(['resume'], () => q().resume());
    const mixed = async () => {
      await add('w1');
      await add('w2');
      await add('p1', { priority: 3 });
      await add('d1', { delay: HOUR });
    };
    test('pause an empty queue', pause);
    test('pause a queue with jobs', async () => {
      await mixed();
      await pause();
    });
    test('pause twice', async () => {
      await mixed();
      await q().pause();
      await add('w3');
      await pause();
    });
    test('resume what waited', async () => {
      await mixed();
      await q().pause();
      await add('w3');
      await resume();
    });
    test('resume where only a delayed job is', async () => {
      await add('d1', { delay: HOUR });
      await q().pause();
      await resume();
    });
    test('resume where only a prioritized job is', async () => {
      await add('p1', { priority: 3 });
      await q().pause();
      await resume();
    });
    test('resume an empty queue', async () => {
      await q().pause();
      await resume();
    });
    test('resume with a list that the other major left', { skip: !six }, async () => {
      await add('old1');
      await add('old2');
      await redis.rename(`${BULL}:${QUEUE}:wait`, `${BULL}:${QUEUE}:paused`);
      await q().pause();
      await add('new1');
      await resume();
    });
    test('many jobs in two lists become one in order', { skip: !six }, async () => {
      const ids = Array.from({ length: 12_000 }, (_, i) => `j${i}`);
      await redis.rpush(`${BULL}:${QUEUE}:paused`, ...ids);
      await add('new1');
      await q().pause();
      await resume();
    });
  });
});
