// The time of this process stands still until it is moved, so that BullMQ and deo see the same one.
const RealDate = globalThis.Date;

let now = 0;

export const START = 1_800_000_000_000;
export const clock = {
  get now() { return now; },
  reset() { now = START; },
  advance(ms) { now += ms; },
};
clock.reset();

globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(now);
    else super(...args);
  }

  static now() { return now; }
};
