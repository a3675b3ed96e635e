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

  async close() {
    await Promise.all([this.a.close(), this.node.close()]);
  }
}
