// `deo queue remove`.
import { describe, test } from 'node:test';
import { QUEUE, redis } from '../deo.mjs';
import { BULL, HOUR, eachVersion } from './twins.mjs';

eachVersion('remove', ({ q, version, flow, child, parent, take, complete, fail, unlock, add, judge, refused }) => {
  const remove = (id) => judge(['remove', id], async () => (await q().getJob(id)).remove());

  describe('remove', () => {
    const states = {
      waiting: () => add('x'),
      prioritized: () => add('x', { priority: 7 }),
      delayed: () => add('x', { delay: HOUR }),
      completed: async () => (await add('x'), complete()),
      failed: async () => (await add('x'), fail()),
      paused: async () => (await q().pause(), add('x')),
      'active without a lock': async () => (await add('x'), await take(), unlock('x')),
      'in no list': async () => (await add('x'), redis.del(`${BULL}:${QUEUE}:wait`)),
    };
    for (const [state, reach] of Object.entries(states)) {
      test(`a job that is ${state}`, async () => {
        await reach();
        await (await q().getJob('x')).log('a line');
        await add('y');
        await remove('x');
      });
    }
    test('a locked job is refused', async () => {
      await add('x');
      await take();
      await refused(['remove', 'x'], async () => (await q().getJob('x')).remove());
    });
    test('a job that owns a deduplication key', async () => {
      await add('x', { deduplication: { id: 'd' } });
      await add('y', { deduplication: { id: 'e', ttl: HOUR } });
      await remove('x');
    });
    test('a job whose deduplication key has a time to live', async () => {
      await add('x', { deduplication: { id: 'd', ttl: HOUR } });
      await remove('x');
    });
    test('a job whose deduplication key names another', async () => {
      await add('x', { deduplication: { id: 'd' } });
      await redis.set(`${BULL}:${QUEUE}:de:d`, 'y');
      await remove('x');
    });
    test('a job with a duplicate behind it', { skip: version === '5.65.1' }, async () => {
      await add('x', { deduplication: { id: 'd', keepLastIfActive: true } });
      await take();
      await add('y', { deduplication: { id: 'd', keepLastIfActive: true } });
      await unlock('x');
      await remove('x');
    });
    test('a parent with its child', async () => {
      await parent([child('c1', { priority: 4 })]);
      await remove('parent');
    });
    test('a parent with a child in another queue', async () => {
      await parent([child('c1', {}, 'other')]);
      await remove('parent');
    });
    test('a parent whose child is done', async () => {
      await parent([child('c1')]);
      await complete();
      await remove('parent');
    });
    for (const flag of ['failParentOnFailure', 'ignoreDependencyOnFailure', 'continueParentOnFailure']) {
      test(`a parent whose child failed with ${flag}`, async () => {
        await parent([child('c1', { [flag]: true })]);
        await fail();
        await remove('parent');
      });
    }
    test('a parent whose child is being processed is refused', async () => {
      await parent([child('c1')]);
      await take();
      await refused(['remove', 'parent'], async () => (await q().getJob('parent')).remove());
    });
    test('the last child releases its parent', async () => {
      await parent([child('c1')]);
      await remove('c1');
    });
    test('the last child releases its parent into a paused queue', async () => {
      await parent([child('c1')]);
      await q().pause();
      await remove('c1');
    });
    test('the last child does not wake anybody for a queue that is full', async () => {
      await parent([child('c1')]);
      await add('busy', { lifo: true });
      await take();
      await q().setGlobalConcurrency(1);
      await redis.del(`${BULL}:${QUEUE}:marker`);
      await remove('c1');
    });
    test('a child that is not the last', async () => {
      await parent([child('c1'), child('c2')]);
      await remove('c1');
    });
    test('a child whose parent is in another queue', async () => {
      await flow({ name: 'p', queueName: 'other', opts: { jobId: 'p' }, children: [child('c1')] });
      await remove('c1');
    });
    test('grandchildren', async () => {
      await parent([{ ...child('c1'), children: [child('g1', { delay: HOUR })] }]);
      await remove('parent');
    });
    test('the next job of a scheduler is refused', async () => {
      await q().upsertJobScheduler('s', { pattern: '0 3 * * *' }, { name: 'n' });
      const id = (await q().getDelayed())[0].id;
      await refused(['remove', id], async () => (await q().getJob(id)).remove());
    });
    test('an earlier job of a scheduler', async () => {
      await q().upsertJobScheduler('s', { every: HOUR }, { name: 'n' });
      const id = (await take()).id;
      await (await q().getJob(id)).moveToCompleted('done', 'token', false);
      await q().upsertJobScheduler('s', { every: 2 * HOUR }, { name: 'n' });
      await remove(id);
    });
  });
});
