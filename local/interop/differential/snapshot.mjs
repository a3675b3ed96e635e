// What is below a prefix in Redis, in a form that can be compared with what is below another.
import { readFileSync } from 'node:fs';

const DUMP = readFileSync(new URL('dump.lua', import.meta.url), 'utf8');
const ELAPSE = readFileSync(new URL('elapse.lua', import.meta.url), 'utf8');

/** Fields of a job's hash that hold JSON in which the order of keys is free. */
const JSON_FIELDS = new Set(['opts', 'parent', 'stacktrace']);

/** Reads one side again and again; streams only as far as they grew. */
export class Side {
  constructor(redis, prefix) {
    this.redis = redis;
    this.prefix = prefix;
    // Keys hold the prefix, and so do values that name keys.
    this.name = new RegExp(`\\b${prefix}:q`, 'g');
    this.reset();
  }

  reset() {
    this.ends = new Map();
    /** Job key -> {token, nth}: who holds it by our own book-keeping. */
    this.holders = new Map();
  }

  holds(queue, id, token) {
    const key = `X:q${queue}:${id}:lock`;
    this.holders.set(key, { token, nth: (this.holders.get(key)?.nth ?? 0) + 1 });
  }

  elapse(ms) {
    return this.redis.eval(ELAPSE, 0, `${this.prefix}:q`, ms);
  }

  async read() {
    const rows = await this.redis.eval(DUMP, 0, `${this.prefix}:q`, ...[...this.ends].flat());
    const keys = new Map();
    const events = new Map();
    for (const [key, kind, ttl, content] of rows) {
      const name = this.rename(key);
      if (kind === 'stream') {
        if (content.length > 0) this.ends.set(key, content.at(-1)[0]);
        events.set(name, content.map(([, fields]) => fields.map((field) => this.rename(field))));
      } else {
        keys.set(name, { kind, ttl, content: this.content(name, kind, content) });
      }
    }
    return { keys, events };
  }

  rename(text) {
    return text.includes(this.prefix) ? text.replace(this.name, 'X:q') : text;
  }

  content(name, kind, content) {
    if (kind === 'string') {
      const text = this.rename(content);
      if (!name.endsWith(':lock')) return text;
      const holder = this.holders.get(name);
      return holder?.token === text ? `claim ${holder.nth}` : `unknown ${text}`;
    }
    const items = content.map((item) => this.rename(item));
    if (kind === 'list') return items;
    if (kind === 'set') return items.sort();
    const pairs = {};
    if (kind === 'zset') {
      // In their order: jobs of equal scores come out by it.
      return items;
    }
    for (let i = 0; i < items.length; i += 2) {
      pairs[items[i]] = JSON_FIELDS.has(items[i]) ? parsed(items[i + 1]) : items[i + 1];
    }
    return sorted(pairs);
  }
}

function parsed(text) {
  try {
    return sorted(JSON.parse(text));
  } catch {
    return text;
  }
}

/** With its keys in order. Lua writes an empty array as an empty object. */
function sorted(value) {
  if (Array.isArray(value)) return value.length === 0 ? {} : value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

/** What `read` gave, with `wait` and `paused` of each paused queue as one list, and told of by one name. */
export function inOneList({ keys, events }) {
  const joined = new Map(keys);
  for (const [key, { content }] of keys) {
    const paused = key.replace(/:meta$/, ':paused');
    if (paused === key || content.paused === undefined || keys.get(paused)?.kind !== 'list') continue;
    const wait = key.replace(/:meta$/, ':wait');
    joined.delete(paused);
    joined.set(wait, { ...keys.get(paused), content: [...(keys.get(wait)?.content ?? []), ...keys.get(paused).content] });
  }
  const told = (event) => (event[1] === 'removed' && event.at(-1) === 'paused' ? event.with(-1, 'wait') : event);
  return { keys: joined, events: new Map([...events].map(([key, list]) => [key, list.map(told)])) };
}

/** The ids in each state of a queue, out of what `read` gave. */
export function states(snapshot, queue) {
  const list = (name) => snapshot.keys.get(`X:q${queue}:${name}`)?.content ?? [];
  const members = (name) => list(name).filter((_, i) => i % 2 === 0);
  return {
    wait: list('wait'),
    paused: list('paused'),
    active: list('active'),
    prioritized: members('prioritized'),
    delayed: members('delayed'),
    completed: members('completed'),
    failed: members('failed'),
    waitingChildren: members('waiting-children'),
    /** Scheduler -> the id of the job that is its next one. */
    current: Object.fromEntries(members('repeat').map((id, i) => [id, `repeat:${id}:${list('repeat')[2 * i + 1]}`])),
    isPaused: snapshot.keys.get(`X:q${queue}:meta`)?.content.paused !== undefined,
  };
}
