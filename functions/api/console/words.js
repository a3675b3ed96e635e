// What numbers, times and names are in words.

const WHOLE = new Intl.NumberFormat('en');
const TENTHS = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const DAY = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', year: 'numeric' });
const MINUTE = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const SECOND = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

export const whole = (number) => WHOLE.format(number);
export const percent = (part) => `${Math.round(part * 100)} %`;
export const day = (time) => DAY.format(new Date(time));
export const minute = (time) => MINUTE.format(new Date(time));
export const clock = (time) => SECOND.format(new Date(time));

/** With its sign, and a real minus. */
export const signed = (number, format = whole) =>
  number === 0 ? format(0) : `${number > 0 ? '+' : '−'}${format(Math.abs(number))}`;

/** Tenths of a point, as points. */
export const inPoints = (tenths) => signed(tenths / 10, (number) => TENTHS.format(number));

/** `1 page`, `2 pages`. */
export const count = (number, noun) => `${whole(number)} ${noun}${number === 1 ? '' : 's'}`;

/** A stretch of time, in its largest unit or two: `45 s`, `2 min`, `3 h 20 min`, `4 days`. */
export function stretch(ms) {
  const seconds = Math.max(0, ms) / 1000;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 && hours < 10 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.round(hours / 24)} days`;
}

/** A span that was set, to the millisecond: `1.5 s`. */
export const seconds = (ms) => `${(ms / 1000).toLocaleString('en', { maximumFractionDigits: 3 })} s`;

/** How long ago, or until when. */
export function ago(time, now = Date.now()) {
  const ms = now - new Date(time).getTime();
  if (Math.abs(ms) < 5000) return 'just now';
  return ms > 0 ? `${stretch(ms)} ago` : `in ${stretch(-ms)}`;
}

/** The band of a score, which also has a colour. */
export const band = (score) => (score >= 70 ? 'good' : score >= 40 ? 'fair' : 'poor');
export const BAND = { good: 'Good', fair: 'Fair', poor: 'Needs work' };

/** The components of the score, with their weight in it. */
export const COMPONENTS = {
  content: { name: 'Content', weight: 30, about: 'Titles, texts long enough to matter, and how recent they are.' },
  entities: { name: 'Entities', weight: 25, about: 'Whether pages and products say clearly what they are about.' },
  technical: { name: 'Technical', weight: 25, about: 'Whether pages can be fetched and indexed.' },
  visibility: { name: 'Visibility', weight: 20, about: 'Whether there is what search and answer engines show.' },
  rounding: { name: 'Rounding', about: 'What rounding to whole points leaves over.' },
};

const of = (what) => (part) => `${percent(part)} of ${what}.`;

/** The 17 signals: name, component, and what the number says. */
export const SIGNALS = {
  contentCoverage: { name: 'Coverage', in: 'content', says: of('pages and products have a title and a text') },
  contentDepth: {
    name: 'Depth', in: 'content',
    says: (part) => `On average, texts reach ${percent(part)} of the length that counts as deep: 800 words a page, 600 a product.`,
  },
  contentFreshness: {
    name: 'Freshness', in: 'content',
    says: (part) => `Pages and products are ${percent(part)} fresh: 100 % when seen today, nothing after 90 days.`,
  },
  entityCoverage: {
    name: 'Named topics', in: 'entities',
    says: of('pages and products name their topic: a title and a heading, or a title and a description'),
  },
  entityAccuracy: {
    name: 'Complete descriptions', in: 'entities',
    says: (part) => `${percent(part)} of pages and products have no gap in title, description or heading and are not too short (counted from 30 to 90 %).`,
  },
  entityLinkage: {
    name: 'Room for links', in: 'entities',
    says: (part) => `On average, texts reach ${percent(part)} of the length in which topics connect: 1,200 words a page, 800 a product.`,
  },
  crawlHealth: { name: 'Crawl health', in: 'technical', says: of('pages load without an error') },
  coreWebVitals: { name: 'Web vitals', in: 'technical', says: (part) => `Counts as ${percent(part)} for every shop until there are measurements.` },
  indexability: { name: 'Indexability', in: 'technical', says: of('pages load, have a title and a description, and are not thin') },
  serpPresence: { name: 'Search results', in: 'visibility', says: of('pages have all that a search result shows: title, description and heading') },
  answerSurfacePresence: { name: 'Answers', in: 'visibility', says: of('pages can answer a question: a heading and 400 words or more') },
  brandNavigationalStrength: {
    name: 'Brand pages', in: 'visibility',
    says: (part) => (part >= 1 ? 'There are the three pages by which people look for a brand.'
      : `${Math.round(part * 3)} of the three pages by which people look for a brand, such as home, about and contact.`),
  },
  htmlStructuralQuality: { name: 'Page structure', in: 'others', says: of('pages have title, description, heading and 100 words or more') },
  thinContentQuality: { name: 'Not thin', in: 'others', says: of('pages have 150 words or more') },
  entityHintCoverage: { name: 'Topic hints', in: 'others', says: of('pages and products hint at their topic') },
  entityStructureAccuracy: { name: 'Structured topics', in: 'others', says: of('pages and products describe their topic without a gap (counted from 30 to 90 %)') },
  entityLinkageDensity: { name: 'Link density', in: 'others', says: (part) => `Pages reach ${percent(part)} of the internal links, or of the words, at which topics connect well.` },
};

/** The components that opportunities are told in, with what to do and the signals that they come from. */
export const OPPORTUNITIES = {
  entityStrength: {
    name: 'Entity strength', todo: 'Give each page a title and a heading, and each product a title and a description.',
    signals: ['entityCoverage', 'entityAccuracy', 'entityLinkage', 'entityLinkageDensity'],
  },
  intentMatch: {
    name: 'Intent match', todo: 'Cover what people look for: complete pages, longer texts, and the pages of your brand.',
    signals: ['contentCoverage', 'contentDepth', 'serpPresence', 'answerSurfacePresence', 'brandNavigationalStrength'],
  },
  answerability: {
    name: 'Answerability', todo: 'Write pages of 400 words or more, under a heading, that answer one question each.',
    signals: ['contentDepth', 'contentCoverage', 'answerSurfacePresence', 'thinContentQuality'],
  },
  aiVisibility: {
    name: 'AI visibility', todo: 'Complete title, description and heading, and mend pages that cannot be indexed.',
    signals: ['serpPresence', 'answerSurfacePresence', 'brandNavigationalStrength', 'indexability'],
  },
  contentCompleteness: {
    name: 'Content completeness', todo: 'Fill empty texts, lengthen short ones, and refresh what is older than 90 days.',
    signals: ['contentCoverage', 'contentDepth', 'contentFreshness', 'entityCoverage'],
  },
  technicalQuality: {
    name: 'Technical quality', todo: 'Mend pages that fail to load, and thin ones.',
    signals: ['crawlHealth', 'indexability', 'htmlStructuralQuality', 'thinContentQuality'],
  },
};

/** Why a tick stopped, in words. */
export const STOPPED = {
  empty: 'nothing left to do', deadline: 'its time was up', disabled: 'the drain is switched off', error: 'an error',
  paused: 'the queue is paused', limited: 'the rate limit', full: 'as many run as may at once', held: 'what is left was put off',
  gathering: 'jobs gather',
};
