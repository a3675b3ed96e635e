// What holds for both sides.

/** How long a lock lives; generate.mjs explains it. */
export const LOCK_MS = 35_000_000;

/** What a scheduler without a next time is answered with; deo says so in its own words. */
export const NEVER = 'never';
