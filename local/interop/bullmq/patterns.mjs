// Cron patterns of every kind, out of a seed.
const MONTHS = ['JAN', 'feb', 'Mar', 'APR', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['SUN', 'mon', 'Tue', 'wed', 'thu', 'fri', 'sat'];
const SHORT = ['@yearly', '@monthly', '@weekly', '@daily', '@hourly', '@annually', '@minutely', '@weekdays', '@weekends', '@midnight'];
const ODD = [
  '* * * * * * *', '61 * * * *', '* 24 * * *', '* * 0 * *', '* * * 13 *', '* * * * 8', '5-1 * * * *', '*/0 * * * *', 'a * * * *',
  '* * 15W * *', '* * L-2 * *', '* * * * 1#6', '* * * * 1#2,3', '* *', '0 12', '1,,2 * * * *', '1- * * * *', '-5 * * * *',
  '1/2/3 * * * *', '* * * xyz *', '0 0 30 2 *', '0 0 31 4,6 *', '  0   5 * *  1 ', '0 0 29 2 *',
];

export function generator(seed) {
  let state = seed >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const whole = (from, to) => from + Math.floor(random() * (to - from + 1));
  const pick = (list) => list[whole(0, list.length - 1)];
  const chance = (p) => random() < p;
  const ordered = (from, to) => [whole(from, to), whole(from, to)].sort((a, b) => a - b);

  function atom([from, to, names]) {
    const value = (n) => (names && chance(0.4) ? names[n - (from === 1 ? 1 : 0)] ?? n : n);
    const step = whole(1, Math.max(2, (to - from) >> 1));
    const [low, high] = ordered(from, to);
    return pick([
      () => `${value(low)}`, () => `${value(low)}`, () => `${value(high)}`, () => `${value(low)}-${value(high)}`,
      () => `${low}-${high}/${step}`, () => `*/${step}`, () => `${low}/${step}`, () => '*',
    ])();
  }
  function field(range, open) {
    if (chance(open)) return '*';
    if (chance(0.75)) return atom(range);
    const [from, to] = range;
    if (chance(0.85)) return [...new Set(Array.from({ length: whole(2, 4) }, () => whole(from, Math.min(to, to === 7 ? 6 : to))))].join(',');
    return Array.from({ length: whole(2, 3) }, () => atom(range)).join(',');
  }
  function pattern() {
    if (chance(0.02)) return pick(SHORT);
    if (chance(0.02)) return pick(ODD);
    let day = chance(0.05) ? '?' : field([1, 31], 0.55);
    let weekday = chance(0.05) ? '?' : field([0, 7, WEEKDAYS], 0.55);
    if (chance(0.06)) day = pick(['L', `L,${whole(1, 31)}`]);
    if (chance(0.06)) weekday = `${whole(0, 7)}L`;
    if (chance(0.06)) weekday = `${pick([whole(0, 7), pick(WEEKDAYS)])}#${whole(1, 5)}`;
    const fields = [field([0, 59], 0.2), field([0, 23], 0.25), day, field([1, 12, MONTHS], 0.7), weekday];
    if (chance(0.25)) fields.unshift(field([0, 59], 0.2));
    return fields.join(' ');
  }
  return { whole, pick, chance, pattern };
}
