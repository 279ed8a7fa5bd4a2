// The watch: asks how it stands every other second, and has it shown. Not while nobody looks.

import * as diagnosis from './diagnosis.js';
import * as explanation from './explanation.js';
import * as figures from './figures.js';
import { growth, samples, sum } from './numbers.js';
import { at } from './page.js';
import * as purging from './purging.js';

const EVERY_MS = 2000;
const PATIENCE_MS = 5000;

/** Over how long a rate is taken. */
const RATE_MS = 10_000;

/** How far back what was counted is kept: for the last minute. */
const MINUTE_MS = 60_000;

/** After a pause longer than this, a rate would be one of the pause. */
const GAP_MS = 10_000;

/** The first look since the page was opened, those of the last minute, the lines; who was answered when. */
const seen = { first: null, recent: [], lines: { requests: [], questions: [] }, answered: new Map() };

let paused = false;
let timer = null;
let looking = false;

/** One look: what is told at one moment. */
async function ask() {
  const get = async (path) => {
    const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) {
      throw new Error(`${path}: ${answer.status}`);
    }
    return answer;
  };
  const [status, metrics] = await Promise.all([get('status'), get('metrics')]);
  const total = samples(await metrics.text());
  return { at: performance.now(), wall: Date.now(), status: await status.json(), total };
}

/** Notes a look. Another start has counters of its own, which began at 0. */
function note(look) {
  const last = seen.recent.at(-1);
  const apart = last ? look.at - last.at : 0;
  const restarted = last && look.status.uptime_seconds + 2 < last.status.uptime_seconds + apart / 1000;
  if (restarted) {
    seen.first = { ...look, total: [] };
  }
  if (restarted || apart > GAP_MS) {
    seen.recent = [];
  } else if (last) {
    noteAnswers(last, look);
  }
  seen.first ??= look;
  seen.recent = [...seen.recent.filter(({ at: when }) => look.at - when <= MINUTE_MS), look];
}

/** Notes which APIs have answered which apps since the last look. */
function noteAnswers(last, look) {
  const grown = growth(look.total, last.total);
  for (const { app } of look.status.apps) {
    for (const api of ['get_info', 'gettoken']) {
      if (sum(grown, 'wecom_proxy_wecom_requests_total', { app, api, outcome: ['ok', 'absent'] }) > 0) {
        seen.answered.set(`${app} ${api}`, last.at);
      }
    }
  }
}

/** Whether the same API has answered since. */
function isOver(look, app, { api, age_seconds: age }) {
  return look.at - 1000 * age <= (seen.answered.get(`${app} ${api}`) ?? -Infinity);
}

/** What was counted since that long ago, and in how many seconds. */
function counted(look, milliseconds) {
  const earlier = seen.recent.find(({ at: when }) => look.at - when <= milliseconds) ?? look;
  return { samples: growth(look.total, earlier.total), seconds: (look.at - earlier.at) / 1000 };
}

function rates({ samples: grown, seconds }) {
  const { requests, questions } = figures.counted(grown);
  const rate = (number) => (seconds > 0 ? number / seconds : null);
  return { requests: rate(requests), questions: rate(questions) };
}

function draw(look) {
  for (const [name, value] of Object.entries(rates(counted(look, EVERY_MS * 1.5)))) {
    seen.lines[name] = [...seen.lines[name], value ?? 0].slice(-figures.LINE_MOMENTS);
  }
}

function showAll(look) {
  const recent = counted(look, RATE_MS);
  const window = growth(look.total, seen.first.total);
  const found = diagnosis.matters({
    status: look.status,
    minute: counted(look, MINUTE_MS).samples,
    isOver: (app, fault) => isOver(look, app, fault),
  });
  figures.head(look, paused ? 'paused' : 'live');
  figures.matters(found);
  figures.announce(found);
  figures.tiles({ ...look, window, rates: rates(recent), lines: seen.lines });
  figures.apps(look);
  figures.memory(look);
  figures.period(at('period').querySelector(':checked').value === 'total' ? look.total : window, recent);
  purging.keptAtPresent(look.status.cache.entries);
}

/** Looks once, and shows what there is; or that there is nobody. */
async function watch() {
  if (looking) {
    return;
  }
  looking = true;
  const look = await ask().catch(() => null);
  looking = false;
  if (look) {
    note(look);
    draw(look);
    showAll(look);
  } else {
    showNobody();
  }
}

function showNobody() {
  const found = diagnosis.noContact(seen.recent.at(-1)?.wall ?? Date.now());
  figures.watch('lost');
  figures.matters(found);
  figures.announce(found);
}

/** Looks again and again, one look at a time. */
async function keepWatching() {
  clearTimeout(timer);
  if (paused || document.hidden) {
    return;
  }
  try {
    await watch();
  } finally {
    clearTimeout(timer);
    timer = setTimeout(keepWatching, EVERY_MS);
  }
}

figures.still();
explanation.listen();
purging.listen(watch);
at('period').addEventListener('change', () => seen.recent.length > 0 && showAll(seen.recent.at(-1)));
at('pause').addEventListener('click', () => {
  paused = !paused;
  figures.watch(paused ? 'paused' : 'live');
  keepWatching();
});
document.addEventListener('visibilitychange', keepWatching);
keepWatching();
