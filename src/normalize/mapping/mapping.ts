import { argumentsOf, shown } from '../genai/attribute-reader.js';
import type { Normalizer, Refused } from '../port.js';
import { refuse } from '../refusal.js';
import { normalizerOf, type Draft } from '../translate.js';
import { wireFields } from '../../model/wire.js';
import { recordForCel, type Expression } from './expression.js';
import { topOf, type MappedObservation, type MappingDefinition } from './mapping-schema.js';

/** A mapping at work, and what it did since it was read. */
export interface Mapping {
  readonly name: string;
  readonly normalizer: Normalizer;
  readonly counters: { records: number; unmatched: number };
}

/** Name of the wire format that a mapping makes, for the intake. */
export function mappedFormat(name: string): string {
  return `map/${name}`;
}

/**
 * A mapping that can be used. A field that the record has no value for is left out, unless the native format requires it:
 * then the record is refused, with the field named. So is one for which an expression cannot be worked out.
 */
export function mappingOf(name: string, definition: MappingDefinition): Mapping {
  const counters = { records: 0, unmatched: 0 };
  const makers = definition.observations.map((observation, at) => makerOf(observation, at));
  const normalizer = normalizerOf({
    format: mappedFormat(name),
    translate: (raw) => {
      counters.records++;
      const record = recordForCel(raw);
      if (record === undefined) return [refuse('', 'is nested too deep, or nothing; send a JSON object')];
      const isMatch = holds(definition.match, record, 'match');
      if (typeof isMatch !== 'boolean') return [isMatch];
      const drafts = isMatch ? makers.map((make) => make(record)).filter((draft) => draft !== undefined) : [];
      if (drafts.length === 0) counters.unmatched++;
      return drafts;
    },
  });
  return { name, normalizer, counters };
}

type Maker = (record: unknown) => Draft | Refused | undefined;

function makerOf(observation: MappedObservation, at: number): Maker {
  const { when, stream, kind, constants } = observation;
  const known = wireFields(stream, kind);
  const fields = Object.entries(observation.fields).map(([name, expression]) => {
    const top = topOf(name);
    return { name, top, expression, isRequired: name === top && known?.get(top)?.isRequired === true };
  });
  return (record) => {
    const isWanted = holds(when, record, 'when');
    if (isWanted === false) return undefined;
    if (isWanted !== true) return isWanted;
    const draft: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(constants)) put(draft, name, topOf(name), value);
    for (const { name, top, expression, isRequired } of fields) {
      const outcome = expression.evaluate(record);
      if (outcome.is === 'value') put(draft, name, top, read(top, outcome.value));
      else if (outcome.is === 'error' || isRequired) {
        return refuse(name, `the mapping finds no value: ${outcome.what} (\`${expression.source}\`)`);
      }
    }
    // Two observations of one record must not pass for the same.
    const { id } = draft;
    return { ...draft, ...(at > 0 && typeof id === 'string' ? { id: `${id}/${at}` } : {}), stream, kind };
  };
}

function put(draft: Record<string, unknown>, name: string, top: string, value: unknown): void {
  if (name === top) {
    draft[name] = value;
    return;
  }
  const before = draft[top];
  const part = name.slice(top.length + 1);
  draft[top] = { ...(typeof before === 'object' && before !== null ? before : {}), [part]: value };
}

/** What emitters write, as the native format has it. What cannot be read is left as it is: the format's own check names it. */
function read(field: string, value: unknown): unknown {
  switch (field) {
    case 'time':
    case 'expiresAt':
      return timeOf(value);
    case 'decision':
      return value === true ? 'allow' : value === false ? 'deny' : value;
    case 'args':
      return argumentsOf(value);
    case 'text':
    case 'reason':
      return shown(value);
    default:
      return typeof value === 'number' && NAMES.has(field) ? String(value) : value;
  }
}

/** Names that some emitters have numbers for. */
const NAMES = new Set('id agentId parentAgentId sessionId traceId spanId callId approvalId error'.split(' '));
const MAX_TIME_CHARS = 64;

/** Epoch ms, from a number of them or a text with a time zone. */
function timeOf(value: unknown): unknown {
  if (typeof value === 'number') return Math.round(value);
  if (typeof value !== 'string' || value.length > MAX_TIME_CHARS || !/(?:Z|[+-]\d\d:?\d\d)$/i.test(value)) return value;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? value : ms;
}

function holds(expression: Expression | undefined, record: unknown, field: string): boolean | Refused {
  if (expression === undefined) return true;
  const outcome = expression.evaluate(record);
  if (outcome.is === 'missing') return false;
  if (outcome.is === 'error') return refuse(field, `cannot be worked out: ${outcome.what} (\`${expression.source}\`)`);
  if (typeof outcome.value === 'boolean') return outcome.value;
  return refuse(field, `gives something else than true or false; compare it with something (\`${expression.source}\`)`);
}
