import type { WireObservation } from '../../src/model/wire.js';
import { ALL_SPEAKERS, type Said } from '../../test/support/session-traffic.js';
import type { Speaker } from '../../src/sources/recorded-session.js';

/*
 * Made-up traffic that looks like real traffic: agents of 20 classes, each with its tools, its usual targets and
 * its habits; sessions of twelve observations on four streams, about 600 bytes each. The same numbers always give the
 * same traffic.
 */

const CLASSES = 20;
const TOOLS_OF_AGENT = 12;
const TARGETS_OF_AGENT = 40;
/** Event time between two observations of one session, ms. */
const STEP_MS = 5_000;
/** Observations of one session. */
export const SESSION_EVENTS = 12;

const VERBS = ['list', 'read', 'search', 'get', 'find', 'send', 'create', 'update', 'delete', 'book', 'pay', 'share'];
const NOUNS = ['mail', 'file', 'invoice', 'event', 'ticket', 'order', 'contact', 'report', 'message', 'branch'];
const SYLLABLES = ['ba', 'co', 'de', 'fi', 'gu', 'ha', 'lo', 'me', 'ni', 'pro', 'ra', 'se', 'ti', 'ver', 'wa', 'zo'];
const VOCABULARY = 4_000;
/** Kinds of request that an agent gets. */
const REQUESTS_OF_AGENT = 30;

/** The nth word of the vocabulary. */
function word(n: number): string {
  let text = '';
  for (let rest = n + 16; rest > 0; rest = Math.floor(rest / 16)) text += SYLLABLES[rest % 16] ?? '';
  return text;
}

/** A small generator with a state of 32 bits (Mulberry32, public domain): the same seed, the same numbers. */
function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** The nth session of an agent. */
export function agentSession(agent: number, n: number, startMs: number): Said[] {
  const next = numbers(agent * 7_919 + n * 104_729 + 17);
  const agentId = `${NOUNS[agent % NOUNS.length] ?? ''}-agent-${agent}`;
  const sessionId = `session-${agent}-${n}`;
  const traceId = (agent * 65_537 + n).toString(16).padStart(32, '0');
  const said: Said[] = [];
  const base = () => ({
    id: `${sessionId}-${said.length}`,
    time: startMs + said.length * STEP_MS,
    agentId,
    sessionId,
    traceId,
    spanId: `${agent}-${n}-${said.length}`.padStart(16, '0'),
    seq: said.length,
  });
  const say = (speaker: Speaker, observation: WireObservation) => said.push({ speaker, observation });
  // Few words are frequent and many are rare, as in any language.
  const text = (count: number, from = next) =>
    Array.from({ length: count }, () => word(Math.floor(VOCABULARY * (from(10_000) / 10_000) ** 3))).join(' ');
  const toolOf = (i: number) => {
    const kind = (agent % CLASSES) * 5 + i;
    return `${VERBS[i % VERBS.length] ?? ''}_${NOUNS[kind % NOUNS.length] ?? ''}_${kind % 37}`;
  };
  const target = () => {
    const i = next(TARGETS_OF_AGENT);
    return `${word((agent + i) % VOCABULARY)}.${i}@partner-${(agent * 3 + i) % 500}.example.org`;
  };
  const call = (i: number) => {
    const [tool, callId, to] = [toolOf(i), `${sessionId}-c${said.length}`, target()];
    const effect = i % VERBS.length >= 5 ? 'write' : 'read';
    say('agent-runtime', {
      ...base(),
      stream: 'reasoning',
      kind: 'message',
      model: 'model-large-2',
      tokens: 300 + next(700),
      text: `I will use ${tool} for ${to}: ${text(32)}`,
      declared: [{ callId, tool }],
    });
    say('gateway', {
      ...base(),
      stream: 'action',
      kind: 'tool_call',
      callId,
      tool,
      effect,
      decision: 'allow',
      ruleId: `rule-${i}`,
      policyVersion: '2024-11-03.2',
      args: { to, subject: text(5), body: text(24), reference: `INV-${agent}-${next(40)}`, limit: next(50) },
      resultClass: 1,
    });
    const found = `- ${to}\n- ${target()}\nreference: INV-${agent}-${next(40)}\namount: ${next(9_000)}.50`;
    say('gateway', {
      ...base(),
      stream: 'action',
      kind: 'tool_result',
      callId,
      tool,
      text: `${found}\n${text(40)}`,
      resultClass: 1,
    });
  };
  const tools = Array.from({ length: TOOLS_OF_AGENT }, (_, i) => toolOf(i));
  say('governance', { ...base(), stream: 'governance', kind: 'session_start', policyVersion: '2024-11-03.2', tools });
  const request = text(50, numbers(agent * 31 + next(REQUESTS_OF_AGENT)));
  say('agent-runtime', { ...base(), stream: 'reasoning', kind: 'prompt', text: `${request} ${target()}` });
  const habit = next(4) * 3;
  for (let i = 0; i < 2; i++) call((habit + i + (next(10) === 0 ? 5 : 0)) % TOOLS_OF_AGENT);
  say('platform', { ...base(), stream: 'metric', kind: 'sample', values: sample(next) });
  call(next(TOOLS_OF_AGENT));
  // The last result is told by the summary.
  said.pop();
  say('platform', { ...base(), stream: 'metric', kind: 'session_summary', values: sample(next) });
  return said;
}

function sample(next: (below: number) => number): Record<string, number> {
  const names = [
    'tokens_in',
    'tokens_out',
    'cost_micro_usd',
    'latency_ms_p50',
    'latency_ms_p99',
    'cpu_ms',
    'bytes_out',
  ];
  return Object.fromEntries(names.map((name) => [name, next(100_000) / 8]));
}

/** One emitter's observations, as the body of one request. */
export interface Batch {
  speaker: Speaker;
  body: Buffer;
  events: number;
}

/** Requests that are under way together: one of each emitter that has something to say. */
export interface Group {
  batches: Batch[];
  events: number;
}

export interface TrafficOptions {
  /** Which part of the traffic: no two parts share a session. */
  part: number;
  agents: number;
  events: number;
  /** Observations of one group. */
  groupEvents: number;
  /** Event time between two observations of the whole traffic, ms. */
  stepMs: number;
  startMs: number;
}

/** A part of the traffic, in order of event time. Sessions overlap: at 5 ms a step about a thousand are open. */
export function traffic(options: TrafficOptions): Group[] {
  const { part, agents, events, groupEvents, stepMs, startMs } = options;
  const sessions = Math.ceil(events / SESSION_EVENTS);
  const said: Said[] = [];
  for (let i = 0; i < sessions; i++) {
    const n = part * sessions + i;
    // A prime step through the agents: neighbours in time are strangers.
    said.push(...agentSession((n * 617) % agents, Math.floor(n / agents), startMs + i * SESSION_EVENTS * stepMs));
  }
  said.sort((a, b) => Number(a.observation.time) - Number(b.observation.time));
  return groupsOf(said, groupEvents);
}

/** Event time that a part takes, ms. */
export function partSpanMs({ events, stepMs }: Pick<TrafficOptions, 'events' | 'stepMs'>): number {
  return events * stepMs + SESSION_EVENTS * STEP_MS;
}

export function groupsOf(said: readonly Said[], groupEvents: number): Group[] {
  const groups: Group[] = [];
  for (let at = 0; at < said.length; at += groupEvents) {
    const slice = said.slice(at, at + groupEvents);
    const batches: Batch[] = [];
    for (const speaker of ALL_SPEAKERS) {
      const own = slice.filter((one) => one.speaker === speaker);
      if (own.length === 0) continue;
      const body = Buffer.from(own.map(({ observation }) => JSON.stringify(observation)).join('\n'));
      batches.push({ speaker, body, events: own.length });
    }
    groups.push({ batches, events: slice.length });
  }
  return groups;
}
