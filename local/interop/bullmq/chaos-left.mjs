// Shows BullMQ's own code, in each version, what a run of `deo chaos` has left: it reads every job, and retries,
// removes and cleans some. Says of each version what it could not do, one line of JSON each, and one where all went.
//   node chaos-left.mjs '{"redis": "redis://…", "prefix": "…", "queue": "…", "ids": ["1", …]}'
import { Redis, VERSIONS } from './modules.mjs';

const task = JSON.parse(process.argv[2]);
const url = new URL(task.redis);
const connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null };
const redis = new Redis(task.redis);
const say = (peer, did, job, error) => console.log(JSON.stringify({ kind: 'peer', peer, did, job, error }));

for (const [version, { Job, Queue }] of Object.entries(VERSIONS)) {
  const peer = `BullMQ ${version}`;
  const queue = new Queue(task.queue, { connection, prefix: task.prefix });
  await queue.waitUntilReady();
  /** Does it, or says what came instead. */
  const attempt = async (did, job, action) => {
    try {
      await action();
    } catch (error) {
      say(peer, did, job, String(error.message ?? error));
    }
  };
  const states = new Map();
  for (const id of task.ids) {
    await attempt('read', id, async () => {
      const job = await Job.fromId(queue, id);
      // Removed by the version before.
      if (!job) return;
      const state = await job.getState();
      if (!['completed', 'failed'].includes(state)) throw new Error(`it is ${state}`);
      if (!Number.isFinite(job.timestamp) || !job.finishedOn) throw new Error('it has no times');
      states.set(id, { job, state });
    });
  }
  const of = (state) => [...states].filter(([, it]) => it.state === state).map(([id, { job }]) => [id, job]);
  for (const [id, job] of of('failed').slice(0, 2)) {
    await attempt('retry', id, async () => {
      await job.retry('failed');
      const state = await job.getState();
      if (!['waiting', 'prioritized'].includes(state)) throw new Error(`it is ${state} after that`);
    });
    await attempt('remove', id, () => job.remove());
  }
  for (const [id, job] of of('completed').slice(0, 2)) {
    await attempt('remove', id, async () => {
      await job.remove();
      if (await Job.fromId(queue, id)) throw new Error('it is there after that');
    });
  }
  await attempt('clean', undefined, async () => {
    // Those that ended by a clock that is ahead of ours have yet to end.
    const ended = () => redis.zcount(`${task.prefix}:${task.queue}:completed`, 0, Date.now());
    const before = await ended();
    const cleaned = await queue.clean(0, 3, 'completed');
    const after = await ended();
    if (after !== before - cleaned.length || cleaned.length < Math.min(3, before)) {
      throw new Error(`${before} completed jobs, ${cleaned.length} cleaned, ${after} left`);
    }
  });
  say(peer, `read ${states.size}, retry, remove and clean`);
  await queue.close();
}
await redis.quit();
