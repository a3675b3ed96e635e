// Both sides of one version over one Redis database.
import { clock } from './clock.mjs';
import { DeoPeer } from './deo-peer.mjs';
import { NodePeer, QUEUES } from './node-peer.mjs';
import { Side } from './snapshot.mjs';

/** BullMQ's and ours; names of one length that occur nowhere else. */
const PREFIX = { a: 'bullmqs', b: 'deoownq' };

export class World {
  static async open({ version, module, redis, connection, driver }) {
    const world = new World();
    world.version = version;
    world.redis = redis;
    world.driver = driver;
    world.a = new NodePeer(module, connection, PREFIX.a);
    // BullMQ on our prefix, for what is done by it on both.
    world.node = new NodePeer(module, connection, PREFIX.b);
    await Promise.all([world.a.ready(), world.node.ready()]);
    world.sides = { a: new Side(redis, PREFIX.a), b: new Side(redis, PREFIX.b) };
    return world;
  }

  /** An empty database, and the time at its beginning. */
  async reset(events = 'all', metrics = 0) {
    clock.reset();
    await this.redis.flushdb();
    await this.writeMeta();
    this.sides.a.reset();
    this.sides.b.reset();
    this.a.measure(metrics);
    this.b = new DeoPeer(this.driver, PREFIX.b, events, metrics);
  }

  /** As the constructor of BullMQ's Queue does. */
  async writeMeta() {
    for (const prefix of Object.values(PREFIX)) {
      for (let i = 0; i < QUEUES; i += 1) await this.redis.hset(`${prefix}:q${i}:meta`, this.a.meta);
    }
  }

  /** Our side's paused queues as version 6 keeps them, where it goes on with them. */
  async layOut() {
    if (!this.version.startsWith('6')) return;
    for (let i = 0; i < QUEUES; i += 1) {
      const at = (name) => `${PREFIX.b}:q${i}:${name}`;
      if (!(await this.redis.hexists(at('meta'), 'paused')) || await this.redis.type(at('paused')) !== 'list') continue;
      await this.redis.rpush(at('wait'), ...await this.redis.lrange(at('paused'), 0, -1));
      await this.redis.del(at('paused'));
    }
  }

  async close() {
    await Promise.all([this.a.close(), this.node.close()]);
  }
}
