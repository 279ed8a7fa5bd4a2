// Lets it forget: never without being asked to in so many words, and confirmed.

import { at, show } from './page.js';
import { count, moment, say } from './words.js';

/** How many answers are kept, as far as is known: who is about to drop them should know. */
let kept = null;

/** The name whose answers may be purged, and what is to follow. */
let offered = null;

/** Tells how many answers are kept. */
export function keptAtPresent(entries) {
  kept = entries;
}

/** Has the buttons work: for everything, for the name that is looked up, and in the dialogue. */
export function listen(done) {
  const everything = { name: null, done };
  const click = (id, act) => at(id).addEventListener('click', act);
  click('expire-all', () => purge(everything, true, 'purged-all'));
  click('drop-all', () => purge(everything, false, 'purged-all'));
  click('expire-one', () => purge(offered, true, 'purged-one'));
  click('drop-one', () => purge(offered, false, 'purged-one'));
  click('refuse', () => at('confirmation').close('refused'));
  click('confirm', () => at('confirmation').close('confirmed'));
}

/** Offers to purge what is kept under a name; none, if that is `null`. */
export function offer(name, done) {
  offered = name && { name, done };
  at('purge-one').hidden = name === null;
  show(at('purged-one'));
}

/** Where a name stands below `explain/` and `cache/`. */
export function path({ by, text }) {
  const kind = by === 'code' ? 'meetings/by-code' : 'meetings';
  return `${kind}/${encodeURIComponent(text)}`;
}

async function purge({ name, done }, soft, outcome) {
  if (await confirmed(name, soft)) {
    const came = await ordered(name, soft);
    await done();
    show(at(outcome), came);
  }
}

/** Sends it, and says what came of it. */
async function ordered(name, soft) {
  const query = new URLSearchParams({ soft, ...(name?.app ? { app: name.app } : {}) });
  const target = name ? `cache/${path(name)}` : 'cache';
  try {
    const answer = await fetch(`${target}?${query}`, { method: 'DELETE' });
    if (answer.ok) {
      const done = soft ? say.done_expire : say.done_drop;
      return done(moment(Date.now()));
    }
    const { code, detail } = await answer.json();
    return say.not_done(say.problems[code] ?? detail);
  } catch {
    return say.not_done(say.no_answer);
  }
}

/** Asks, and waits for the answer. Closing the dialogue in whatever other way is a no. */
function confirmed(name, soft) {
  const dialogue = at('confirmation');
  const [ask, costs, confirm] = soft
    ? [say.ask_expire, say.costs_expire, say.confirm_expire]
    : [say.ask_drop, say.costs_drop, say.confirm_drop];
  const entries = name === null && kept !== null ? ` ${say.costs_entries(count(kept))}` : '';
  show(at('confirmation-title'), ask(what(name)));
  show(at('confirmation-text'), costs + entries);
  show(at('confirm'), confirm);
  at('confirm').classList.toggle('grave', !soft);
  dialogue.returnValue = '';
  dialogue.showModal();
  at('refuse').focus();
  return new Promise((answer) => {
    dialogue.addEventListener('close', () => answer(dialogue.returnValue === 'confirmed'), { once: true });
  });
}

function what(name) {
  if (name === null) {
    return say.what_all;
  }
  const of = name.by === 'code' ? say.what_code(name.text) : say.what_id(name.text);
  return name.app ? say.what_of_app(of, name.app) : of;
}
