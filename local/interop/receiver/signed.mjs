// Signatures in the scheme of Standard Webhooks, with nothing but Node.
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';

const hmac = (secret, id, at, body) =>
  createHmac('sha256', Buffer.from(secret.slice('whsec_'.length), 'base64')).update(`${id}.${at}.`).update(body).digest();
const seen = new Map();

/** Whether `body`, as its bytes came, is signed with `secret`, within five minutes, and comes for the first time. */
export function isSigned(headers, body, secret) {
  const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signatures = '' } = headers;
  // A body that was not read raw, such as that of a POST without `content-type: application/json`, is none.
  if (!id || !at || !(typeof body === 'string' || body instanceof Uint8Array)) return false;
  const [now, ours] = [Date.now() / 1000, hmac(secret, id, at, body)];
  const isOurs = signatures.split(' ').some((one) => {
    const given = Buffer.from(one.slice('v1,'.length), 'base64');
    return one.startsWith('v1,') && given.length === ours.length && timingSafeEqual(given, ours);
  });
  if (!isOurs || !(Math.abs(now - at) <= 300) || seen.has(id)) return false;
  for (const [other, time] of seen) if (time < now - 600) seen.delete(other);
  seen.set(id, now);
  return true;
}

/** Headers that sign `body`. The id of a callback begins with `settle_`. */
export function sign(body, secret, id = `settle_${randomUUID()}`, at = Math.floor(Date.now() / 1000)) {
  return {
    'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': String(at),
    'webhook-signature': `v1,${hmac(secret, id, at, body).toString('base64')}`,
  };
}

/** Tells the API how jobs ended that the receiver went on with, or that it needs more time for them. */
export async function settle(api, secret, { queue, claim }, jobs) {
  const body = JSON.stringify({ claim, jobs });
  const url = `${api}/queues/${encodeURIComponent(queue)}/settle`;
  const response = await fetch(url, { method: 'POST', headers: sign(body, secret), body });
  return { status: response.status, ...(await response.json()) };
}
