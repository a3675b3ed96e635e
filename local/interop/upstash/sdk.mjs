// What the tests share: the official SDK in two versions, and a client that notes which of its commands
// were called.
import { randomUUID } from 'node:crypto';
import * as newest from '@upstash/redis';
import * as older from '@upstash/redis-1.34.3';

export const VERSIONS = { '1.39.0': newest.Redis, '1.34.3': older.Redis };

export const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token, READ_ONLY_TOKEN: readOnlyToken } = process.env;
if (!url || !token || !readOnlyToken) {
  throw new Error('run this through `node run.mjs`, see README.md');
}

/** A key that no other test uses. */
export const key = (name) => `${name}:${randomUUID()}`;

const called = Object.fromEntries(Object.keys(VERSIONS).map((version) => [version, new Set()]));

/** A client whose calls are noted. */
export function client(version, options = {}) {
  const redis = new VERSIONS[version]({ url, token, retry: false, ...options });
  return new Proxy(redis, {
    get(target, name) {
      if (typeof name === 'string') called[version].add(name);
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** The commands of a version that no test has called. */
export function uncalled(version) {
  const redis = new VERSIONS[version]({ url, token });
  const own = Object.getOwnPropertyNames(redis).filter((name) => typeof redis[name] === 'function');
  const chain = [Object.getPrototypeOf(redis), Object.getPrototypeOf(Object.getPrototypeOf(redis))];
  const inherited = chain.flatMap((prototype) => Object.getOwnPropertyNames(prototype));
  return [...own, ...inherited].filter((name) => !called[version].has(name)).sort();
}

/** Runs the body once for every version of the SDK and way of using it. */
export function everyClient(body) {
  for (const version of Object.keys(VERSIONS)) {
    for (const [way, options] of Object.entries({
      'base64': { enableAutoPipelining: false },
      'plain': { enableAutoPipelining: false, responseEncoding: false },
      // The SDK's own default.
      'auto-pipelining': { enableAutoPipelining: true },
    })) {
      body(`${version}, ${way}`, client(version, options), version);
    }
  }
}
