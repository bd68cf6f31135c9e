import { DECISIONS, EFFECTS, GOVERNANCE_KINDS, STREAMS, TIERS } from '../model/observation.js';
import type { Observation } from '../model/observation.js';
import type { Window, WindowCounts } from '../model/window.js';
import { GOVERNANCE_VARIABLES } from './governance-variables.js';
import type { Assessment, FinishedSubject, Measure, MeasureNames, SessionFacts } from './port.js';

/** Kinds of observations that an event detector can listen to. */
export const OBSERVATION_KINDS = [
  'prompt',
  'message',
  'tool_attempt',
  'tool_call',
  'tool_result',
  ...GOVERNANCE_KINDS,
  'sample',
  'session_summary',
] as const satisfies readonly Observation['kind'][];

/** `list` is a list of texts. */
export type VariableType = 'text' | 'number' | 'flag' | 'list';
export type VariableValue = string | number | boolean | readonly string[];

/** One thing that conditions and reasons can read. A dotted name is a field of a group (`session.calls`). */
export interface Variable<S> {
  name: string;
  type: VariableType;
  /** For people: meaning and unit. */
  about: string;
  /** The only values a closed text can have; comparing it with another refuses to load. */
  values?: readonly string[];
  /** Never undefined: a fact that the observation does not carry reads as '', 0, false or []. */
  read: (subject: S) => VariableValue;
}

/** What a window condition is asked about. */
export interface WindowSubject {
  window: Window;
  measures: ReadonlyMap<string, Measure>;
}

const NO_TEXTS: readonly string[] = [];

/**
 * A field that only some observations have. The cast says nothing about the value, which is looked at before it is
 * used; asking with `in` and `Reflect.get` instead costs five times as much, here where every condition passes.
 */
function field(observation: Observation, key: string): unknown {
  return (observation as unknown as Readonly<Record<string, unknown>>)[key];
}

function text(name: string, about: string, values?: readonly string[]): Variable<Assessment> {
  return {
    name,
    type: 'text',
    about,
    ...(values === undefined ? {} : { values }),
    read: ({ observation }) => {
      const value = field(observation, name);
      return typeof value === 'string' ? value : '';
    },
  };
}

function number(name: string, about: string): Variable<Assessment> {
  return {
    name,
    type: 'number',
    about,
    read: ({ observation }) => {
      const value = field(observation, name);
      return typeof value === 'number' ? value : 0;
    },
  };
}

function ofTargets(name: string, about: string, key: 'field' | 'kind' | 'value' | 'origin'): Variable<Assessment> {
  return {
    name,
    type: 'list',
    about,
    read: ({ observation }) => ('targets' in observation ? observation.targets.map((target) => target[key]) : NO_TEXTS),
  };
}

function fact(key: keyof SessionFacts, type: 'number' | 'flag', about: string): Variable<Assessment> {
  return { name: `session.${key}`, type, about, read: ({ session }) => session[key] };
}

const EVENT_VARIABLES: readonly Variable<Assessment>[] = [
  text('stream', 'stream of the observation', STREAMS),
  text('kind', 'kind of the observation', OBSERVATION_KINDS),
  text('tenant', 'tenant'),
  text('agentId', 'agent'),
  text('parentAgentId', 'agent that started this one; "" when none'),
  text('sessionId', 'session; "" when none'),
  text('principalId', 'authenticated emitter (id of its API key)'),
  text('tool', 'tool of a call, result or governance event; "" otherwise'),
  text('operation', 'operation within the tool; "" when not given'),
  text('effect', 'what the call does to the world; "" when not a call', [...EFFECTS, '']),
  text('tier', 'tier in the reference library; "" when not known', [...TIERS, '']),
  text('decision', 'decision of the gateway, `none` for an attempt; "" when not a call', [...DECISIONS, '']),
  text('rawDecision', "the gateway's own word for the decision"),
  text('error', 'error class of a failed call or result; "" when it worked'),
  text('reason', 'reason given by the gateway or in governance'),
  text('ruleId', 'policy rule that decided'),
  text('policyVersion', 'policy version in force'),
  text('approvalId', 'approval behind the call or governance event'),
  text('approverId', 'person who approved'),
  text('posture', 'posture that a governance event sets'),
  text('model', 'model that spoke'),
  number('argBytes', 'size of the arguments, bytes'),
  number('chars', 'length of a prompt or message, characters'),
  number('tokens', 'length of a message, tokens; 0 when not reported'),
  number('resultClass', 'size of the result: 0 empty, 1 below 4 KiB, 2 more'),
  {
    name: 'declaredCount',
    type: 'number',
    about: 'calls that a message announces',
    read: ({ observation }) => (observation.kind === 'message' ? observation.declared.length : 0),
  },
  {
    name: 'targetCount',
    type: 'number',
    about: 'things the call acts on',
    read: ({ observation }) => ('targets' in observation ? observation.targets.length : 0),
  },
  ofTargets('targetFields', 'argument names of the targets', 'field'),
  ofTargets('targetKinds', 'kinds of the targets: email, url, iban, file, party, host ...', 'kind'),
  ofTargets('targetOrigins', 'where the targets were first seen, as the emitter knows: prompt, result ...', 'origin'),
  ofTargets('targetValues', 'the targets themselves, shortened, secrets replaced', 'value'),
  {
    name: 'tools',
    type: 'list',
    about: 'tools that a governance event grants or provisions',
    read: ({ observation }) => ('tools' in observation ? observation.tools : NO_TEXTS),
  },
  fact('calls', 'number', 'calls so far'),
  fact('writes', 'number', 'calls that change something so far'),
  fact('denied', 'number', 'calls denied so far'),
  fact('errors', 'number', 'calls failed so far'),
  fact('prompts', 'number', 'user turns so far'),
  fact('messages', 'number', 'model messages so far'),
  fact('ageMs', 'number', "event time since the session's first event, milliseconds"),
  fact('declared', 'flag', 'this call was announced by the model'),
  fact('reasoned', 'flag', 'any reasoning was seen in this session'),
  fact('exposed', 'flag', 'untrusted content was read since the user last spoke'),
  fact('controlled', 'flag', 'a control denied a call or withheld a result since the user last spoke'),
  fact('contained', 'flag', 'the call goes against a containment that a gateway has confirmed'),
  fact('sameCallRepeats', 'number', 'how often this very call (tool and arguments) is among the 16 calls before it'),
  fact(
    'retriesAfterError',
    'number',
    'calls that tried a tool again right after it failed or was denied, this one too',
  ),
  fact('deniedShare', 'number', 'share of the calls so far that were denied, 0 to 1'),
  fact('costUsd', 'number', 'cost so far as metrics say (`costUsd`), this one included, US dollars'),
  fact('tokens', 'number', 'tokens so far as messages or metrics say, whichever is more, this one included'),
  fact('callsSinceReasoning', 'number', 'calls so far since reasoning was last seen'),
  fact('lastReasoningAgeMs', 'number', 'event time since reasoning was last seen, milliseconds; 0 where it never was'),
  fact('distinctTools', 'number', 'different tools used so far'),
];

const COUNTS: readonly (readonly [keyof WindowCounts, string])[] = [
  ['prompts', 'user turns'],
  ['messages', 'model messages'],
  ['declared', 'calls announced'],
  ['calls', 'calls attempted'],
  ['writes', 'calls that change something'],
  ['denied', 'calls denied'],
  ['errors', 'calls failed'],
  ['governance', 'governance events'],
  ['metrics', 'metric samples'],
  ['tokens', 'tokens spoken by the model'],
  ['late', 'events that came after the watermark'],
];

const WINDOW_VARIABLES: readonly Variable<WindowSubject>[] = [
  { name: 'tenant', type: 'text', about: 'tenant', read: ({ window }) => window.tenant },
  { name: 'agentId', type: 'text', about: 'agent', read: ({ window }) => window.agentId },
  { name: 'sessionId', type: 'text', about: 'session; "" when none', read: ({ window }) => window.sessionId ?? '' },
  {
    name: 'durationMs',
    type: 'number',
    about: 'length of the window, milliseconds of event time',
    read: ({ window }) => window.end - window.start,
  },
  {
    name: 'revision',
    type: 'number',
    about: '0 for the first result of the window, one more for every correction by late events',
    read: ({ window }) => window.revision,
  },
  ...COUNTS.map(([key, about]): Variable<WindowSubject> => ({
    name: `window.${key}`,
    type: 'number',
    about: `${about} in the window`,
    read: ({ window }) => window.counts[key],
  })),
  ...STREAMS.flatMap((stream): Variable<WindowSubject>[] => [
    {
      name: `silent.${stream}`,
      type: 'flag',
      about: `nothing came on the ${stream} stream, although it was heard before or expected`,
      read: ({ window }) => window.streams[stream] === 'silent',
    },
    {
      name: `absent.${stream}`,
      type: 'flag',
      about: `nothing came on the ${stream} stream, and nothing was to be expected`,
      read: ({ window }) => window.streams[stream] === 'absent',
    },
    {
      name: `late.${stream}`,
      type: 'flag',
      about: `the ${stream} stream came after the watermark`,
      read: ({ window }) => window.streams[stream] === 'late',
    },
  ]),
  {
    name: 'declaredNotAttempted',
    type: 'number',
    about: "calls announced and not attempted by the window's end",
    read: ({ window }) => window.declaredNotAttempted.length,
  },
  {
    name: 'attemptedNotDeclared',
    type: 'number',
    about: 'calls attempted without having been announced',
    read: ({ window }) => window.attemptedNotDeclared.length,
  },
];

/** Numbers of a finished session. */
const SESSION_FEATURES: readonly (readonly [name: string, about: string])[] = [
  ['calls', 'calls'],
  ['tokens', 'tokens, as messages or metrics say, whichever is more'],
  ['costUsd', 'cost as metrics say, US dollars'],
  ['denied', 'calls denied'],
  ['retries', 'calls that tried a tool again right after it failed or was denied'],
  ['seconds', 'event time from its first to its latest event, seconds'],
  ['distinctTools', 'different tools used'],
  ['quietCalls', 'longest run of calls without reasoning in between'],
  ['newTargets', 'share of its targets that the agent had never dealt with, 0 to 1'],
  ['risk', 'risk of its oddest call, nats; never below 0'],
];

const SESSION_VARIABLES: readonly Variable<FinishedSubject>[] = [
  { name: 'tenant', type: 'text', about: 'tenant', read: ({ tenant }) => tenant },
  { name: 'agentId', type: 'text', about: 'agent', read: ({ agentId }) => agentId },
  { name: 'sessionId', type: 'text', about: 'session; "" when none', read: ({ sessionId }) => sessionId ?? '' },
  ...SESSION_FEATURES.map(([name, about]): Variable<FinishedSubject> => ({
    name: `session.${name}`,
    type: 'number',
    about,
    read: ({ features }) => features[name] ?? 0,
  })),
];

function ofMeasures<S extends { measures: ReadonlyMap<string, Measure> }>(names: MeasureNames): Variable<S>[] {
  return [...names].sort().flatMap((name): Variable<S>[] => [
    {
      name: `measure.${name}`,
      type: 'number',
      about: 'surprise under the baseline, nats; 0 when as expected or not measured here',
      read: ({ measures }) => measures.get(name)?.nats ?? 0,
    },
    {
      name: `samples.${name}`,
      type: 'number',
      about: 'samples behind the measure; 0 when not measured here',
      read: ({ measures }) => measures.get(name)?.sampleSize ?? 0,
    },
  ]);
}

function ofMetric(name: string): Variable<Assessment> {
  return {
    name: `metric.${name}`,
    type: 'number',
    about: 'a value of this metric observation, unit in its name; 0 when it has none of that name',
    read: ({ observation }) => {
      if (observation.stream !== 'metric' || !Object.hasOwn(observation.values, name)) return 0;
      return observation.values[name] ?? 0;
    },
  };
}

/** All that a condition of the event lane can read. */
export function eventVariables(measures: MeasureNames, metrics: Iterable<string>): Variable<Assessment>[] {
  return [
    ...EVENT_VARIABLES,
    ...GOVERNANCE_VARIABLES,
    ...ofMeasures<Assessment>(measures),
    ...[...metrics].sort().map(ofMetric),
  ];
}

/** All that a condition of the session lane can read. */
export function sessionVariables(measures: MeasureNames): Variable<FinishedSubject>[] {
  return [...SESSION_VARIABLES, ...ofMeasures<FinishedSubject>(measures)];
}

/** All that a condition of the window lane can read. */
export function windowVariables(measures: MeasureNames): Variable<WindowSubject>[] {
  return [...WINDOW_VARIABLES, ...ofMeasures<WindowSubject>(measures)];
}
