// What is the matter, causes first, and what to do about it: read from how it stands, as an operator
// would who knows the runbook.

import { sum } from './numbers.js';
import { count, moment, say, span } from './words.js';

/** For how long a fault counts if nothing has shown that it is over. */
const FAULT_COUNTS_S = 900;

/** Below this share of a quota it is worth a word. */
const QUOTA_LOW = 0.1;

/** Numbers of a wrong secret, or of a wrong corp. */
const SECRETS = [40001, 40013, 40091, 41002, 41004];

/** The number of an address that is not trusted. */
const ADDRESS = 60020;

/** The kinds of fault that are told by their words, as they have no number of their own. */
const BY_WORDS = [
  ['concurrency', /slow down/],
  ['own_quota', /^our own quota/],
  ['quota', /quota is spent/],
  ['distrusted', /certificate/],
  ['away', /not available|not answer in time/],
  ['garbled', /of no use/],
  ['crowded', /wait for their turn/],
  ['refused', /refuses us/],
];

/** What to do about a fault. */
function remedy({ fault, wecom_errcode: errcode }) {
  if (SECRETS.includes(errcode)) {
    return say.todo.secret;
  }
  if (errcode === ADDRESS) {
    return say.todo.address;
  }
  const [kind] = BY_WORDS.find(([, words]) => words.test(fault)) ?? ['unknown'];
  return say.todo[kind];
}

/**
 * What is the matter. `isOver` tells of an app's fault whether it is known to be over, `minute` what was
 * counted in the last minute. Each matter has a text that stays as it is while it lasts (`key`), what
 * changes by the second (`ticking`), and what to do.
 */
export function matters({ status, minute, isOver }) {
  return [
    ...readiness(status),
    ...grouped(status.apps.flatMap((app) => atWecom(app, isOver))),
    ...harm(minute),
  ];
}

export function noContact(since) {
  return [{ look: 'bad', key: say.no_contact(moment(since)), todo: say.no_contact_do }];
}

function readiness({ ready, not_ready_because: why }) {
  return ready ? [] : [{ look: 'bad', key: say.not_ready_because(say.reasons[why] ?? why) }];
}

/** What callers have noticed. */
function harm(minute) {
  const [errors, all, shed] = [
    sum(minute, 'wecom_proxy_cache_lookups_total', { result: 'error' }),
    sum(minute, 'wecom_proxy_cache_lookups_total'),
    sum(minute, 'wecom_proxy_shed_total'),
  ];
  const unserved = { look: 'bad', sign: 'unserved', key: say.unserved(count(errors), count(all)) };
  const turnedAway = { look: 'bad', sign: 'turned away', key: say.turned_away(count(shed)) };
  return [...(errors > 0 ? [unserved] : []), ...(shed > 0 ? [turnedAway] : [])];
}

/** What stands between one app and WeCom. `key` is still to be told whose it is. */
function atWecom(app, isOver) {
  return [...closed(app), ...lastFault(app, isOver), ...low(app), ...line(app)].map((matter) => ({ ...matter, app: app.app }));
}

function closed({ breaker }) {
  if (breaker.state === 'half_open') {
    return [{ look: 'warn', tell: (who) => say.probing(who) }];
  }
  if (breaker.state !== 'open') {
    return [];
  }
  const fault = { fault: breaker.because, wecom_errcode: breaker.wecom_errcode };
  return [{
    look: 'bad',
    tell: (who) => say.blocked(who, say.fault(breaker.because)),
    ticking: say.blocked_for(span(breaker.for_seconds)),
    todo: remedy(fault) + say.blocked_then,
  }];
}

/** The last fault, while it may last, and unless it is already told why nothing is asked. */
function lastFault({ app, breaker, last_fault: fault }, isOver) {
  const told = !fault || breaker.because === fault.fault;
  if (told || fault.age_seconds > FAULT_COUNTS_S || isOver(app, fault)) {
    return [];
  }
  return [{
    look: /refuses us/.test(fault.fault) ? 'bad' : 'warn',
    tell: (who) => say.failed(who, say.fault(fault.fault), fault.api),
    ticking: say.failed_since(say.ago(span(fault.age_seconds))),
    todo: remedy(fault),
  }];
}

function low({ quota }) {
  const periods = [[quota.minute, say.per_minute], [quota.hour, say.per_hour]];
  const spent = periods.filter(([{ left, limit }]) => left < QUOTA_LOW * limit);
  return spent.map(([{ left, limit }, per]) => ({
    look: 'warn',
    sign: `low ${per}`,
    tell: (who) => say.quota_low(who, count(left), count(limit), per),
    todo: say.todo.own_quota,
  }));
}

function line({ questions }) {
  const { waiting, window } = questions;
  const tell = (who) => say.crowded(who, count(waiting), count(window));
  return waiting > 0 ? [{ look: 'warn', sign: 'crowded', tell, todo: say.todo.crowded }] : [];
}

/** What is the same for several apps, as it is of their corp, is told once. */
function grouped(found) {
  const groups = new Map();
  for (const matter of found) {
    const same = matter.tell('');
    groups.set(same, [...(groups.get(same) ?? []), matter]);
  }
  return [...groups.values()].map((group) => {
    const [first] = group;
    return { ...first, key: first.tell(say.of_apps(group.map(({ app }) => app))) };
  });
}
