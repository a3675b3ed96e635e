// The program `drive`, which is built beside deo, spoken to in JSON lines.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

const { REDIS_URL, REDIS_TRANSPORT, UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN } = process.env;
/** How deo reaches the Redis of these tests. */
export const REDIS_ENV = { REDIS_URL, REDIS_TRANSPORT, UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN };

export const DRIVE = join(dirname(process.env.DEO ?? ''), 'drive');

export class Driver {
  constructor(env) {
    const { PATH, HOME } = process.env;
    this.process = spawn(DRIVE, [], { env: { PATH, HOME, ...env }, stdio: ['pipe', 'pipe', 'inherit'] });
    this.waiting = [];
    createInterface({ input: this.process.stdout }).on('line', (line) => this.waiting.shift().resolve(JSON.parse(line)));
    this.process.on('exit', (code) => this.waiting.forEach(({ reject }) => reject(new Error(`drive ended: ${code}`))));
  }

  send(request) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.process.stdin.write(`${JSON.stringify(request)}\n`);
    });
  }

  /** The same, for what must succeed. */
  async ask(request) {
    const answer = await this.send(request);
    assert.equal(answer.error ?? answer.refused, undefined);
    return answer;
  }

  close() {
    this.process.stdin.end();
  }
}
