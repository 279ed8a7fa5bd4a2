// What is kept under a name, in sentences, and what a request would come to now.

import { at, element, show } from './page.js';
import { offer, path } from './purging.js';
import { bytes, count, moment, say, span } from './words.js';

/** Has the form ask, and the answer told below it. */
export function listen() {
  at('lookup').addEventListener('submit', (event) => {
    event.preventDefault();
    explain();
  });
}

/** How often it was asked. Only the last answer is of interest, whichever comes last. */
let turns = 0;

async function explain() {
  turns += 1;
  const turn = turns;
  const form = new FormData(at('lookup'));
  const name = { by: form.get('by'), text: form.get('name').trim(), app: form.get('app') };
  const { answers, complaint } = await ask(name, form.get('occurrence').trim());
  if (turn !== turns) {
    return;
  }
  offer(answers ? name : null, explain);
  const when = element('p', { class: 'note' }, say.told_at(moment(Date.now())));
  const refused = element('p', { class: 'matter bad' }, say.not_explained(complaint));
  show(at('explanation'), answers ? [...answers.map(article), when] : refused);
}

/** What there is to tell of a name, or why there is nothing. */
async function ask(name, occurrence) {
  const query = new URLSearchParams({
    ...(name.app ? { app: name.app } : {}),
    ...(occurrence ? { sub_meeting_id: occurrence } : {}),
  });
  try {
    const answer = await fetch(`explain/${path(name)}?${query}`);
    const { answers, code, detail } = await answer.json();
    return { answers, complaint: say.problems[code] ?? detail };
  } catch {
    return { complaint: say.no_answer };
  }
}

/** All there is to say of a name as one app. */
function article(answer) {
  const paragraphs = sentences(answer).map((text) => element('li', {}, text));
  return element(
    'article',
    {},
    element('h3', {}, say.under_app(answer.app)),
    element('p', { class: 'verdict' }, verdict(answer.next_request)),
    element('ul', {}, paragraphs),
  );
}

/** Of a request without wishes of its own. */
function verdict({ does, because, retry_after_seconds: wait }) {
  const { verdicts } = say;
  const told = {
    ask: verdicts[`ask_${because}`],
    fail: verdicts.fail(say.fault(because), span(wait ?? 0)),
    serve: verdicts[`serve_${because}`],
    serve_and_renew: verdicts.renew,
  };
  return told[does] ?? does;
}

function sentences({ kept, last_fault: fault, flight }) {
  return [
    ...(kept ? ofKept(kept) : [say.nothing_kept]),
    ...(fault ? [ofFault(fault)] : []),
    ...(flight ? [flight.waiting > 0 ? say.flight_waited(flight.waiting) : say.flight_behind] : []),
  ];
}

function ofKept(kept) {
  const meeting = kept.what === 'meeting';
  const status = say.statuses[kept.status] ?? say.no_status;
  return [
    meeting ? say.kept_meeting(kept.meeting_id, status) : say.kept_absence(kept.wecom_errcode),
    say.asked_at(span(kept.age_seconds), moment(kept.asked_at)),
    freshness(kept),
    ...(kept.because.purged ? [say.made_stale] : []),
    say.windows(moment(kept.stale_while_revalidate_until), moment(kept.stale_if_error_until)),
    ...(kept.aliases.length > 0 ? [say.aliases(say.list(kept.aliases.map(alias)))] : []),
    ...(meeting ? [say.takes(bytes(kept.bytes), views(kept.views))] : []),
  ];
}

/** What is left is reckoned by the service's clock, not by this browser's. */
function freshness(kept) {
  const { is_fresh: fresh, age_seconds: age, lifetime_seconds: lifetime, because } = kept;
  const when = moment(kept.fresh_until);
  const tell = fresh ? say.fresh_until : say.stale_since;
  return tell(when, span(Math.abs(lifetime - age)), span(lifetime), say.rules[because.rule] ?? because.rule);
}

function alias({ meeting_id: id, meeting_code: code, sub_meeting_id: occurrence }) {
  const name = id ? say.alias_id(id) : say.alias_code(code);
  return occurrence ? say.alias_occurrence(name, occurrence) : name;
}

function views(made) {
  const sizes = ({ bytes: plain, gzip_bytes: gzip, zstd_bytes: zstd }) => {
    const told = [`${count(plain)} B`, gzip && `gzip ${count(gzip)} B`, zstd && `zstd ${count(zstd)} B`];
    return told.filter(Boolean).join(', ');
  };
  const who = ({ reveal }) =>
    reveal.length > 0 ? say.view_of(say.list(reveal.map((part) => say.parts[part] ?? part))) : say.view_open;
  return made.length > 0 ? say.list(made.map((view) => say.view(who(view), sizes(view)))) : say.no_views;
}

function ofFault({ fault, is_in_force: holds, remembered_until: until }) {
  return holds ? say.fault_kept(say.fault(fault), moment(until)) : say.fault_past(say.fault(fault));
}
