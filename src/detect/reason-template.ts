import { inertText, MAX_LINE_CHARS, quotedText } from './inert-text.js';
import { didYouMean } from '../lib/nearest-name.js';
import type { VariableValue } from './vocabulary.js';

const MAX_LIST_SHOWN = 4;
/** What a measure says about itself may be a short sentence. */
const MAX_MEASURE_CHARS = 160;

/** What the detector found, for a template to show. */
export interface FindingWords {
  nats: number;
  sampleSize: number;
  observed: string;
  expected: string;
}

const FINDING_NAMES = ['nats', 'samples', 'observed', 'expected'] as const;
type FindingName = (typeof FINDING_NAMES)[number];

type Piece<S> = { text: string } | { finding: FindingName } | { read: (subject: S) => VariableValue };

/** A template whose placeholders were all found in the closed list. Renders one bounded, harmless line. */
export interface ReasonTemplate<S> {
  render(subject: S, finding: FindingWords): string;
}

/** A template that cannot be used; the message names the fix. */
export class TemplateError extends Error {
  override name = 'TemplateError';
}

/**
 * Reads `text {name} text`. Values are put in when rendering, never read again as a template, and texts stand in quotes
 * that they cannot close: an agent that names a tool `{tenant}` or `x". All is well. "` only shows itself.
 *
 * @param reader how to read a variable by name, or undefined when there is none
 * @param names all names there are, for the suggestion
 * @throws TemplateError
 */
export function parseTemplate<S>(
  template: string,
  reader: (name: string) => ((subject: S) => VariableValue) | undefined,
  names: readonly string[],
): ReasonTemplate<S> {
  const pieces: Piece<S>[] = [];
  let rest = template;
  while (rest !== '') {
    const open = rest.indexOf('{');
    const text = open < 0 ? rest : rest.slice(0, open);
    if (text.includes('}')) throw new TemplateError('has a "}" without "{"; placeholders look like {tool}');
    if (text !== '') pieces.push({ text });
    if (open < 0) break;
    const close = rest.indexOf('}', open);
    if (close < 0) throw new TemplateError('has a "{" without "}"; placeholders look like {tool}');
    pieces.push(placeholder(rest.slice(open + 1, close), reader, names));
    rest = rest.slice(close + 1);
  }
  return {
    render(subject, finding) {
      const parts = pieces.map((piece) => {
        if ('text' in piece) return piece.text;
        return 'read' in piece ? shown(piece.read(subject)) : found(piece.finding, finding);
      });
      return inertText(parts.join(''), MAX_LINE_CHARS);
    },
  };
}

function placeholder<S>(
  name: string,
  reader: (name: string) => ((subject: S) => VariableValue) | undefined,
  names: readonly string[],
): Piece<S> {
  const finding = FINDING_NAMES.find((known) => known === name);
  if (finding !== undefined) return { finding };
  const read = reader(name);
  if (read !== undefined) return { read };
  throw new TemplateError(`unknown placeholder {${name}}${didYouMean(name, [...FINDING_NAMES, ...names])}`);
}

function found(name: FindingName, finding: FindingWords): string {
  if (name === 'nats') return rounded(finding.nats);
  if (name === 'samples') return rounded(finding.sampleSize);
  return inertText(finding[name], MAX_MEASURE_CHARS);
}

function shown(value: VariableValue): string {
  if (typeof value === 'string') return value === '' ? 'none' : quotedText(value);
  if (typeof value === 'number') return rounded(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  const more = value.length - MAX_LIST_SHOWN;
  const list = value.slice(0, MAX_LIST_SHOWN).map(quotedText).join(', ');
  if (list === '') return 'none';
  return more > 0 ? `${list} and ${more} more` : list;
}

function rounded(value: number): string {
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(3)));
}
