import type { CallNovelty } from '../baseline/port.js';
import type { Assessment } from '../detect/port.js';
import { inertText } from '../lib/text/inert-text.js';
import type { RiskTerm } from '../model/incident.js';
import type { CallObservation } from '../model/observation.js';

/** Labels of the terms of a call's risk that peer comparison looks at. */
export interface TermLabels {
  tool: string;
  argument: string;
  source: string;
}

/** A change of behaviour that many agents may show: what a shift of the fleet is about. */
export interface NoveltyCause {
  /** Stable: the same change has the same key for every agent. */
  key: string;
  /** What the agents began to do, for a person. */
  about: string;
}

/** A call whose risk rests on a change of behaviour: what of it that change explains. Plain data. */
export interface NovelCall {
  cause: string;
  /** Risk of the call, nats. */
  nats: number;
  /** Of it because of the tool, and because of words in its arguments that the user did not say, nats. */
  toolNats: number;
  argumentNats: number;
  /** Keyed hashes of those words, and how many there are. */
  words: number[];
  wordCount: number;
}

/** Something that a call acts on for the first time. */
export interface NewTarget {
  hash: number;
  /** For people; short, secrets replaced by intake. */
  value: string;
}

/** What is new about one call. */
export interface CallReading {
  /** The change of behaviour, where there is one. */
  cause: NoveltyCause | undefined;
  /** Present where nothing but the change of behaviour may be behind the call's risk. */
  novel: NovelCall | undefined;
  /** The call acts on something new that the user did not name, or on what an untrusted source said. */
  isFirm: boolean;
  target: NewTarget | undefined;
}

/** A surprise from here on counts as a change of behaviour, nats: the bar of the detectors that explain it. */
const NOVEL_NATS = 2.5;
/** A target from here on counts as new, nats; below it the agent meets new ones of that kind all the time. */
const NEW_TARGET_NATS = 1;
/** Evidence of an untrusted source from here on is evidence, nats. */
const SOURCE_NATS = 1;
/** Kinds that say what is said or looked for, not to whom it goes. */
const PLAIN_KINDS = new Set(['text', 'query', 'amount', 'date', 'number']);
const MAX_WORDS = 64;
const MAX_NAME = 80;

/**
 * What is new about a call that lies near its agent's threshold. A call on a new target, or on what an untrusted source
 * said, is never explained by what others do: only the rest may be.
 *
 * @param novelty asked for only where it is needed
 */
export function readCall(
  observation: CallObservation,
  { measures, terms }: Pick<Assessment, 'measures' | 'terms'>,
  { labels, novelty }: { labels: TermLabels; novelty: () => CallNovelty },
): CallReading {
  const cause = causeOf(observation.tool, measures);
  const { targets, words } = novelty();
  let newest: { index: number; nats: number } | undefined;
  for (const target of targets) {
    const kind = observation.targets[target.index]?.kind ?? '';
    if (target.nats < NEW_TARGET_NATS || PLAIN_KINDS.has(kind)) continue;
    if (newest === undefined || target.nats > newest.nats) newest = target;
  }
  const named = newest === undefined ? undefined : observation.targets[newest.index];
  const target = named === undefined ? undefined : { hash: named.hash, value: inertText(named.value) };
  // What handles identity or secrets is not a matter of habit: no number of peers makes it harmless.
  const isFirm = target !== undefined || natsOf(terms, labels.source) >= SOURCE_NATS || observation.effect === 'auth';
  if (cause === undefined || isFirm) return { cause, novel: undefined, isFirm, target };
  const novel: NovelCall = {
    cause: cause.key,
    nats: sumNats(terms),
    toolNats: Math.max(0, natsOf(terms, labels.tool)),
    argumentNats: Math.max(0, natsOf(terms, labels.argument)),
    words: words.slice(0, MAX_WORDS),
    wordCount: words.length,
  };
  return { cause, novel, isFirm, target };
}

/** One cause a call: a tool that is new or does not fit the request comes before the order of tools. */
function causeOf(tool: string, measures: Assessment['measures']): NoveltyCause | undefined {
  const name = inertText(tool, MAX_NAME);
  const isNewTool = (measures.get('newTool')?.nats ?? 0) > 0;
  if (isNewTool || (measures.get('requestTool')?.nats ?? 0) >= NOVEL_NATS) {
    return { key: `tool:${tool}`, about: `began to call ${name}` };
  }
  const step = measures.get('transition');
  if (step === undefined || step.nats < NOVEL_NATS) return undefined;
  // The explanation names the two tools, and is the same for every agent.
  return { key: `step:${step.observed}`, about: `changed the order of their calls: ${inertText(step.observed, 200)}` };
}

function natsOf(terms: readonly RiskTerm[], label: string): number {
  for (const term of terms) if (term.label === label) return term.nats;
  return 0;
}

function sumNats(terms: readonly RiskTerm[]): number {
  let sum = 0;
  for (const { nats } of terms) sum += nats;
  return sum;
}
