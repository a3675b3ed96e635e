// What differs between two snapshots, as lines for people; none when they are equal.

/** Both sides set their times to live within moments of each other; a slow machine's are long. */
const TTL_TOLERANCE_MS = 300_000;

/** All keys but streams: what they hold, and whether and when they expire. */
export function differences(bullmq, ours) {
  const lines = [];
  for (const key of union(bullmq.keys, ours.keys)) {
    const [a, b] = [bullmq.keys.get(key), ours.keys.get(key)];
    if (!a || !b) {
      lines.push(`${key}: only ${a ? 'BullMQ' : 'deo'} has it: ${show((a ?? b).content)}`);
      continue;
    }
    if (a.kind !== b.kind) {
      lines.push(`${key}: BullMQ ${a.kind}, deo ${b.kind}`);
    } else if (show(a.content) !== show(b.content)) {
      lines.push(...contents(key, a.content, b.content));
    }
    if ((a.ttl < 0) !== (b.ttl < 0) || Math.abs(a.ttl - b.ttl) > TTL_TOLERANCE_MS) {
      lines.push(`${key}: time to live: BullMQ ${a.ttl}, deo ${b.ttl}`);
    }
  }
  return lines;
}

/** Both took the events that were written since the last look, in order and with their fields. */
export function eventDifferences(bullmq, ours) {
  const lines = [];
  for (const key of union(bullmq, ours)) {
    const [a, b] = [bullmq.get(key) ?? [], ours.get(key) ?? []].map((list) => list.map((e) => e.join(' ')));
    if (a.join('\n') !== b.join('\n')) {
      lines.push(`${key}:`, ...a.map((e) => `    BullMQ ${e}`), ...b.map((e) => `    deo    ${e}`));
    }
  }
  return lines;
}

export function answerDifferences(a, b) {
  return show(a) === show(b) ? [] : [`answer: BullMQ ${show(a)}`, `        deo    ${show(b)}`];
}

function contents(key, a, b) {
  if (Array.isArray(a) || typeof a === 'string') return [`${key}: BullMQ ${show(a)}`, `${' '.repeat(key.length)}  deo    ${show(b)}`];
  const lines = [];
  for (const field of union(new Map(Object.entries(a)), new Map(Object.entries(b)))) {
    if (show(a[field]) !== show(b[field])) lines.push(`${key} ${field}: BullMQ ${show(a[field])}, deo ${show(b[field])}`);
  }
  return lines;
}

const show = (value) => JSON.stringify(value) ?? 'nothing';
const union = (a, b) => [...new Set([...a.keys(), ...b.keys()])].sort();
