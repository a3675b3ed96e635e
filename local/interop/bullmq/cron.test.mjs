// Two peers that work out different times for one pattern would make two jobs of one. So our reading of
// patterns is held against the cron-parser of each BullMQ: generated patterns, zones and times.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { generator } from './patterns.mjs';

const seed = Number(process.env.CRON_SEED ?? 1);

const ZONES = [
  'UTC', 'Europe/Berlin', 'Europe/Dublin', 'America/New_York', 'America/Los_Angeles', 'America/St_Johns', 'Asia/Kolkata',
  'Australia/Sydney', 'Pacific/Apia',
];
// Their clocks change at midnight, at a quarter to, or by half an hour. The parsers leave times out there, or
// give up; the two differ from one another, too.
const ODD_ZONES = ['Africa/Cairo', 'America/Havana', 'America/Sao_Paulo', 'Asia/Beirut', 'Australia/Lord_Howe', 'Pacific/Chatham'];
// When clocks change or did, in one of them or another.
const CHANGES = [
  '2025-03-30T01:00', '2025-10-26T01:00', '2025-03-09T07:00', '2025-11-02T06:00', '2025-04-05T15:00', '2025-10-04T15:30', '2025-04-24T22:00',
  '2025-10-30T21:00', '2025-03-09T05:30', '2025-11-02T04:30', '2025-03-29T22:00', '2025-10-25T21:00', '2018-11-04T03:00', '2019-02-17T02:00',
].map((at) => Date.parse(`${at}Z`));
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** The cron-parser of each version; 5.65.1 and 5.81.5 have the same one. */
function parsers() {
  const found = new Map();
  for (const name of ['bullmq-5.65.1', 'bullmq-5', 'bullmq-6']) {
    const require = createRequire(createRequire(import.meta.url).resolve(name));
    const parser = require('cron-parser');
    const parse = parser.CronExpressionParser?.parse.bind(parser.CronExpressionParser) ?? parser.parseExpression;
    found.set(require('cron-parser/package.json').version, { parse, bullmq: name.slice(7, 8) });
  }
  return found;
}

/** The first two times, the second as the first one's next; `invalid` when the pattern cannot be read. */
function theirs(parse, { pattern, tz, after }) {
  const times = [];
  let at = after;
  for (let i = 0; i < 2; i += 1) {
    let expression;
    try {
      expression = parse(pattern, { currentDate: new Date(at), tz });
    } catch {
      return 'invalid';
    }
    try {
      at = expression.next().getTime();
    } catch {
      return [...times, 'gave up'];
    }
    times.push(at);
  }
  return times;
}

function ours(questions) {
  const input = questions.map((question) => JSON.stringify(question)).join('\n');
  const { stdout, stderr, status } = spawnSync(process.env.DEO, ['queue', 'schedule', 'preview', '-'], { input, maxBuffer: 1 << 28, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.trim().split('\n').map((line) => {
    const { times, error } = JSON.parse(line);
    if (error) return 'invalid';
    return times.length < 2 ? [...times, 'gave up'] : times;
  });
}

function questions(zones, count) {
  const r = generator(seed);
  return Array.from({ length: count }, () => {
    let after = r.chance(0.5)
      ? r.pick(CHANGES) + r.whole(-40, 20) * HOUR + r.whole(0, HOUR)
      : Date.UTC(r.whole(2024, 2033), r.whole(0, 11), r.whole(1, 28)) + r.whole(0, DAY);
    if (r.chance(0.3)) after -= after % 1_000;
    if (r.chance(0.2)) after -= after % 60_000;
    return { pattern: r.pattern(), tz: r.pick(zones), after, count: 2 };
  });
}

/** Asks both; gives what differed. */
function compare(zones, count, { parse, bullmq }) {
  const asked = questions(zones, count).map((question) => ({ ...question, bullmq }));
  const answers = ours(asked);
  const read = answers.filter((answer) => answer !== 'invalid').length;
  assert.ok(read > count / 2 && read < count, `${read} of ${count} can be read`);
  return asked
    .map((question, i) => ({ question, a: theirs(parse, question), b: answers[i] }))
    .filter(({ a, b }) => JSON.stringify(a) !== JSON.stringify(b));
}

const date = (at) => (typeof at === 'number' ? new Date(at).toISOString() : at);
const show = ({ question: { pattern, tz, after }, a, b }) =>
  `"${pattern}" in ${tz} after ${date(after)}: ${[a].flat().map(date)}; ours ${[b].flat().map(date)}`;

/** Whether a zone's clocks change within two days of a moment. */
function changes(tz, at) {
  const offset = (ms) => new Intl.DateTimeFormat('en', { timeZone: tz, timeZoneName: 'longOffset' }).formatToParts(ms).find(({ type }) => type === 'timeZoneName').value;
  return offset(at - 2 * DAY) !== offset(at + 2 * DAY);
}

for (const [version, parser] of parsers()) {
  test(`cron-parser ${version} and we give the same times, seed ${seed}`, () => {
    const count = 2_000;
    assert.equal(compare(ZONES, count, parser).map(show).join('\n'), '');
    console.log(`cron-parser ${version}, seed ${seed}: ${count} patterns equal`);
  });

  test(`cron-parser ${version} and we differ only where clocks change in an odd way, seed ${seed}`, () => {
    const count = 1_000;
    const different = compare(ODD_ZONES, count, parser);
    const elsewhere = different.filter(({ question, a, b }) => {
      const at = a[0] === b[0] ? [a[1], b[1]] : [a[0], b[0]];
      return !at.some((ms) => Number.isFinite(ms) && changes(question.tz, ms));
    });
    assert.equal(elsewhere.map(show).join('\n'), '');
    assert.ok(different.length <= count / 100, `${different.length} of ${count}`);
    console.log(`cron-parser ${version}, seed ${seed}, odd zones: ${different.length} of ${count} differ`);
  });
}
