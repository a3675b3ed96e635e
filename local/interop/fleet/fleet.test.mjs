// BullMQ's producers and workers, our enqueuer and our drain on one queue.
import { after, test } from 'node:test';
import { database, redis } from '../bullmq/deo.mjs';
import { fleet } from './fleet.mjs';

after(async () => {
  await redis.quit();
  await database.end();
});

const FLEETS = [
  ['6.7.0', 24_000, 'tcp'], ['5.81.5', 8_000, 'tcp'], ['5.65.1', 8_000, 'tcp'], ['6.7.0', 4_000, 'rest'], ['5.65.1', 2_000, 'rest'],
];
for (const [version, jobs, transport] of FLEETS) {
  test(`${jobs} adds, BullMQ ${version} and deo over ${transport}`, { timeout: 240_000 }, async (t) => {
    const { completed, byNode, pauses } = await fleet({ version, jobs, transport, seed: 7 });
    t.diagnostic(`${completed} jobs completed, ${byNode} of them by Node workers; ${pauses} pauses`);
  });
}
