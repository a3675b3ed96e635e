// `deo drive`, spoken to in JSON lines.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export class Driver {
  constructor(env) {
    const { DEO, PATH, HOME } = process.env;
    this.process = spawn(DEO, ['drive'], { env: { PATH, HOME, ...env }, stdio: ['pipe', 'pipe', 'inherit'] });
    this.waiting = [];
    createInterface({ input: this.process.stdout }).on('line', (line) => this.waiting.shift().resolve(JSON.parse(line)));
    this.process.on('exit', (code) => this.waiting.forEach(({ reject }) => reject(new Error(`deo drive ended: ${code}`))));
  }

  send(request) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.process.stdin.write(`${JSON.stringify(request)}\n`);
    });
  }

  close() {
    this.process.stdin.end();
  }
}
