import { stableId } from '../lib/hash.js';
import type { Effect } from '../model/observation.js';
import type { WireObservation } from '../model/wire.js';
import type { Speaker } from '../sources/port.js';
import type { Random } from './random.js';
import type { PlannedCall, PlannedTurn, SessionPlan } from './session-plan.js';

/** One session of one agent at a time of its own. */
export interface Session {
  id: string;
  agentId: string;
  /** Event time, epoch ms. */
  startMs: number;
  plan: SessionPlan;
  /** Tools that the session is provisioned with. */
  tools: Readonly<Record<string, Effect>>;
  /** Centre of the model's thinking time, ms. */
  thinkMs: number;
}

/** A call as the agent makes it at the gateway. */
export interface GatewayCall {
  time: number;
  agentId: string;
  sessionId: string;
  callId: string;
  seq: number;
  tool: string;
  args: Record<string, unknown>;
}

/** What happens in a session: somebody reports something, or the agent makes a call. */
export type Happening =
  | { timeMs: number; sessionId: string; speaker: Exclude<Speaker, 'gateway'>; observation: WireObservation }
  | {
      timeMs: number;
      sessionId: string;
      speaker: 'gateway';
      call: GatewayCall;
      effect: Effect;
      planned: PlannedCall;
      tookMs: number;
    };

/** USD a token, input and output together. */
const TOKEN_USD = 6e-6;
const CHARS_PER_TOKEN = 4;
/** Tokens of instructions and tools that every step of the model reads. */
const CONTEXT_TOKENS = 1_200;

/** Gives a session its times: people type, the model thinks, tools take their while, machines measure. */
export function happeningsOf(session: Session, random: Random): Happening[] {
  return new Timeline(session, random).run();
}

class Timeline {
  readonly #session: Session;
  readonly #random: Random;
  readonly #out: Happening[] = [];
  #nowMs: number;
  #seq = 0;
  #tokens = 0;
  #costUsd = 0;
  #calls = 0;
  #errors = 0;
  #steps = 0;

  constructor(session: Session, random: Random) {
    this.#session = session;
    this.#random = random;
    this.#nowMs = session.startMs;
  }

  run(): Happening[] {
    const { plan, tools } = this.#session;
    this.#say('governance', { stream: 'governance', kind: 'session_start', tools: Object.keys(tools) });
    this.#pass(this.#random.around(900));
    for (const turn of plan.turns) this.#turn(turn);
    this.#pass(this.#random.around(400));
    const { startMs } = this.#session;
    this.#say('platform', {
      stream: 'metric',
      kind: 'session_summary',
      values: {
        durationMs: this.#nowMs - startMs,
        steps: this.#steps,
        calls: this.#calls,
        errors: this.#errors,
        tokens: this.#tokens,
        costUsd: rounded(this.#costUsd),
      },
    });
    this.#say('governance', { stream: 'governance', kind: 'session_end' });
    return this.#out;
  }

  #turn(turn: PlannedTurn): void {
    if ('ask' in turn) {
      if (this.#seq > 1) this.#pass(this.#random.around(20_000));
      this.#say('agent-runtime', { stream: 'reasoning', kind: 'prompt', text: turn.ask });
      return;
    }
    const { say, calls } = turn;
    const thoughtMs = Math.round(turn.thinkMs ?? this.#random.around(this.#session.thinkMs));
    this.#pass(thoughtMs);
    this.#steps++;
    const callIds = calls.map(() => `c${++this.#calls}`);
    const output = Math.ceil((say ?? '').length / CHARS_PER_TOKEN) + 30 * calls.length;
    const tokens = turn.tokens ?? Math.round(this.#random.around(CONTEXT_TOKENS, 0.15)) + 120 * this.#calls + output;
    if (say !== undefined) {
      const declared = calls.map(({ tool }, i) => ({ tool, callId: callIds[i] ?? '' }));
      this.#say('agent-runtime', { stream: 'reasoning', kind: 'message', text: say, tokens, model: 'sim-1', declared });
    }
    this.#measure(thoughtMs, tokens);
    calls.forEach((call, i) => this.#call(call, callIds[i] ?? ''));
  }

  #call(planned: PlannedCall, callId: string): void {
    const { id, agentId, tools } = this.#session;
    this.#pass(this.#random.around(120));
    const tookMs = Math.round(planned.tookMs ?? this.#random.around(700));
    if (planned.error !== undefined) this.#errors++;
    this.#out.push({
      timeMs: this.#nowMs,
      sessionId: id,
      speaker: 'gateway',
      call: {
        time: this.#nowMs,
        agentId,
        sessionId: id,
        callId,
        seq: this.#seq++,
        tool: planned.tool,
        args: planned.args,
      },
      effect: tools[planned.tool] ?? 'write',
      planned,
      tookMs,
    });
    // The result takes a number of its own.
    this.#seq++;
    this.#pass(tookMs);
    const { costUsd } = planned;
    if (costUsd === undefined) return;
    this.#costUsd += costUsd;
    this.#say('platform', { stream: 'metric', kind: 'sample', values: { latencyMs: tookMs, costUsd } });
  }

  /** What the platform measured of one step of the model. */
  #measure(latencyMs: number, tokens: number): void {
    const costUsd = tokens * TOKEN_USD;
    this.#tokens += tokens;
    this.#costUsd += costUsd;
    const values = { latencyMs, tokens, costUsd: rounded(costUsd) };
    this.#say('platform', { stream: 'metric', kind: 'sample', values });
  }

  #say(speaker: Exclude<Speaker, 'gateway'>, said: Said): void {
    const { id, agentId } = this.#session;
    const seq = this.#seq++;
    const base = { id: stableId('demo', id, seq), time: this.#nowMs, agentId, sessionId: id, seq };
    this.#out.push({ timeMs: this.#nowMs, sessionId: id, speaker, observation: { ...base, ...said } });
  }

  #pass(ms: number): void {
    this.#nowMs += Math.max(1, Math.round(ms));
  }
}

/** An observation without what every one of a session has. */
type WithoutBase<T> = T extends unknown ? Omit<T, 'id' | 'time' | 'agentId' | 'sessionId' | 'seq'> : never;
type Said = WithoutBase<WireObservation>;

function rounded(usd: number): number {
  return Math.round(usd * 1e5) / 1e5;
}

/** What the gateway would have put on record of a call made in the past. */
export function auditOf({
  call,
  effect,
  planned,
  tookMs,
}: Extract<Happening, { speaker: 'gateway' }>): WireObservation[] {
  const { result, error } = planned;
  const resultClass = result === undefined || result === '' ? 0 : result.length < 4_096 ? 1 : 2;
  const failed = error === undefined ? {} : { error };
  const { seq, time, agentId, sessionId, callId, tool } = call;
  const id = stableId('demo', sessionId, seq);
  const record: WireObservation = {
    ...call,
    ...failed,
    id,
    stream: 'action',
    kind: 'tool_call',
    effect,
    decision: 'allow',
    resultClass,
  };
  if (result === undefined) return [record];
  return [
    record,
    {
      id: stableId('demo', sessionId, seq, 'result'),
      time: time + tookMs,
      agentId,
      sessionId,
      callId,
      seq: seq + 1,
      stream: 'action',
      kind: 'tool_result',
      tool,
      text: result,
      resultClass,
      ...failed,
    },
  ];
}
