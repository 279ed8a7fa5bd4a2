// How things are said: numbers, spans, times; and the words, in the language of whoever looks.

export const language = navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
const locale = language === 'zh' ? 'zh-CN' : 'en-GB';

const numbers = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
const percents = new Intl.NumberFormat(locale, { style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1 });
const rough = new Intl.NumberFormat(locale, { maximumSignificantDigits: 2 });
const precise = new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const calendar = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric' });

/** The words: the same in each language, texts, and functions where something is filled in. */
export const { say } = await import(language === 'zh' ? './chinese.js' : './english.js');

/** Where nothing can be said. */
export const NOTHING = '–';

export const count = (value) => numbers.format(value);
export const percent = (share) => (share === null ? NOTHING : percents.format(share));
export const rate = (value) => (value === null ? NOTHING : numbers.format(value));

/** How long something took, with as many digits as an estimate deserves. */
export function took(estimate) {
  if (estimate === null) {
    return NOTHING;
  }
  const { value, beyond } = estimate;
  const said = value < 1 ? `${rough.format(1000 * value)} ms` : `${rough.format(value)} s`;
  return beyond ? `> ${said}` : said;
}

export function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = value < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  return `${precise.format(value / 1024 ** power)} ${units[power]}`;
}

/** Whole seconds as people say them, in two units at most. */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [d, h, m, s] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60];
  const units = [[d, say.days], [h, say.hours], [m, say.minutes], [s, say.seconds]];
  const first = units.findIndex(([value]) => value > 0);
  if (first < 0) {
    return `0 ${say.seconds}`;
  }
  const told = units.slice(first, first + 2).filter(([value]) => value > 0);
  return told.map(([value, unit]) => `${value} ${unit}`).join(' ');
}

/** A time of the clock, here; with its day, if that is another. */
export function moment(told) {
  const time = new Date(told);
  const today = time.toDateString() === new Date().toDateString();
  return today ? clock.format(time) : `${calendar.format(time)} ${clock.format(time)}`;
}
