// Pausing by any peer, in any order: what is lost, and by whose doing.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { database, redis } from '../bullmq/deo.mjs';
import { lost, peers, scenarios } from './majors.mjs';

const all = await peers();
after(async () => {
  await Promise.all(Object.values(all).map((peer) => peer.close()));
  await redis.quit();
  await database.end();
});

for (const major of ['five', 'six']) {
  test(`one major and deo lose nothing: ${major}`, async () => {
    for (const steps of scenarios([major, 'deo'])) {
      assert.deepEqual(await lost(all, steps, major), [], JSON.stringify(steps));
    }
  });
}

test('both majors lose jobs without us', async (t) => {
  let scenariosThatLose = 0;
  for (const steps of scenarios(['five', 'six'])) {
    if ((await lost(all, steps, 'six')).length > 0) scenariosThatLose += 1;
  }
  t.diagnostic(`in ${scenariosThatLose} of ${[...scenarios(['five', 'six'])].length} orders`);
  assert.ok(scenariosThatLose > 0);
});

for (const last of ['five', 'six']) {
  test(`both majors and deo lose no more than with one of them in our place; ${last} came last`, async (t) => {
    const sums = { deo: 0, five: 0, six: 0 };
    let orders = 0;
    for (const steps of scenarios(['five', 'six', 'deo'])) {
      if (!steps.some(([peer]) => peer === 'deo')) continue;
      orders += 1;
      const as = (name) => steps.map(([peer, call]) => [peer === 'deo' ? name : peer, call]);
      const counts = {};
      for (const name of ['deo', 'five', 'six']) {
        counts[name] = (await lost(all, as(name), last)).length;
        sums[name] += counts[name];
      }
      assert.ok(counts.deo <= Math.max(counts.five, counts.six), `${JSON.stringify(counts)}: ${JSON.stringify(steps)}`);
    }
    t.diagnostic(`jobs lost with deo in its place ${sums.deo}, with BullMQ 5 there ${sums.five}, with BullMQ 6 there ${sums.six}`);
    assert.ok(sums.deo * 2 < Math.max(sums.five, sums.six), 'in sum fewer than half');
    assert.equal(orders, 698);
  });
}
