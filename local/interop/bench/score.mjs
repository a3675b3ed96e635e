// A recompute's arithmetic over rows as they come from the database, of the size and shape of the real
// one: the time of a rival is not to be short of it. Its numbers are nobody's scores.

const DAY = 86_400_000;
const clamp = (x) => Math.min(1, Math.max(0, x));
const ratio = (a, b) => (b === 0 ? 0 : a / b);
const words = (text) => (text ?? '').trim().split(/\s+/u).filter(Boolean).length;

export function computed(pages, products, now) {
  const sums = { covered: 0, healthy: 0, indexable: 0, thin: 0, hinted: 0, serp: 0, answering: 0, fresh: 0, words: 0, navigational: 0 };
  for (const page of pages) {
    const issues = Array.isArray(page.issues) ? page.issues : [];
    const healthy = page.statusCode >= 200 && page.statusCode < 400 && !issues.includes('HTTP_ERROR') && !issues.includes('FETCH_ERROR');
    const thin = issues.includes('THIN_CONTENT') || (page.wordCount !== null && page.wordCount < 150);
    const full = Boolean(page.title && page.metaDescription && page.h1);
    sums.covered += page.title && page.wordCount > 0 ? 1 : 0;
    sums.healthy += healthy ? 1 : 0;
    sums.indexable += healthy && page.title && page.metaDescription && !thin ? 1 : 0;
    sums.thin += thin ? 1 : 0;
    sums.hinted += page.title && page.h1 ? 1 : 0;
    sums.serp += full ? 1 : 0;
    sums.answering += healthy && page.h1 && page.wordCount >= 400 ? 1 : 0;
    sums.fresh += 1 - Math.min((now - page.scannedAt.getTime()) / (90 * DAY), 1);
    sums.words += Math.max(0, page.wordCount ?? 0);
    sums.navigational += /^https?:\/\/[^/]+\/(about|contact|pricing|faq|support)?$/.test(page.url.toLowerCase()) ? 1 : 0;
  }
  let described = 0;
  let depth = 0;
  for (const product of products) {
    const count = words(product.seoDescription ?? product.description);
    described += count > 0 && (product.seoTitle ?? product.title).trim() !== '' ? 1 : 0;
    depth += count;
  }
  const [p, r] = [pages.length, products.length];
  const blend = (a, b) => clamp(ratio(a * p + b * r, p + r));
  const signals = {
    contentCoverage: blend(ratio(sums.covered, p), ratio(described, r)),
    contentDepth: blend(clamp(ratio(sums.words, p) / 800), clamp(ratio(depth, r) / 600)),
    contentFreshness: blend(ratio(sums.fresh, p), 1),
    crawlHealth: ratio(sums.healthy, p), indexability: ratio(sums.indexable, p), thinContentQuality: 1 - ratio(sums.thin, p),
    entityHintCoverage: ratio(sums.hinted + described, p + r), entityCoverage: ratio(sums.hinted + described, p + r),
    entityAccuracy: 0.5, entityStructureAccuracy: 0.5, entityLinkage: blend(clamp(ratio(sums.words, p) / 1_200), 0.5),
    entityLinkageDensity: 0.5, coreWebVitals: 0.5, htmlStructuralQuality: 1 - ratio(p - sums.serp, p),
    serpPresence: ratio(sums.serp, p), answerSurfacePresence: ratio(sums.answering, p),
    brandNavigationalStrength: Math.min(sums.navigational / 3, 1),
  };
  const component = (...names) => Math.round(100 * clamp(names.reduce((sum, name) => sum + signals[name], 0) / names.length));
  const breakdown = {
    content: component('contentCoverage', 'contentDepth', 'contentFreshness'),
    entities: component('entityCoverage', 'entityAccuracy', 'entityLinkage'),
    technical: component('crawlHealth', 'coreWebVitals', 'indexability'),
    visibility: component('serpPresence', 'answerSurfacePresence', 'brandNavigationalStrength'),
  };
  const overall = Math.round(breakdown.content * 0.3 + breakdown.entities * 0.25 + breakdown.technical * 0.25 + breakdown.visibility * 0.2);
  const v1 = { modelVersion: 'v1', breakdown: { overall, ...breakdown } };
  return { overall, ...breakdown, metadata: { signals, v1, v2: { modelVersion: 'v2', breakdown: v1.breakdown, components: breakdown } } };
}
