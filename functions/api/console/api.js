// Asks the API, which is where this page came from.

import { currentToken, renew } from './session.js';

/** An answer that is an error. */
export class Refused extends Error {
  constructor(status, body) {
    super(body?.message ?? (status === 0 ? 'The API cannot be reached. Are you online?' : `The API answered ${status}.`));
    this.status = status;
    this.code = body?.code;
  }
}

/** What to do when nobody is signed in any more; set by the application. */
export const events = { signedOut: () => {} };

async function send(path, { method = 'GET', body, headers = {} } = {}) {
  const response = await fetch(path, {
    method,
    headers: {
      authorization: `Bearer ${currentToken()}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  }).catch(() => null);
  if (response === null) throw new Refused(0);
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Refused(response.status, answer);
  return { body: answer, headers: response.headers };
}

/** One request. A token that has expired is renewed once. */
export async function ask(path, options) {
  try {
    return await send(path, options);
  } catch (error) {
    if (error.status !== 401) throw error;
    if (!(await renew())) {
      events.signedOut();
      throw error;
    }
    return send(path, options);
  }
}

/** What a read answers. */
export const read = async (path) => (await ask(path)).body;

export const projectPath = (id) => `/projects/${encodeURIComponent(id)}`;
