// BullMQ 5 and 6 together lose jobs when a queue is paused and resumed; what of that happens to whom.
import { FIVE, NEWEST, QUEUE, VERSIONS, connection, redis } from '../bullmq/deo.mjs';
import { Driver } from '../bullmq/driver.mjs';

const PREFIX = 'majors';
const key = (name) => `${PREFIX}:${QUEUE}:${name}`;

/** Peers by name, each able to pause, resume and add. */
export async function peers() {
  const bullmq = async (version) => {
    const queue = new VERSIONS[version].Queue(QUEUE, { connection, prefix: PREFIX });
    await queue.waitUntilReady();
    return {
      version: queue.metaValues.version,
      pause: () => queue.pause(),
      resume: () => queue.resume(),
      add: async () => (await queue.add('job', {})).id,
      close: () => queue.close(),
    };
  };
  const driver = new Driver({ REDIS_URL: process.env.REDIS_URL });
  await driver.send({ op: 'open', prefix: PREFIX, queue: QUEUE, events: 'off', lockMs: 30_000 });
  const deo = {
    pause: () => driver.send({ op: 'pause' }),
    resume: () => driver.send({ op: 'resume' }),
    add: async () => (await driver.send({ op: 'enqueue', jobs: [{ name: 'job', data: '{}' }] })).added[0].id,
    close: () => driver.close(),
  };
  return { five: await bullmq(FIVE), six: await bullmq(NEWEST), deo };
}

/** Does `steps` ([peer, call]) on an empty queue; names the peers whose jobs are in no list any more. */
export async function lost(all, steps, last) {
  const keys = await redis.keys(`${PREFIX}:*`);
  if (keys.length > 0) await redis.del(...keys);
  await redis.hset(key('meta'), { 'opts.maxLenEvents': 10_000, version: all[last].version });
  const added = [];
  for (const [peer, call] of steps) {
    const id = await all[peer][call]();
    if (call === 'add') added.push([peer, id]);
  }
  const found = new Set([...(await redis.lrange(key('wait'), 0, -1)), ...(await redis.lrange(key('paused'), 0, -1))]);
  return added.filter(([, id]) => !found.has(id)).map(([peer]) => peer);
}

/** Every way in which `names` can pause, add, add, resume and perhaps do that again. */
export function* scenarios(names) {
  for (const pauser of names) {
    for (const first of names) {
      for (const second of names) {
        for (const resumer of names) {
          const once = [[pauser, 'pause'], [first, 'add'], [second, 'add'], [resumer, 'resume']];
          yield once;
          for (const before of names) yield [[before, 'add'], ...once];
          for (const again of names) yield [...once.slice(0, 3), [again, 'pause'], [first, 'add'], once[3]];
          for (const again of names) yield [...once, [again, 'pause'], [second, 'add'], [resumer, 'resume']];
        }
      }
    }
  }
}
