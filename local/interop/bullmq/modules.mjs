// BullMQ in the three versions that are held against us, and a client for tests.
import { readFileSync } from 'node:fs';
import * as oldest from 'bullmq-5.65.1';
import * as five from 'bullmq-5';
import * as six from 'bullmq-6';

export { Redis } from 'ioredis';
// Read from what is installed, which is newer than what is locked where `newest` runs.
const versionOf = (name) => JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version;
export const [OLDEST, FIVE, NEWEST] = ['bullmq-5.65.1', 'bullmq-5', 'bullmq-6'].map(versionOf);
export const VERSIONS = { [OLDEST]: oldest, [FIVE]: five, [NEWEST]: six };
