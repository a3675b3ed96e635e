// @upstash/redis under load, for `deo bench rest`: the first line in says what to send, each further one
// for how long; a line out tells how it went.
import { createInterface } from 'node:readline';
import { Redis } from '@upstash/redis';

const url = process.env.UPSTASH_REDIS_REST_URL;
const token = process.env.UPSTASH_REDIS_REST_TOKEN;
const alone = new Redis({ url, token, enableAutoPipelining: false });
const together = new Redis({ url, token, enableAutoPipelining: true });

let material;
let sha1;

const shapes = {
  async single(redis) {
    return (await redis.get(material.key)) === material.value;
  },
  async pipeline(redis) {
    const pipeline = redis.pipeline();
    for (let n = 0; n < material.each; n += 1) pipeline.set(material.key, material.value).get(material.key);
    return (await pipeline.exec()).length === 2 * material.each;
  },
  async script(redis) {
    const [, jobs] = await redis.evalsha(sha1, material.keys, [material.argument]);
    return jobs.length === material.jobs;
  },
};

async function run({ shape, millis, atOnce, auto }) {
  const redis = auto ? together : alone;
  const latenciesUs = [];
  const cpu = process.cpuUsage();
  const started = performance.now();
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (performance.now() - started < millis) {
      const began = performance.now();
      if (!(await shapes[shape](redis))) throw new Error(`a ${shape} call was answered in part`);
      latenciesUs.push(Math.round((performance.now() - began) * 1000));
    }
  }));
  const elapsedUs = Math.round((performance.now() - started) * 1000);
  const { user, system } = process.cpuUsage(cpu);
  return { latenciesUs, elapsedUs, cpuUs: user + system };
}

for await (const line of createInterface(process.stdin)) {
  if (material) {
    console.log(JSON.stringify(await run(JSON.parse(line))));
  } else {
    material = JSON.parse(line);
    sha1 = await alone.scriptLoad(material.source);
  }
}
