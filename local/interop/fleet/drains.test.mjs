import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { VERSIONS, database, redis } from '../bullmq/deo.mjs';
import { drained } from './drains.mjs';

// One batch at once in each: what is measured is how drains share, and one of them alone can fill two cores.
process.env.DRAIN_LANES = '1';

after(async () => {
  redis.disconnect();
  await database.end();
});

const JOBS = 2_000;

test('five drains at once share the jobs, and are no slower than one', async (t) => {
  const ratios = [];
  for (let round = 0; round < 3; round += 1) {
    const one = await drained({ jobs: JOBS, drains: 1 });
    const five = await drained({ jobs: JOBS, drains: 5 });
    ratios.push(five / one);
    t.diagnostic(`one drain: ${one.toFixed(0)} jobs/s, five: ${five.toFixed(0)}`);
  }
  // The best of three: something else may keep the machine busy.
  assert.ok(Math.max(...ratios) >= 0.9, `five to one: ${ratios}`);
});

for (const version of Object.keys(VERSIONS)) {
  test(`five drains at once and a worker of BullMQ ${version} share the jobs`, async (t) => {
    const rate = await drained({ jobs: JOBS, drains: 5, version });
    t.diagnostic(`${rate.toFixed(0)} jobs/s`);
  });
}
