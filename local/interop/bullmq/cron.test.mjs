// Two peers that work out different times for one pattern would make two jobs of one. So our reading of
// patterns is held against the cron-parser of each BullMQ: generated patterns, zones and times.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { generator } from './patterns.mjs';

const seed = Number(process.env.CRON_SEED ?? 1);
const count = Number(process.env.CRON_PATTERNS ?? 1_500);

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const ZONES = Intl.supportedValuesOf('timeZone');
// Their clocks change at midnight, at a quarter to, by half an hour, by two hours, or once by a day.
const ODD_ZONES = [
  'Africa/Cairo', 'America/Havana', 'America/Sao_Paulo', 'America/Scoresbysund', 'America/St_Johns', 'Antarctica/Casey', 'Antarctica/Troll',
  'Asia/Beirut', 'Asia/Gaza', 'Asia/Pyongyang', 'Asia/Tehran', 'Australia/Lord_Howe', 'Europe/Dublin', 'Pacific/Apia', 'Pacific/Chatham',
  'Pacific/Fakaofo', 'Pacific/Kwajalein',
];
// The years in which all sources of time zones agree; 1990 to 2099 where many patterns are asked for by hand.
const [FROM, TO] = count > 10_000 ? [1990, 2099] : [2007, 2036];

/** The cron-parser of each version; 5.65.1 and 5.81.5 have the same one. */
function parsers() {
  const found = new Map();
  // That of 5.65.1 is the one of the newest 5.
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

/** How far a zone's clocks are ahead of UTC, in milliseconds. */
const formats = new Map();
function offset(tz, at) {
  if (!formats.has(tz)) formats.set(tz, new Intl.DateTimeFormat('en', { timeZone: tz, timeZoneName: 'longOffset' }));
  const name = formats.get(tz).formatToParts(at).find(({ type }) => type === 'timeZoneName').value;
  const [, sign, hours, minutes] = /^GMT(?:([+-])(\d\d):(\d\d))?/.exec(name);
  return sign ? Number(`${sign}1`) * (Number(hours) * 60 + Number(minutes)) * 60_000 : 0;
}

/** When a zone's clocks change, to the minute. */
const changes = new Map();
function changesOf(tz) {
  if (changes.has(tz)) return changes.get(tz);
  const found = [];
  let [low, before] = [Date.UTC(FROM), offset(tz, Date.UTC(FROM))];
  for (let at = low; at < Date.UTC(TO); at += 20 * DAY) {
    const now = offset(tz, at);
    if (now !== before) {
      let high = at;
      while (high - low > 60_000) {
        const middle = low + Math.floor((high - low) / 120_000) * 60_000;
        if (offset(tz, middle) === before) low = middle;
        else high = middle;
      }
      found.push(high);
    }
    [low, before] = [at, now];
  }
  changes.set(tz, found);
  return found;
}

function questions(number) {
  const r = generator(seed);
  return Array.from({ length: number }, () => {
    const tz = r.chance(0.02) ? r.pick(['UTC', 'UTC+5:30', 'UTC-3']) : r.pick(r.chance(0.5) ? ODD_ZONES : ZONES);
    const at = tz.startsWith('UTC') ? [] : changesOf(tz);
    let after = at.length > 0 && r.chance(0.6)
      ? r.pick(at) + r.whole(-40, 20) * HOUR + r.whole(0, HOUR)
      : Date.UTC(r.whole(FROM, TO), r.whole(0, 11), r.whole(1, 28)) + r.whole(0, DAY);
    if (r.chance(0.3)) after -= after % 1_000;
    if (r.chance(0.2)) after -= after % 60_000;
    return { pattern: r.pattern(), tz, after, count: 2 };
  });
}

const date = (at) => (typeof at === 'number' ? new Date(at).toISOString() : at);
const show = ({ question: { pattern, tz, after }, a, b }) =>
  `"${pattern}" in ${tz} after ${date(after)}: ${[a].flat().map(date)}; ours ${[b].flat().map(date)}`;

for (const [version, { parse, bullmq }] of parsers()) {
  test(`cron-parser ${version} and we give the same times, seed ${seed}`, () => {
    const asked = questions(count).map((question) => ({ ...question, bullmq }));
    const answers = ours(asked);
    const read = answers.filter((answer) => answer !== 'invalid').length;
    assert.ok(read > count / 2 && read < count, `${read} of ${count} can be read`);
    const expected = asked.map((question) => theirs(parse, question));
    const different = asked
      .map((question, i) => ({ question, a: expected[i], b: answers[i] }))
      .filter(({ a, b }) => JSON.stringify(a) !== JSON.stringify(b));
    assert.equal(different.slice(0, 50).map(show).join('\n'), '', `${different.length} of ${count} differ`);
    console.log(`cron-parser ${version}, seed ${seed}: ${count} patterns equal, ${read} of them readable`);
  });
}
