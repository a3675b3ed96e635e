// BullMQ's producers and workers, our enqueuer and our drain on one queue.
import { after, test } from 'node:test';
import { FIVE, NEWEST, OLDEST, database, redis } from '../bullmq/deo.mjs';
import { fleet } from './fleet.mjs';

after(async () => {
  await redis.quit();
  await database.end();
});

const FLEETS = [
  [NEWEST, 24_000, 'tcp'], [FIVE, 8_000, 'tcp'], [OLDEST, 8_000, 'tcp'], [NEWEST, 4_000, 'rest'], [OLDEST, 2_000, 'rest'],
];
for (const [version, jobs, transport] of FLEETS) {
  test(`${jobs} adds, BullMQ ${version} and deo over ${transport}`, { timeout: 240_000 }, async (t) => {
    const { completed, byNode, pauses } = await fleet({ version, jobs, transport, seed: 7 });
    t.diagnostic(`${completed} jobs completed, ${byNode} of them by Node workers; ${pauses} pauses`);
  });
}
