// A seeded generator (mulberry32), so that a seed names a sequence for ever.
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    /** 0 <= x < 1 */
    next,
    /** 0 <= n < below */
    below: (n) => Math.floor(next() * n),
    /** 1 <= n <= most */
    upTo: (most) => 1 + Math.floor(next() * most),
    chance: (p) => next() < p,
    pick: (list) => list[Math.floor(next() * list.length)],
    /** One of `[[weight, value], ...]`. */
    weighted(list) {
      let left = next() * list.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, value] of list) {
        left -= weight;
        if (left < 0) return value;
      }
      return list.at(-1)[1];
    },
  };
}
