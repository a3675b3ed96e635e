// The console as people see it: signed in both ways, each view, on a desk and on a phone, light and dark.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findings, past, picture, stage } from './stage.mjs';

const DESK = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

let world;
before(async () => { world = await stage(); });
after(() => world?.stop());

/** A page whose errors and refusals of the policy fail the test; in a browser of its own, unless one is given. */
async function open(browser) {
  const context = browser ?? await world.browser.newContext({ viewport: DESK });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const wrong = [];
  page.on('pageerror', (error) => wrong.push(error.message));
  page.on('console', (message) => { if (/Content Security Policy|TrustedHTML/.test(message.text())) wrong.push(message.text()); });
  return { context, page, wrong };
}

/** Nothing overflows the width of the page. */
const fits = async (page) => assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page is wider than the screen');

/** Axe has no serious complaint, on a desk by day and on a phone by night; pictures stay. */
async function looksGood(page, name) {
  for (const [size, viewport, colorScheme] of [['1280', DESK, 'light'], ['390', PHONE, 'dark']]) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    assert.deepEqual(await findings(page), [], `${name}, ${size}, ${colorScheme}`);
    await fits(page);
    await picture(page, `${name}-${size}-${colorScheme}`);
  }
  await page.setViewportSize(DESK);
  await page.emulateMedia({ colorScheme: 'light' });
}

/** Where the owner of `deo up`'s projects has signed in. */
let owner;

const ring = (page) => page.getByRole('img', { name: /^DEO score \d+ of 100$/ });

test('deo up: a code signs in once, a reload needs none, and the score is recomputed', async (t) => {
  const { projectId, consoleUrl, apiUrl } = world.places;
  const { page, context, wrong } = await open();

  await t.test('the code is taken out of the address', async () => {
    await page.goto(consoleUrl);
    await ring(page).waitFor();
    assert.ok(!page.url().includes('code'), page.url());
  });

  await t.test('why the score fell is one click away', async () => {
    await page.getByRole('button', { name: /Why the largest fall/ }).click();
    await page.getByText(/The score fell by/).waitFor();
    assert.match(await page.locator('.facts').innerText(), /more pages with fewer than 150 words/);
    await page.getByRole('combobox', { name: 'Project' }).selectOption(projectId);
    await page.getByText('No score yet').waitFor();
  });

  await t.test('Recompute follows its job to the first score', async () => {
    await page.getByRole('button', { name: 'Recompute' }).click();
    await ring(page).waitFor();
    const { rows } = await world.database.query('SELECT "overallScore" FROM "DeoScoreSnapshot" WHERE "projectId" = $1', [projectId]);
    assert.equal(rows.length, 1);
    assert.equal(await ring(page).getAttribute('aria-label'), `DEO score ${rows[0].overallScore} of 100`);
  });

  await t.test('a reload signs in by the cookie, and no token is stored', async () => {
    await past(world.database, projectId);
    await page.reload();
    await ring(page).waitFor();
    const stored = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]);
    assert.deepEqual(stored, [0, 0, '']);
    const [cookie] = await context.cookies(`${apiUrl}/console`);
    assert.deepEqual([cookie.name, cookie.httpOnly, cookie.sameSite, cookie.path], ['deo-console-USER', true, 'Strict', '/console']);
  });

  await t.test('the next score says why it fell', async () => {
    await world.database.query('UPDATE "CrawlResult" SET "wordCount" = 60 WHERE "projectId" = $1', [projectId]);
    await page.getByRole('button', { name: 'Recompute' }).click();
    await page.getByText(/The score fell by/).waitFor();
    assert.match(await page.locator('.facts').innerText(), /more pages with fewer than 150 words/);
    assert.match(await page.locator('.change').innerText(), /^−\d+ since the score before$/);
  });

  await t.test('the line is pointed at, clicked and moved along; a span is chosen', async () => {
    const plot = page.locator('.plot svg');
    const box = await plot.boundingBox();
    const told = page.locator('.plot-told');
    const last = await told.innerText();
    await page.mouse.move(box.x + box.width / 2, box.y + 80);
    assert.notEqual(await told.innerText(), last);
    const before = await page.locator('.verse').innerText();
    await page.mouse.click(box.x + box.width / 2, box.y + 80);
    await page.waitForFunction((text) => document.querySelector('.verse') && document.querySelector('.verse').innerText !== text, before);
    await page.getByRole('button', { name: /Why the largest fall/ }).click();
    await page.getByText(/The score fell by/).waitFor();
    const slider = page.getByRole('slider', { name: 'Move along the scores' });
    await slider.focus();
    await slider.press('Home');
    const first = await slider.getAttribute('aria-valuetext');
    await page.getByRole('radio', { name: 'All' }).check();
    await page.waitForFunction((text) => document.querySelector('#plot-slider')?.max > 100 && document.querySelector('#plot-slider').getAttribute('aria-valuetext') !== text, first);
  });

  await t.test('an answer that comes after that to a later question is not shown', async () => {
    let answer;
    const held = new Promise((resolve) => { answer = resolve; });
    await page.route(/deo-score\/series/, async (route) => { await held; await route.continue(); }, { times: 1 });
    const late = page.waitForResponse(/deo-score\/series\?$/);
    await page.getByRole('radio', { name: '30 days' }).check();
    await page.getByRole('radio', { name: 'All' }).check();
    await page.getByRole('radio', { name: '7 days' }).check();
    const scores = () => page.locator('#plot-slider').getAttribute('max').then(Number);
    await page.waitForFunction(() => Number(document.querySelector('#plot-slider')?.max) < 15);
    answer();
    await (await late).finished();
    await page.evaluate(() => new Promise((resolve) => { setTimeout(resolve, 200); }));
    assert.ok(await scores() < 15, `${await scores()} scores`);
  });

  await t.test('a job that is not kept has ended', async () => {
    await page.route('**/jobs/*', (route) => route.fulfill({ status: 404, json: { statusCode: 404, message: 'Job not found' } }), { times: 1 });
    await page.getByRole('button', { name: 'Recompute' }).click();
    await page.getByText(/^Job \d+ is done\.$/).waitFor();
  });

  await t.test('an address that cannot be decoded shows the first project', async () => {
    await page.evaluate(() => { location.hash = '#/projects/%'; });
    await ring(page).waitFor();
    await page.evaluate((id) => { location.hash = `#/projects/${id}`; }, projectId);
  });

  await t.test('all 17 signals are in words', async () => {
    await page.locator('.signal').nth(16).waitFor();
    assert.equal(await page.locator('.signal').count(), 17);
    for (const says of await page.locator('.says').allInnerTexts()) assert.match(says, /\d %|three pages/);
  });

  await t.test('it looks good', async () => {
    await page.getByRole('radio', { name: '30 days' }).check();
    await page.getByText(/The score fell by/).waitFor();
    await looksGood(page, 'project');
  });

  await t.test('the same code a second time signs nobody in', async () => {
    const other = await open();
    await other.page.goto(consoleUrl);
    await other.page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await looksGood(other.page, 'sign-in');
    await other.context.close();
  });

  assert.deepEqual(wrong, []);
  owner = { context, page };
});

test('the platform hands a token over, from its own origin only', async (t) => {
  const { apiUrl, token, projectId } = world.places;

  /** The platform's page: what docs/console.md shows. */
  const platform = ([apiUrl, token, projectId, how]) => {
    globalThis.answers = [];
    const frame = how === 'frame' && document.body.appendChild(Object.assign(document.createElement('iframe'), { width: 1000, height: 800 }));
    addEventListener('message', (event) => {
      if (event.origin !== apiUrl) return;
      globalThis.answers.push(event.data.type);
      if (event.data.type === 'deo-console:ready') event.source.postMessage({ type: 'deo-console:token', token, projectId }, apiUrl);
    });
    if (frame) frame.src = `${apiUrl}/console`;
    else open(`${apiUrl}/console`);
  };

  await t.test('to the window that it opened, and again after a reload', async () => {
    const { page, context, wrong } = await open();
    await page.goto(world.origin);
    const popup = page.waitForEvent('popup');
    await page.evaluate(platform, [apiUrl, token, projectId, 'window']);
    const view = await popup;
    await ring(view).waitFor();
    await view.reload();
    await ring(view).waitFor();
    assert.deepEqual(await page.evaluate(() => globalThis.answers), ['deo-console:ready', 'deo-console:signed-in', 'deo-console:ready', 'deo-console:signed-in']);
    assert.deepEqual(wrong, []);
    await context.close();
  });

  await t.test('late, when the console has given up waiting', async () => {
    const { page, context } = await open();
    await page.goto(world.origin);
    const popup = page.waitForEvent('popup');
    await page.evaluate((apiUrl) => { globalThis.view = open(`${apiUrl}/console`); }, apiUrl);
    const view = await popup;
    await view.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.evaluate(([apiUrl, token, projectId]) => globalThis.view.postMessage({ type: 'deo-console:token', token, projectId }, apiUrl), [apiUrl, token, projectId]);
    await ring(view).waitFor();
    await context.close();
  });

  await t.test('to its frame', async () => {
    const { page, context } = await open();
    await page.goto(world.origin);
    await page.evaluate(platform, [apiUrl, token, projectId, 'frame']);
    await ring(page.frameLocator('iframe')).waitFor();
    await context.close();
  });

  await t.test('no other origin can frame it, and none of its messages counts', async () => {
    const { page, context } = await open();
    const stranger = world.origin.replace('localhost', '127.0.0.1');
    await page.route(`${stranger}/**`, (route) => route.fulfill({ contentType: 'text/html', body: '<body>' }));
    await page.goto(stranger);
    const popup = page.waitForEvent('popup');
    await page.evaluate(([apiUrl, token]) => {
      document.body.appendChild(document.createElement('iframe')).src = `${apiUrl}/console`;
      const view = open(`${apiUrl}/console`);
      setInterval(() => view.postMessage({ type: 'deo-console:token', token }, '*'), 100);
    }, [apiUrl, token]);
    const view = await popup;
    await view.getByRole('heading', { name: 'Sign in' }).waitFor();
    assert.equal(await view.getByText('History').count(), 0);
    const frame = page.frames().find((it) => it !== page.mainFrame());
    assert.equal(await frame.evaluate(() => document.getElementById('main')), null);
    await context.close();
  });
});

test('an administrator looks at the fleet, and at the queue', async (t) => {
  const { adminConsoleUrl, projectId } = world.places;
  const { database } = world;
  const { rows: others } = await database.query('SELECT id FROM "Project" WHERE id <> $1 ORDER BY id', [projectId]);
  const scored = others.slice(0, 12).map((it) => it.id);
  await database.query(`INSERT INTO "Project" (id, "userId", name) SELECT 'new-' || lpad(n::text, 2, '0'), "userId", 'New' FROM "Project", generate_series(1, 40) AS n WHERE id = $1`, [projectId]);
  await world.enqueue(...scored, 'gone');
  /** Waits for something in the database: a tick comes each second. */
  const eventually = async (query, values) => {
    for (let tries = 0; tries < 100; tries += 1) {
      if ((await database.query(query, values)).rows[0].ok) return;
      await new Promise((resolve) => { setTimeout(resolve, 100); });
    }
    throw new Error(`never: ${query}`);
  };
  await eventually('SELECT count(*) = $2 AS ok FROM "Project" WHERE id = ANY($1) AND "currentDeoScore" IS NOT NULL', [scored, scored.length]);
  // Another job that fails for the same reason, before there is such a project.
  await world.enqueue('gone');
  for (let failed = 0; failed < 2; await new Promise((resolve) => { setTimeout(resolve, 500); })) {
    failed = (await (await fetch(`${world.places.apiUrl}/queue`, { headers: { authorization: `Bearer ${world.places.adminToken}` } })).json()).counts.failed;
  }
  await database.query(`INSERT INTO "Project" (id, "userId", name) SELECT 'gone', "userId", 'Gone' FROM "Project" WHERE id = $1`, [projectId]);
  const { page, context, wrong } = await open(owner.context);

  await t.test('the histogram and the lists of the fleet', async () => {
    await page.goto(adminConsoleUrl);
    const table = page.getByRole('region', { name: 'Projects by score' });
    await page.locator('.fleet summary').click();
    const counts = await table.locator('td.number').allInnerTexts();
    const { rows: [{ n }] } = await database.query('SELECT count(*)::int AS n FROM "Project" WHERE "currentDeoScore" IS NOT NULL');
    assert.equal(counts.reduce((sum, text) => sum + Number(text), 0), n);
    await page.getByRole('link', { name: projectId }).waitFor();
    await page.getByRole('tab', { name: 'Movers' }).press('ArrowRight');
    await page.getByRole('row', { name: /Project not found: gone/ }).waitFor();
    await looksGood(page, 'fleet');
    await page.getByRole('tab', { name: 'Never scored' }).click();
    await page.locator('.ids li').nth(29).waitFor();
    assert.equal(await page.locator('.ids li').count(), 30);
    await page.getByRole('button', { name: 'Show more' }).click();
    await page.getByRole('link', { name: 'new-40' }).waitFor();
  });

  await t.test('a project of somebody else is refused in words', async () => {
    await page.getByRole('link', { name: 'new-40' }).click();
    await page.getByRole('alert').getByText('You do not have access to this project').waitFor();
  });

  await t.test('the queue, and the retry of what failed for one reason', async () => {
    await page.getByRole('link', { name: 'Queue' }).click();
    await page.getByText('The drain is alive.').waitFor();
    const group = page.getByRole('region', { name: 'Failures by reason' }).getByRole('row').nth(1);
    assert.match(await group.innerText(), /^2\s/);
    await page.locator('#limits-form summary').click();
    await looksGood(page, 'queue');
    await group.getByRole('button', { name: /^Retry/ }).click();
    await page.getByText('2 jobs will be tried again.').first().waitFor();
    await eventually(`SELECT count(*) = 2 AS ok FROM "DeoScoreSnapshot" WHERE "projectId" = 'gone'`, []);
  });

  await t.test('a pause is shown, with what it holds up, until the queue goes on', async () => {
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('Nothing can be claimed:').waitFor();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByText('The queue goes on.').first().waitFor();
    await page.getByText('Nothing can be claimed:').waitFor({ state: 'hidden' });
  });

  await t.test('limits are set and lifted', async () => {
    const field = page.getByRole('spinbutton', { name: 'Jobs active at once' });
    const unfold = async () => { if (!(await field.isVisible())) await page.locator('#limits-form summary').click(); };
    const set = async (value, told) => {
      await unfold();
      await field.fill(value);
      await page.getByRole('button', { name: 'Set', exact: true }).click();
      await page.locator('.pairs dd').first().getByText(told).waitFor();
    };
    await set('7', '7');
    await set('', 'no limit');
    // What is drawn anew in the middle of filling in takes nothing away, and what was read is what would be set.
    const [max, seconds] = [page.getByRole('spinbutton', { name: 'Jobs that start' }), page.getByRole('spinbutton', { name: 'within seconds' })];
    const rate = page.locator('.pairs dd').nth(1);
    await unfold();
    await max.fill('5000');
    await seconds.fill('1.5');
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    assert.deepEqual([await max.inputValue(), await seconds.inputValue()], ['5000', '1.5']);
    await page.getByRole('button', { name: 'Set', exact: true }).click();
    await rate.getByText('5,000 jobs in 1.5 s').waitFor();
    await unfold();
    assert.equal(await seconds.inputValue(), '1.5');
    await max.fill('');
    await page.getByRole('button', { name: 'Set', exact: true }).click();
    await rate.getByText('no limit').waitFor();
  });

  await t.test('each role stays who it is in one browser', async () => {
    await owner.page.reload();
    await ring(owner.page).waitFor();
    assert.equal(await owner.page.getByRole('link', { name: 'Queue' }).count(), 0);
    await page.reload();
    await page.getByRole('link', { name: 'Queue' }).waitFor();
  });

  assert.deepEqual(wrong, []);
  await context.close();
});

test('the queue is looked at every 15 s, and only while it can be seen', async () => {
  const { page, context } = await open();
  await page.clock.install();
  await page.addInitScript(() => Object.defineProperty(document, 'visibilityState', { get: () => (globalThis.isHidden ? 'hidden' : 'visible') }));
  const token = world.places.adminToken;
  await page.route('**/console/session', (route) => route.fulfill({ json: { token, role: 'ADMIN' } }));
  let looks = 0;
  page.on('response', (response) => { if (response.url().endsWith('/queue')) looks += 1; });
  const look = () => page.waitForResponse((response) => response.url().endsWith('/queue'));
  const first = look();
  await page.goto(`${world.places.apiUrl}/console#/queue`);
  await first;
  await page.getByText('The drain is alive.').waitFor();
  await page.clock.runFor(14_000);
  assert.equal(looks, 1);
  const second = look();
  await page.clock.runFor(2_000);
  await second;
  await page.evaluate(() => { globalThis.isHidden = true; });
  await page.clock.runFor(60_000);
  assert.equal(looks, 2, 'nobody looks at it');
  const third = look();
  await page.evaluate(() => { globalThis.isHidden = false; document.dispatchEvent(new Event('visibilitychange')); });
  await third;
  await page.clock.runFor(11 * 60_000);
  const away = page.getByText('Nobody has touched this page for ten minutes');
  for (let tries = 0; tries < 50 && !(await away.isVisible()); tries += 1) await page.clock.runFor(16_000);
  await away.waitFor();
  const until = looks;
  await page.clock.runFor(60_000);
  assert.equal(looks, until, 'nobody is there');
  const again = look();
  await page.getByRole('button', { name: 'Look again' }).click();
  await again;
  await context.close();
});
