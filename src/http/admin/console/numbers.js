// What follows from the counters that /metrics tells. Knows the text format and arithmetic; nothing of
// what is counted.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="([^"]*)"/g;

/** Every sample of Prometheus' text format: its name, its labels, its value, and what tells it apart. */
export function samples(text) {
  const found = [];
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = LINE.exec(line) ?? [];
    if (name) {
      found.push({ series: `${name}{${labels}}`, name, labels: labelled(labels), value: Number(value) });
    }
  }
  return found;
}

/** Nothing in our labels, which are words and the names of apps, needs to be escaped. */
function labelled(text) {
  return Object.fromEntries([...text.matchAll(LABEL)].map(([, label, value]) => [label, value]));
}

/** By how much each sample grew. What was not there earlier grew from 0. */
export function growth(later, earlier) {
  const before = new Map(earlier.map(({ series, value }) => [series, value]));
  return later.map((sample) => ({ ...sample, value: sample.value - (before.get(sample.series) ?? 0) }));
}

/** The samples of that name with these labels; a label may be one of several. */
export function select(all, name, labels = {}) {
  const fits = (sample) =>
    Object.entries(labels).every(([label, wanted]) => [wanted].flat().includes(sample.labels[label]));
  return all.filter((sample) => sample.name === name && fits(sample));
}

/** Their sum. */
export function sum(all, name, labels) {
  return select(all, name, labels).reduce((total, { value }) => total + value, 0);
}

/**
 * The value below which that share of what was observed lies, by linear interpolation within its
 * bucket, as Prometheus has it. `beyond` is whether it lies above every bucket, and the value is the
 * highest bound. `null` where nothing was observed.
 */
export function quantile(share, all, histogram, labels) {
  const buckets = cumulated(select(all, `${histogram}_bucket`, labels));
  const count = buckets.at(-1)?.count ?? 0;
  if (count <= 0) {
    return null;
  }
  const rank = share * count;
  const place = buckets.findIndex((bucket) => bucket.count >= rank);
  const { bound, count: through } = buckets[place];
  const { bound: from, count: below } = buckets[place - 1] ?? { bound: 0, count: 0 };
  if (bound === Infinity) {
    return { value: from, beyond: true };
  }
  return { value: from + (bound - from) * ((rank - below) / (through - below)), beyond: false };
}

/** How many lie at or below each bound, over all series: those of several labels may be added. */
function cumulated(samples) {
  const counts = new Map();
  for (const { labels, value } of samples) {
    const bound = labels.le === '+Inf' ? Infinity : Number(labels.le);
    counts.set(bound, (counts.get(bound) ?? 0) + value);
  }
  const buckets = [...counts].map(([bound, count]) => ({ bound, count }));
  return buckets.sort((one, other) => one.bound - other.bound);
}
