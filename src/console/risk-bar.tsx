import type { Incident, RiskTerm } from '../model/incident.js';
import { hasThreshold, name, nats } from './words.js';

/** Colours of the terms, in order; the last one is for all further ones. */
const HUES = 6;
const MAX_TERMS = 12;

interface Segment {
  from: number;
  to: number;
  hue: number;
}

/** How the risk adds up: one bar with a part for each term, and the threshold across it. */
export function RiskBar({ incident }: { incident: Incident }) {
  const { thresholdNats, riskNats } = incident;
  const terms = shortened(incident.arithmetic);
  const total = terms.reduce((sum, term) => sum + term.nats, 0);
  const positive = terms.reduce((sum, term) => sum + Math.max(0, term.nats), 0);
  const limit = hasThreshold(thresholdNats) ? Math.max(0, thresholdNats) : 0;
  const scale = Math.max(positive, total, limit, 1) * 1.04;
  const share = (value: number) => `${((100 * value) / scale).toFixed(2)}%`;
  const againstIt = Math.max(0, positive - Math.max(0, total));
  return (
    <div class="arithmetic">
      <svg
        class="stack"
        width="100%"
        height="58"
        role="img"
        aria-label={`${nats(total)} nats in all, threshold ${hasThreshold(thresholdNats) ? nats(thresholdNats) : 'none yet'}`}
      >
        <rect x="0" y="20" width="100%" height="20" rx="3" class="track" />
        {segments(terms).map(({ from, to, hue }) => (
          <rect x={share(from)} y="20" width={share(to - from)} height="20" class={`term hue${hue}`} />
        ))}
        {againstIt > 0 ? (
          <rect x={share(positive - againstIt)} y="20" width={share(againstIt)} height="20" class="against" />
        ) : (
          ''
        )}
        <rect x={share(Math.max(0, total))} y="16" width="2" height="28" class="total" />
        <Label at={share(Math.max(0, total))} y="56" isLate={total > scale / 2} text={`${nats(total)} in all`} />
        {limit > 0 ? (
          <Label at={share(limit)} y="9" isLate={limit > scale / 2} text={`threshold ${nats(limit)}`} />
        ) : (
          ''
        )}
        {limit > 0 ? <rect x={share(limit)} y="12" width="2" height="36" class="limit" /> : ''}
      </svg>
      <table class="terms">
        <tbody>
          {terms.map((term, i) => (
            <tr>
              <td>
                <svg width="12" height="12" aria-hidden="true">
                  <rect width="12" height="12" rx="2" class={term.nats < 0 ? 'against' : `term hue${i % HUES}`} />
                </svg>
              </td>
              <td class="wide">{name(term.label)}</td>
              <td class="figure">{signed(term.nats)}</td>
            </tr>
          ))}
          <tr class="sum">
            <td></td>
            <td class="wide">in all</td>
            <td class="figure">{nats(total)}</td>
          </tr>
          <tr>
            <td>
              <svg width="12" height="12" aria-hidden="true">
                <rect x="5" width="2" height="12" class="limit" />
              </svg>
            </td>
            <td class="wide">{hasThreshold(thresholdNats) ? 'threshold' : 'no threshold yet'}</td>
            <td class="figure">{hasThreshold(thresholdNats) ? nats(thresholdNats) : ''}</td>
          </tr>
        </tbody>
      </table>
      <p class="note">
        {`A nat is a unit of surprise: each further one makes it 2.7 times less likely that a clean session looks like this.${
          riskNats - total > 0.05 ? ` The highest sum was ${nats(riskNats)}; evidence fades with time.` : ''
        }`}
      </p>
    </div>
  );
}

/** A word beside a line of the bar, on the side where there is room. */
function Label({ at, y, isLate, text }: { at: string; y: string; isLate: boolean; text: string }) {
  return (
    <svg x={at} overflow="visible">
      <text y={y} text-anchor={isLate ? 'end' : 'start'}>
        {text}
      </text>
    </svg>
  );
}

/** At most so many terms; the smallest are added up in one. */
function shortened(terms: readonly RiskTerm[]): RiskTerm[] {
  if (terms.length <= MAX_TERMS) return [...terms];
  const ordered = [...terms].sort((a, b) => b.nats - a.nats);
  const rest = ordered.slice(MAX_TERMS - 1);
  const sum = rest.reduce((all, term) => all + term.nats, 0);
  return [...ordered.slice(0, MAX_TERMS - 1), { label: `${rest.length} smaller ones`, nats: sum }];
}

function segments(terms: readonly RiskTerm[]): Segment[] {
  let from = 0;
  return terms.flatMap((term, i): Segment[] => {
    if (term.nats <= 0) return [];
    const segment = { from, to: from + term.nats, hue: i % HUES };
    from = segment.to;
    return [segment];
  });
}

function signed(value: number): string {
  return value < 0 ? `\u2212${nats(-value)}` : `+${nats(value)}`;
}
