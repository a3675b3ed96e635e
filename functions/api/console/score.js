// A project's score now: its components, where it can gain most, and the signals that it comes from.

import { h } from './dom.js';
import { card, empty, meter, ring } from './parts.js';
import { BAND, COMPONENTS, OPPORTUNITIES, SIGNALS, ago, band, minute, percent, signed } from './words.js';

const tone = (part) => band(part * 100);

/** The score, with what it was before, and its components. */
export function scoreNow(latest, before, actions) {
  const score = latest?.latestScore;
  if (!score) {
    return card('Score', { aside: actions }, empty('No score yet', 'This project was never scored. Ask for its first score: it takes about a minute.'));
  }
  const { computedAt } = latest.latestSnapshot;
  const change = before ? score.overall - before.overall : null;
  const rows = Object.entries(COMPONENTS).filter(([key]) => key in score && key !== 'rounding').map(([key, { name, weight, about }]) =>
    h('li', { class: 'component', title: about },
      h('span', { class: 'component-name' }, name, h('small', {}, `${weight} % of the score`)),
      meter((score[key] ?? 0) / 100, tone((score[key] ?? 0) / 100)),
      h('span', { class: 'component-score' }, score[key] ?? '–')));
  return card('Score', { aside: actions },
    h('div', { class: 'score' },
      h('div', { class: 'score-now' }, ring(score.overall),
        h('div', {}, h('p', { class: `verdict ${band(score.overall)}` }, BAND[band(score.overall)]),
          change !== null && h('p', { class: 'change' }, change === 0 ? 'Unchanged since the score before' : [h('strong', { class: change > 0 ? 'up' : 'down' }, `${signed(change)}`), ' since the score before']),
          h('p', { class: 'quiet' }, 'Computed ', h('time', { datetime: computedAt, title: minute(computedAt) }, ago(computedAt))))),
      h('ul', { class: 'components', 'aria-label': 'Components' }, rows)));
}

/** Where most is to be gained. */
export function opportunities(metadata) {
  const list = metadata?.v2?.topOpportunities;
  if (!Array.isArray(list) || list.length === 0) {
    return card('Opportunities', {}, empty('Not told', 'The score of this project was stored without its explanation.'));
  }
  const signals = metadata.signals ?? {};
  const rows = list.map(({ key, score, potentialGain }) => {
    const known = OPPORTUNITIES[key] ?? { name: key, todo: '', signals: [] };
    const weakest = known.signals.filter((name) => name in signals).sort((one, other) => signals[one] - signals[other])[0];
    return h('li', { class: 'opportunity' },
      h('div', { class: 'opportunity-head' }, h('h3', {}, known.name), h('span', { class: 'gain' }, `up to +${potentialGain}`)),
      h('div', { class: 'metered' }, meter(score / 100, band(score)), h('span', { class: 'number' }, `${score} of 100`)),
      h('p', {}, known.todo), weakest && h('p', { class: 'quiet' }, `Weakest in it: ${SIGNALS[weakest].name.toLowerCase()}, ${percent(signals[weakest])}.`));
  });
  return card('Opportunities', { about: 'The three parts with most to gain.' }, h('ol', { class: 'opportunities' }, rows));
}

/** The 17 signals in words, by component. */
export function signals(values) {
  const groups = Object.entries({ ...COMPONENTS, others: { name: 'Explain only', about: 'They count in the explanation, not in the score.' } }).filter(([key]) => key !== 'rounding');
  return h('div', { class: 'signals' }, groups.map(([group, { name, about }]) => h('section', {},
    h('h3', {}, name), h('p', { class: 'quiet' }, about),
    h('dl', {}, Object.entries(SIGNALS).filter(([key, signal]) => signal.in === group && typeof values[key] === 'number').map(([key, signal]) =>
      h('div', { class: 'signal' }, h('dt', {}, signal.name),
        h('dd', {}, h('span', { class: 'metered' }, meter(values[key], tone(values[key])), h('span', { class: 'number' }, percent(values[key]))), h('span', { class: 'says' }, signal.says(values[key])))))))));
}
