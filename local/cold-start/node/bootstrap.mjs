// The least that a Lambda runtime for Node can be: loads the handler, then asks for events. AWS's own does
// more, so it starts no sooner than this one.
import http from 'node:http';

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { host, port, agent, method, path: `/2018-06-01/runtime/invocation/${path}` },
      (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => resolve({ headers: answer.headers, body: Buffer.concat(chunks).toString() }));
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

const { handler } = await import('./handler.mjs');
for (;;) {
  const { headers, body } = await ask('GET', 'next');
  const id = headers['lambda-runtime-aws-request-id'];
  try {
    await ask('POST', `${id}/response`, JSON.stringify(await handler(JSON.parse(body))));
  } catch (error) {
    const { name: errorType, message: errorMessage } = error;
    await ask('POST', `${id}/error`, JSON.stringify({ errorType, errorMessage }));
  }
}
