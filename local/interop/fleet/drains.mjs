// Many drains at the same moment, as when a schedule's event comes twice, and a Node worker beside them.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { QUEUE, VERSIONS, connection, database, drain, redis } from '../bullmq/deo.mjs';
import { Driver } from '../bullmq/driver.mjs';
import { NAME, PREFIX, data, finished, prepare, project } from './fleet.mjs';

/** Puts `jobs` jobs on an empty queue. */
async function fill(jobs) {
  await prepare(jobs);
  const driver = new Driver({ REDIS_URL: process.env.REDIS_URL });
  await driver.send({ op: 'open', prefix: PREFIX, queue: QUEUE, events: 'off', lockMs: 30_000 });
  const all = Array.from({ length: jobs }, (_, i) => ({ name: NAME, data: JSON.stringify(data(project(i))), opts: {} }));
  const { added } = await driver.send({ op: 'enqueue', jobs: all });
  assert.equal(added.length, jobs);
  driver.close();
}

/**
 * Drains `jobs` jobs by so many drains at once, and a Node worker if a version is given. Checks that each had one
 * owner and one effect, and gives how many were done a second.
 */
export async function drained({ jobs, drains, version }) {
  await fill(jobs);
  const effect = (job) => database.query('INSERT INTO fleet_effect VALUES ($1)', [job.id]).then(() => ({ by: 'node' }));
  const worker = version && new VERSIONS[version].Worker(QUEUE, effect, { connection, prefix: PREFIX, concurrency: 10 });
  worker?.on('error', () => {});
  const began = performance.now();
  const reports = await Promise.all(Array.from({ length: drains }, () => drain({ REDIS_PREFIX: PREFIX })));
  while ((await redis.zcard(`${PREFIX}:${QUEUE}:completed`)) < jobs) await sleep(2);
  const seconds = (performance.now() - began) / 1_000;
  await worker?.close();

  assert.equal(reports.reduce((sum, { lost }) => sum + lost, 0), 0, 'a drain lost a lock');
  const completed = await finished();
  assert.equal(completed.size, jobs);
  const starts = await redis.pipeline([...completed.keys()].map((id) => ['hget', `${PREFIX}:${QUEUE}:${id}`, 'ats'])).exec();
  assert.ok(starts.every(([, times]) => times === '1'), 'a job had two owners');
  const { rows } = await database.query(`SELECT id FROM "DeoScoreSnapshot" WHERE "projectId" LIKE 'fleet-%'`);
  const ours = [...completed.values()].filter(({ by }) => by !== 'node').map(({ snapshotId }) => snapshotId);
  assert.deepEqual(rows.map(({ id }) => id).sort(), ours.sort(), 'effects of drains');
  const effects = await database.query('SELECT count(*)::int AS count, count(DISTINCT job)::int AS jobs FROM fleet_effect');
  const byNode = jobs - ours.length;
  assert.deepEqual(effects.rows[0], { count: byNode, jobs: byNode }, 'effects of the worker');
  assert.ok(!version || byNode > 0, 'the worker had none');
  return jobs / seconds;
}
