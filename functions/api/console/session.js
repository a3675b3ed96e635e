// Signs in. The token lives in this module's memory: not in a URL, not in storage.
//
// It comes from the platform's page that opened or embeds this one (by messages between windows, from the origins
// in the page's head alone), on a developer's machine from `deo up` (by a code that counts once, and after a reload
// by a cookie that scripts cannot read), or, where there is neither, from a field.

const ORIGINS = (document.querySelector('meta[name=console-origins]')?.content ?? '').split(' ').filter(Boolean);
export const IS_LOCAL = ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);

/** How long the platform's page may take to answer. */
const ANSWER_MS = 4000;

let token = null;
const waiting = [];

/** What to do when somebody is signed in whom nobody waited for any more; set by the application. */
export const late = { signedIn: () => {} };

/** Who is signed in: their role, a project to begin with, and those that they may choose from. */
export const account = { role: 'USER', project: null, projects: [] };

export const currentToken = () => token;

/** The page that opened this one, or has it in a frame. */
const platform = () => (window.parent !== window ? window.parent : window.opener);
export const hasPlatform = () => platform() !== null && ORIGINS.length > 0;

/** What a token says of its bearer. The server decides by its own rows. */
function claims(text) {
  try {
    const part = text.split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
    return JSON.parse(atob(part));
  } catch {
    return null;
  }
}

function take(given) {
  const read = typeof given?.token === 'string' ? claims(given.token) : null;
  if (!read?.sub) return false;
  // What was somebody else's to choose from is not this one's.
  if (token !== null && claims(token)?.sub !== read.sub) Object.assign(account, { project: null, projects: [] });
  token = given.token;
  account.role = given.role ?? read.role ?? 'USER';
  account.project = typeof given.projectId === 'string' ? given.projectId : account.project;
  if (Array.isArray(given.projects)) {
    account.projects = given.projects.filter((it) => typeof it?.id === 'string').slice(0, 500);
  }
  for (const done of waiting.splice(0)) done(true);
  return true;
}

addEventListener('message', (event) => {
  // Anybody may send a message: only the platform's own page, from its own origin, hands over a token.
  if (!ORIGINS.includes(event.origin) || event.source === null || event.source !== platform()) return;
  if (event.data?.type !== 'deo-console:token') return;
  const wasAwaited = waiting.length > 0;
  const isTaken = take(event.data);
  const type = isTaken ? 'deo-console:signed-in' : 'deo-console:refused';
  event.source.postMessage({ type }, event.origin);
  if (isTaken && !wasAwaited) late.signedIn();
});

/** Asks the platform's page for a token; there is nothing secret in the question. */
function fromPlatform() {
  const page = platform();
  if (page === null || ORIGINS.length === 0) return Promise.resolve(false);
  return new Promise((resolve) => {
    waiting.push(resolve);
    setTimeout(() => {
      waiting.splice(0, waiting.length, ...waiting.filter((it) => it !== resolve));
      resolve(false);
    }, ANSWER_MS);
    for (const origin of ORIGINS) page.postMessage({ type: 'deo-console:ready' }, origin);
  });
}

/** Asks `deo up`: by the code of a link, or by the cookie that it gave for one. */
async function fromUp(code) {
  if (!IS_LOCAL) return false;
  const response = await fetch('/console/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...(code && { code }), as: new URLSearchParams(location.search).get('as') ?? undefined }),
  }).catch(() => null);
  return response?.ok ? take(await response.json()) : false;
}

/** Signs in with what there is. Whether it did. */
export async function signIn() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const code = fragment.get('code');
  // It counts once, and stays in no history.
  if (code) history.replaceState(null, '', location.pathname + location.search);
  return (code && (await fromUp(code))) || (await fromPlatform()) || (await fromUp());
}

/** Gets a new token in the place of one that has expired. */
export async function renew() {
  token = null;
  return (await fromPlatform()) || (await fromUp());
}

/** Takes a token that a person typed. */
export const signInWith = (text) => take({ token: text.trim() });
