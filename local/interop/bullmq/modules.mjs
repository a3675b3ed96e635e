// BullMQ in the three versions that are held against us, and a client for tests.
import * as oldest from 'bullmq-5.65.1';
import * as five from 'bullmq-5';
import * as six from 'bullmq-6';

export { Redis } from 'ioredis';
export const VERSIONS = { '5.65.1': oldest, '5.81.5': five, '6.7.0': six };
