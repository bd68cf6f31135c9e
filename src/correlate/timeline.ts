import type { TimelineEntry } from '../model/incident.js';
import type { Observation } from '../model/observation.js';

/** Longest text of one line, characters; what an agent wrote is shown only as names and sizes. */
const MAX_TEXT = 200;

/** One observation as a line of an incident's history. Carries names, never content. */
export function timelineEntry(observation: Observation): TimelineEntry {
  const text = describe(observation);
  return {
    time: observation.time,
    stream: observation.stream,
    text: text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text,
    refId: observation.id,
  };
}

function describe(observation: Observation): string {
  switch (observation.kind) {
    case 'prompt':
      return `the user asks (${observation.chars} characters)`;
    case 'message': {
      const tools = observation.declared.map((call) => call.tool);
      const announces = tools.length === 0 ? '' : `, announces ${tools.slice(0, 5).join(', ')}`;
      return `the model answers (${observation.chars} characters)${announces}`;
    }
    case 'tool_attempt':
      return `asks to ${verb(observation.effect)} with ${observation.tool}${targets(observation.targets)}`;
    case 'tool_call': {
      const outcome = observation.error === undefined ? '' : `, failed: ${observation.error}`;
      return `${observation.tool} (${observation.effect})${targets(observation.targets)}: ${observation.decision}${outcome}`;
    }
    case 'tool_result':
      return `${observation.tool} gives ${['nothing', 'a result', 'a large result'][observation.resultClass] ?? 'a result'}`;
    case 'sample':
    case 'session_summary':
      return Object.entries(observation.values)
        .slice(0, 6)
        .map(([name, value]) => `${name} ${value}`)
        .join(', ');
    default:
      return [observation.kind.replaceAll('_', ' '), observation.tool ?? '', observation.reason ?? '']
        .filter(Boolean)
        .join(' ');
  }
}

function verb(effect: string): string {
  return effect === 'unknown' ? 'act' : effect;
}

function targets(list: readonly { field: string; value: string; origin: string }[]): string {
  const [first] = list;
  if (first === undefined) return '';
  const more = list.length > 1 ? ` and ${list.length - 1} more` : '';
  return ` ${first.field}=${first.value} (from ${first.origin})${more}`;
}
