// How it stands, put into the page: what the service tells, and what follows from it. Asks nothing.

import { at, bar, element, show, sparkline, stack, table, terms } from './page.js';
import { quantile, sum } from './numbers.js';
import { bytes, count, language, NOTHING, percent, rate, say, span, took } from './words.js';

const REQUESTS = 'wecom_proxy_http_requests_total';
const REQUEST_SECONDS = 'wecom_proxy_http_request_duration_seconds';
const LOOKUPS = 'wecom_proxy_cache_lookups_total';
const QUESTIONS = 'wecom_proxy_wecom_requests_total';
const QUESTION_SECONDS = 'wecom_proxy_wecom_request_duration_seconds';

/** The routes that lead to a meeting. How fast others are refused is of no interest. */
const MEETINGS = { route: ['/meetings/{meeting_id}', '/meetings/by-code/{meeting_code}'] };

const FROM_MEMORY = ['hit', 'stale', 'negative'];

/** How many moments a line shows. */
export const LINE_MOMENTS = 60;

/** What the two lines show: requests, and questions about meetings or for tokens. */
export const counted = (samples) => ({ requests: sum(samples, REQUESTS), questions: sum(samples, QUESTIONS) });

export function head({ status }, state) {
  show(at('about'), say.about(status.version, span(status.uptime_seconds)));
  show(at('readiness'), status.ready ? say.ready : say.not_ready);
  at('readiness').className = `badge ${status.ready ? 'good' : 'bad'}`;
  watch(state);
}

/** Whether the page is looking. */
export function watch(state) {
  show(at('watch'), say[state]);
  at('watch').className = state;
  show(at('pause'), state === 'paused' ? say.resume : say.pause);
}

export function matters(found) {
  const item = ({ look, key, ticking, todo }) =>
    element(
      'li',
      { class: `matter ${look}` },
      element('strong', {}, key, ticking ?? null),
      todo ? element('p', {}, todo) : null,
    );
  const well = element('li', { class: 'matter good' }, element('strong', {}, say.all_well));
  show(at('matters'), found.length > 0 ? found.map(item) : [well]);
}

export function tiles({ total, window, rates, lines }) {
  const wait = (share) => took(quantile(share, window, REQUEST_SECONDS, MEETINGS));
  const half = quantile(0.5, window, QUESTION_SECONDS, { api: 'get_info' });
  const underWay = count(sum(total, 'wecom_proxy_wecom_in_flight'));
  const median = wait(0.5);
  const hits = hitRatio(window);
  const ofAll = say.hit_total(percent(hitRatio(total)), count(sum(total, LOOKUPS)));
  const asked = say.requests_note(count(sum(window, REQUESTS)));
  const answered = say.asked_note(underWay, half ? took(half) : '');
  const slower = median === NOTHING ? say.nothing_yet : say.callers_wait_note(wait(0.9), wait(0.99));
  const line = (values) => sparkline(values, LINE_MOMENTS);
  show(
    at('tiles'),
    tile('hit-ratio', say.hit_ratio, percent(hits), ofAll, bar(hits ?? 0, say.hit_ratio)),
    tile('request-rate', say.requests, rate(rates.requests), asked, line(lines.requests)),
    tile('question-rate', say.asked, rate(rates.questions), answered, line(lines.questions)),
    tile('wait', say.callers_wait, median, slower, null),
  );
}

function tile(id, title, figure, note, drawing) {
  return element(
    'article',
    { class: 'card tile', id },
    element('h3', {}, title),
    element('p', { class: 'figure' }, figure),
    element('p', { class: 'note' }, note),
    drawing,
  );
}

function hitRatio(samples) {
  const lookups = sum(samples, LOOKUPS);
  return lookups > 0 ? sum(samples, LOOKUPS, { result: FROM_MEMORY }) / lookups : null;
}

export function apps({ status }) {
  show(at('apps'), status.apps.map(app));
  const options = status.apps.map(({ app: name }) => element('option', { value: name }, name));
  show(at('app'), element('option', { value: '' }, say.all_apps), options);
}

function app({ app: name, standing, token, breaker, quota, questions, last_fault: fault }) {
  const { under_way: underWay, waiting, window, window_max: most } = questions;
  return element(
    'article',
    { class: 'card app' },
    element('h3', {}, name, badge(standing, breaker)),
    terms([
      [say.under_way, say.window(underWay, window, most), bar(underWay / window, say.under_way)],
      [say.minute, ...left(quota.minute)],
      [say.waiting, count(waiting)],
      [say.hour, ...left(quota.hour)],
      [say.token, ...(token ? life(token) : [say.no_token])],
      [say.last_fault, fault ? failed(fault) : say.no_fault],
    ]),
  );
}

function left({ left: number, limit }) {
  const told = say.left(count(number), count(limit));
  return [told, bar(number / limit, told, number < 0.1 * limit ? 'low' : '')];
}

function life({ age_seconds: age, expires_in_seconds: rest }) {
  return [say.token_told(span(age), span(rest)), bar(rest / Math.max(1, age + rest), say.token)];
}

const failed = ({ fault, api, age_seconds: age }) => say.fault_told(say.fault(fault), api, say.ago(span(age)));

/** In a word, how it stands with WeCom. */
function badge(standing, { state, for_seconds: wait }) {
  const [look, told] = {
    served_open: ['bad', say.not_asked(span(wait ?? 0))],
    served_half_open: ['warn', say.tried],
    served_closed: ['good', say.standings.served],
  }[`${standing}_${state}`] ?? [standing === 'refused' ? 'bad' : 'warn', say.standings[standing]];
  return element('span', { class: `badge ${look}` }, told);
}

/** The figures of the period that is wanted. `recent` is what was counted in the last seconds. */
export function period(samples, recent) {
  origins(samples);
  latency(samples);
  outcomes(samples, recent);
}

function origins(samples) {
  const all = sum(samples, LOOKUPS);
  const results = Object.keys(say.results).map((result) => ({ result, number: sum(samples, LOOKUPS, { result }) }));
  const share = (number) => (all > 0 ? number / all : 0);
  const legend = results.map(({ result, number }) => [
    element('span', { class: `key ${result}` }, say.results[result]),
    count(number),
    all > 0 ? percent(share(number)) : NOTHING,
  ]);
  show(
    at('origins'),
    stack(results.map(({ result, number }) => ({ share: share(number), look: result }))),
    table(say.origins, [say.of, say.times, say.share], legend),
  );
}

function latency(samples) {
  const row = (title, histogram, labels) => {
    const told = [0.5, 0.9, 0.99].map((share) => took(quantile(share, samples, histogram, labels)));
    return [title, ...told, count(sum(samples, `${histogram}_count`, labels))];
  };
  show(
    at('latency'),
    table(say.latency, [say.of, 'p50', 'p90', 'p99', say.times], [
      row(say.callers, REQUEST_SECONDS, MEETINGS),
      row(say.get_info, QUESTION_SECONDS, { api: 'get_info' }),
      row(say.gettoken, QUESTION_SECONDS, { api: 'gettoken' }),
    ]),
  );
}

function outcomes(samples, recent) {
  const rows = [];
  for (const api of ['get_info', 'gettoken']) {
    for (const outcome of Object.keys(say.outcome_names)) {
      const number = sum(samples, QUESTIONS, { api, outcome });
      const look = ['ok', 'absent'].includes(outcome) ? 'fine' : 'error';
      const name = element('span', { class: `key ${look}` }, say.outcome_names[outcome]);
      const second = recent.seconds > 0 ? sum(recent.samples, QUESTIONS, { api, outcome }) / recent.seconds : null;
      if (number > 0) {
        rows.push([name, say[api], count(number), rate(second)]);
      }
    }
  }
  const head = [say.outcome, say.of, say.times, say.a_second];
  const nothing = element('p', { class: 'note' }, say.nothing_yet);
  show(at('outcomes'), rows.length > 0 ? table(say.outcomes, head, rows) : nothing);
}

export function memory({ status, total }) {
  const { cache, process } = status;
  const evicted = (cause) => count(sum(total, 'wecom_proxy_cache_evictions_total', { cause }));
  const taken = say.bytes_of(bytes(cache.bytes), bytes(cache.max_bytes));
  show(
    at('memory'),
    terms([
      [say.kept, count(cache.entries)],
      [say.cache_bytes, taken, bar(cache.bytes / cache.max_bytes, taken)],
      [say.evicted, say.evicted_told(evicted('expired'), evicted('size'))],
      [say.flights, count(cache.flights)],
      [say.purges, count(cache.epoch)],
      process && [say.resident, bytes(process.resident_bytes)],
      [say.shed, count(sum(total, 'wecom_proxy_shed_total'))],
      [say.lines_lost, count(status.log_lines_lost)],
    ]),
  );
}

/** What is the same all the time. */
export function still() {
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  for (const place of document.querySelectorAll('[data-words]')) {
    place.textContent = say[place.dataset.words];
  }
  show(at('zone'), say.zone(Intl.DateTimeFormat().resolvedOptions().timeZone));
}

/** Says what is the matter to who does not see it, when that changes: not when a number in it does. */
export function announce(found) {
  const signs = found.map(({ sign, key }) => sign ?? key).join();
  if (signs !== announced) {
    announced = signs;
    show(at('announcement'), found.length > 0 ? found.map(({ key }) => key).join(' ') : say.all_well);
  }
}

let announced = null;
