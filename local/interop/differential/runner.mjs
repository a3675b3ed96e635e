// Runs sequences on one database, for every version and both transports.
import './clock.mjs';
import { Redis, VERSIONS } from '../bullmq/modules.mjs';
import { Driver } from '../bullmq/driver.mjs';
import { run } from './sequence.mjs';
import { shrink } from './shrink.mjs';
import { World } from './world.mjs';

const NAMES = Object.keys(VERSIONS);

/** Every third seed is a version's; every tenth of a version's goes over REST, unless `only` names a transport. */
export const plan = (seed, versions = NAMES, only = undefined) => ({
  version: versions[seed % versions.length],
  transport: only ?? (Math.floor(seed / versions.length) % 10 === 0 ? 'rest' : 'tcp'),
});

export class Runner {
  constructor({ redisUrl, env }) {
    const url = new URL(redisUrl);
    this.connection = { host: url.hostname, port: Number(url.port || 6379), db: Number(url.pathname.slice(1) || 0), maxRetriesPerRequest: null };
    this.redis = new Redis(this.connection);
    this.env = env;
    this.drivers = {};
    this.worlds = {};
  }

  async world(version, transport) {
    this.drivers[transport] ??= new Driver(this.env[transport]);
    return (this.worlds[`${version} ${transport}`] ??= await World.open({
      version, module: VERSIONS[version], redis: this.redis, connection: this.connection, driver: this.drivers[transport],
    }));
  }

  /** How many steps there were, and how many found nothing to do; or the shortest sequence that fails and how. */
  async check(sequence, transport) {
    const world = await this.world(sequence.version, transport);
    const done = { idle: 0 };
    const first = await run(world, sequence, done);
    if (!first) return { steps: sequence.steps.length, idle: done.idle };
    const shortest = await shrink(sequence, async (smaller) => Boolean(await run(world, smaller)));
    // What fails only now and then is still a failure.
    return { failure: { sequence: shortest, found: (await run(world, shortest)) ?? { ...first, once: true } } };
  }

  async close() {
    await Promise.all(Object.values(this.worlds).map((world) => world.close()));
    for (const driver of Object.values(this.drivers)) driver.close();
    await this.redis.quit();
  }
}
