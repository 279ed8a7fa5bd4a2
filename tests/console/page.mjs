// Does with the console what an operator does, in a Chromium without a window: .ci/console starts it.
// Trouble is made at the simulated WeCom, never in the page.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const { CALLERS, ELSEWHERE, MODULES, OPERATORS, WECOM } = process.env;
const modules = createRequire(`${MODULES}/`);
const { chromium } = modules('playwright-core');
const axe = modules('axe-core').source;

const CONSOLE = `http://${OPERATORS}/`;

/** Longest wait for anything that the page should show: it asks every other second. */
const SOON_MS = 8000;

const PLANNING = 'mtfPlanning-00000000000000000009';
const STANDUP = 'mtfStandup-000000000000000000012';

const ask = async (path) => {
  const answer = await fetch(`http://${CALLERS}${path}`);
  await answer.arrayBuffer();
  return { status: answer.status, cacheStatus: answer.headers.get('cache-status') ?? '' };
};
const control = async (method, path, body) => {
  const answer = await fetch(`http://${WECOM}/_control/${path}`, { method, body: body && JSON.stringify(body) });
  return answer.json();
};
const asked = async () => (await control('GET', 'hits')).get_info;
const trouble = (order) => control('PUT', 'trouble/get_info', order);
const entries = async () => (await (await fetch(`${CONSOLE}status`)).json()).cache.entries;

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});

/** What no page may do: complain, break its policy, or ask anybody else. Noted as it happens. */
const wrongs = [];

async function open(options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(SOON_MS);
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && wrongs.push(message.text()));
  page.on('pageerror', (error) => wrongs.push(String(error)));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(CONSOLE) && !url.startsWith('data:')) {
      wrongs.push(`asks elsewhere: ${url}`);
    }
  });
  await page.addInitScript(() =>
    document.addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective}`)),
  );
  await page.goto(CONSOLE);
  await text(page, '#readiness', /ready|就绪/);
  return page;
}

/** Waits until that is shown, and says what is. */
async function text(page, place, expected) {
  const { source, flags } = expected;
  await page
    .waitForFunction(
      ([selector, source, flags]) => new RegExp(source, flags).test(document.querySelector(selector)?.textContent ?? ''),
      [place, source, flags],
    )
    .catch(async () => {
      assert.fail(`${place} should tell ${expected}, and tells: ${await page.textContent(place)}`);
    });
  return page.textContent(place);
}

async function lookUp(page, by, name) {
  await page.check(`#lookup [value=${by}]`);
  await page.fill('#name', name);
  await page.press('#name', 'Enter');
}

/** Nobody is shut out by how it is made, as far as a machine can tell. */
async function accessible(page, what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  assert.deepEqual(told, [], what);
}

const picture = (page, name) => page.screenshot({ path: `${MODULES}/${name}.png`, fullPage: true });

/** A test's name is a sentence that is true. */
async function holds(sentence, test) {
  const began = performance.now();
  await test();
  assert.deepEqual(wrongs, [], sentence);
  console.log(`ok  ${sentence} (${Math.round(performance.now() - began)} ms)`);
}

// In the demo it is about to begin, and how long it is believed depends on when that is.
const tomorrow = Math.floor(Date.now() / 1000) + 24 * 60 * 60;
await control('PUT', `meetings/${PLANNING}`, {
  title: 'Quarterly planning',
  description: 'What we will do, and what we will not. '.repeat(40),
  meeting_code: '912384056',
  meeting_type: 0,
  status: 1,
  meeting_start: tomorrow,
  meeting_duration: 3600,
});
const page = await open();

await holds('the console opens in English, and nothing is the matter', async () => {
  assert.equal(await page.getAttribute('html', 'lang'), 'en');
  await text(page, '#matters', /Nothing is the matter/);
  await text(page, '#apps', /default.*good for 1 h/);
});

await holds('figures move when callers ask', async () => {
  for (let time = 0; time < 9; time += 1) {
    await ask(`/meetings/${PLANNING}`);
  }
  await ask('/meetings/by-code/377265840');
  await text(page, '#request-rate', /10 since this page was opened/);
  await text(page, '#request-rate .figure', /^[1-9]|^0\.\d/);
  await text(page, '#hit-ratio .figure', /^80\.0%/);
  await text(page, '#wait .figure', /\d ms/);
  await text(page, '#outcomes', /an answer.*2/);
  await page.check('#period [value=total]');
  await text(page, '#origins', /from memory, fresh8/);
  await page.check('#period [value=window]');
});

await holds('a look-up tells in sentences what is kept, by id and by number', async () => {
  await lookUp(page, 'id', PLANNING);
  const byId = await text(page, '#explanation', /is served what is kept/);
  for (const told of [
    /A meeting is kept/,
    /WeCom was asked \d+ s ago/,
    /It is fresh until/,
    /its status \(cache\.fresh_for\)/,
    /number 912384056/,
    /KiB in memory/,
  ]) {
    assert.match(byId, told);
  }
  assert.doesNotMatch(byId, /Quarterly/, 'a title is nobody’s business here');
  await lookUp(page, 'code', '３７７ 265-840');
  await text(page, '#explanation', /A meeting is kept, whose id WeCom does not tell/);
  await page.fill('#lookup [name=occurrence]', 'standup-3');
  await lookUp(page, 'id', STANDUP);
  await text(page, '#explanation', /Nothing is kept under this name/);
  await page.fill('#lookup [name=occurrence]', '');
  await lookUp(page, 'code', '12');
  await text(page, '#explanation', /nothing to explain/);
  assert.equal(await page.isVisible('#purge-one'), false);
  // The browser itself complains of that answer.
  assert.match(wrongs.splice(0).join(), /^[^,]*status of 400[^,]*$/);
});

await holds('nothing is purged without confirmation', async () => {
  const [before, kept] = [await asked(), await entries()];
  await lookUp(page, 'id', PLANNING);
  await text(page, '#explanation', /A meeting is kept/);
  for (const button of ['expire-one', 'drop-one', 'expire-all', 'drop-all']) {
    for (const leave of ['#refuse', 'Escape']) {
      await page.click(`#${button}`);
      assert.equal(await page.evaluate(() => document.activeElement.id), 'refuse');
      await (leave === 'Escape' ? page.keyboard.press(leave) : page.click(leave));
      await page.waitForSelector('#confirmation', { state: 'hidden' });
    }
  }
  assert.match((await ask(`/meetings/${PLANNING}`)).cacheStatus, /hit; ttl=\d/);
  assert.equal(await entries(), kept);
  assert.equal(await asked(), before);
});

await holds('a soft purge makes stale what is looked up, and a hard one drops it', async () => {
  await page.click('#expire-one');
  await text(page, '#confirmation', new RegExp(`Make stale what is kept of the meeting ${PLANNING}`));
  await page.click('#confirm');
  await text(page, '#purged-one', /Made stale at/);
  await text(page, '#explanation', /It was made stale before its time/);
  assert.match((await ask(`/meetings/${PLANNING}`)).cacheStatus, /stale-while-revalidate/);

  await page.click('#drop-one');
  await page.click('#confirm');
  await text(page, '#purged-one', /Dropped at/);
  await text(page, '#explanation', /Nothing is kept under this name/);
  assert.match((await ask(`/meetings/${PLANNING}`)).cacheStatus, /uri-miss/);
});

await holds('everything can be purged, softly and for good', async () => {
  await page.click('#expire-all');
  await page.click('#confirm');
  await text(page, '#purged-all', /Made stale at/);
  assert.ok((await entries()) > 0);

  await page.click('#drop-all');
  await text(page, '#confirmation', /answers are kept at present/);
  await page.click('#confirm');
  await text(page, '#purged-all', /Dropped at/);
  assert.equal(await entries(), 0);
});

await holds('a page of another site purges nothing', async () => {
  await ask(`/meetings/${PLANNING}`);
  const kept = await entries();
  const elsewhere = createServer((_, answer) => {
    answer.setHeader('content-type', 'text/html');
    answer.end('<!doctype html><title>elsewhere</title>');
  });
  const [host, port] = ELSEWHERE.split(':');
  await new Promise((listening) => elsewhere.listen(Number(port), host, listening));
  const context = await browser.newContext();
  const other = await context.newPage();
  await other.goto(`http://${ELSEWHERE}/`);
  for (const options of [{ method: 'DELETE' }, { method: 'POST', mode: 'no-cors' }]) {
    await other.evaluate(([to, options]) => fetch(to, options).catch(() => null), [`${CONSOLE}cache`, options]);
  }
  await context.close();
  elsewhere.close();
  elsewhere.closeAllConnections();
  assert.equal(await entries(), kept);
});

await holds('it does not ask while nobody looks, or while it is paused', async () => {
  let requests = 0;
  page.on('request', () => (requests += 1));
  const hide = (hidden) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  const quiet = async (what) => {
    await page.waitForLoadState('networkidle');
    const before = requests;
    await page.waitForTimeout(2500);
    assert.equal(requests, before, what);
  };
  await hide(true);
  await quiet('hidden');
  await hide(false);
  await page.waitForRequest(`${CONSOLE}status`);
  await page.click('#pause');
  await quiet('paused');
  await text(page, '#watch', /paused/);
  await page.click('#pause');
  await text(page, '#watch', /live/);
});

const chinese = await open({ locale: 'zh-CN', colorScheme: 'dark' });

await holds('it is Chinese where the browser is, and has the same words', async () => {
  assert.equal(await chinese.getAttribute('html', 'lang'), 'zh-CN');
  await text(chinese, '#hit-ratio', /缓存命中率/);
  await lookUp(chinese, 'id', PLANNING);
  await text(chinese, '#explanation', /缓存了一个会议/);
  const shapes = await chinese.evaluate(async () => {
    const inner = (words) => Object.entries(words).map(([name, word]) => [name, shape(word)]);
    const shape = (word) => (typeof word === 'object' ? Object.fromEntries(inner(word)) : typeof word);
    const words = await Promise.all(['chinese', 'english'].map((language) => import(`/console/${language}.js`)));
    return words.map(({ say }) => JSON.stringify({ ...shape(say), problems: null, reasons: null }));
  });
  const [one, other] = shapes.map((shape) => JSON.parse(shape));
  assert.deepEqual(one, other);
});

await holds('it can be read by everybody, on narrow windows too', async () => {
  const narrow = await open({ viewport: { width: 340, height: 700 } });
  await lookUp(narrow, 'id', PLANNING);
  await text(narrow, '#explanation', /A meeting is kept/);
  const tooWide = await narrow.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  assert.equal(tooWide, false);
  for (const [what, shown] of [['light', page], ['dark', chinese], ['narrow', narrow]]) {
    await accessible(shown, what);
    await picture(shown, what);
  }
  await page.click('#drop-all');
  await accessible(page, 'the dialogue');
  await picture(page, 'dialogue');
  await page.click('#refuse');
  await narrow.context().close();
});

await holds('it tells that our address is not trusted, and what to do', async () => {
  await trouble({ kind: 'errcode', errcode: 60020 });
  await ask('/meetings/sixty');
  await text(page, '#matters', /WeCom refuses us \(errcode 60020\).*企业可信IP/);
  await text(page, '#matters', /requests got no answer/);
  await text(chinese, '#matters', /企业微信拒绝了我们 \(错误码 60020\)/);
  await picture(page, '60020');
});

await holds('it tells that a fault is over once WeCom has answered', async () => {
  await control('DELETE', 'trouble');
  // An answer counts for a fault that was seen before it.
  await text(page, '#matters', /60020\), at get_info, [2-9] s ago/);
  await ask('/meetings/over');
  await page.waitForFunction(() => !/60020/.test(document.querySelector('#matters').textContent));
});

await holds('it tells that WeCom hangs', async () => {
  await trouble({ kind: 'hang' });
  await ask('/meetings/hanging');
  await text(page, '#matters', /WeCom did not answer in time, at get_info, \d+ s ago.*slower than wecom\.timeout/);
  await text(page, '#outcomes', /nothing, in time/);
  await picture(page, 'hanging');
  await control('DELETE', 'trouble');
});

await holds('it tells that the secret is wrong, and that we are not ready for it', async () => {
  await control('PUT', 'trouble/gettoken', { kind: 'errcode', errcode: 40001 });
  await control('POST', 'revoke-tokens');
  await ask('/meetings/secret');
  await text(page, '#matters', /Not ready: WeCom refuses every app.*errcode 40001.*Put the right one in place/);
  await text(page, '#readiness', /not ready/);
  await text(page, '#apps', /defaultrefused/);
  await picture(page, '40001');
  await control('DELETE', 'trouble');
  await text(page, '#readiness', /^ready/);
});

await holds('it tells that WeCom’s quota is spent, and counts the seconds', async () => {
  await trouble({ kind: 'errcode', errcode: 45009 });
  await ask('/meetings/forty-five');
  const told = await text(page, '#matters', /WeCom’?'?s quota is spent \(errcode 45009\)\. WeCom is not asked for \d+ s more/);
  const seconds = (text) => Number(/for (\d+) s more/.exec(text)[1]);
  assert.ok(seconds(told) > 45 && seconds(told) <= 60, told);
  await text(page, '#apps', /not asked for \d+ s more/);
  const fewer = (before) => {
    const [, left] = /for (\d+) s more/.exec(document.querySelector('#matters').textContent) ?? [];
    return Number(left) < before;
  };
  await page.waitForFunction(fewer, seconds(told));
  await lookUp(page, 'id', 'forty-five');
  await text(page, '#explanation', /fails at once: WeCom.s quota is spent/);
  await text(chinese, '#matters', /企业微信的调用限额已用完 \(错误码 45009\)/);
  for (const [what, shown] of [['45009', page], ['45009-dark', chinese]]) {
    await accessible(shown, what);
    await picture(shown, what);
  }
  await control('DELETE', 'trouble');
});

await holds('it tells when the service does not answer, and goes on when it does', async () => {
  await page.route(`${CONSOLE}status`, (route) => route.abort());
  await text(page, '#matters', /has not answered this page since/);
  await text(page, '#watch', /no answer/);
  await page.unroute(`${CONSOLE}status`);
  await text(page, '#watch', /live/);
  // The browser itself complains of each.
  assert.match(wrongs.splice(0).join(), /^(Failed to load resource: net::ERR_FAILED,?)+$/);
});

await browser.close();
