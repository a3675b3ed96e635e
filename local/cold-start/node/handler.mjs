// A drain as one would write it with BullMQ: takes jobs until there are none, a row from Postgres for each.
import { randomUUID } from 'node:crypto';
import { Worker } from 'bullmq';
import pg from 'pg';

const { REDIS_URL, REDIS_PREFIX, DATABASE_URL } = process.env;
const { hostname: host, port } = new URL(REDIS_URL);
const database = new pg.Pool({ connectionString: DATABASE_URL, max: 1 });
const worker = new Worker('deo_score_queue', null, {
  autorun: false,
  connection: { host, port: Number(port), maxRetriesPerRequest: null },
  prefix: REDIS_PREFIX,
});

export async function handler() {
  const token = randomUUID();
  let completed = 0;
  let job = await worker.getNextJob(token, { block: false });
  while (job) {
    await database.query('SELECT id FROM "Project" WHERE id = $1', [job.data.projectId]);
    await job.moveToCompleted({}, token, false);
    completed += 1;
    job = await worker.getNextJob(token, { block: false });
  }
  return { completed };
}
