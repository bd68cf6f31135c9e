import type { MetricObservation } from '../model/observation.js';

/** Latest distinct calls that a repetition is looked for in. */
const REMEMBERED_CALLS = 16;

/** Plain form: the numbers in the order of `NUMBERS`, then the remembered calls. */
export type PlainActivity = number[];

const NUMBERS = [
  'retries',
  'quietCalls',
  'longestQuiet',
  'reasonedAt',
  'costUsd',
  'messageTokens',
  'meteredTokens',
  'failedTool',
  'peakNats',
] as const;

/** How a session goes about its work: repetition, retries, spend, silence. Built observation by observation. */
export class SessionActivity implements Record<(typeof NUMBERS)[number], number> {
  /** Calls that tried a tool again right after it had failed or been denied. */
  retries = 0;
  /** Calls since reasoning was last seen, and the longest such run. */
  quietCalls = 0;
  longestQuiet = 0;
  /** Event time at which reasoning was last seen, epoch ms; -1 before it. */
  reasonedAt = -1;
  costUsd = 0;
  /** As messages say, and as metrics say. */
  messageTokens = 0;
  meteredTokens = 0;
  /** Tool of the latest call where that failed; 0 where it did not. */
  failedTool = 0;
  /** Highest risk of a call, nats; never below 0. */
  peakNats = 0;
  /** Fingerprints of the latest calls, oldest first. */
  readonly #calls: number[];

  constructor(plain: PlainActivity = []) {
    this.#calls = plain.slice(NUMBERS.length);
    for (const [i, name] of NUMBERS.entries()) this[name] = plain[i] ?? this[name];
  }

  /** Tokens of the session: what messages and metrics say is the same spend, so the larger counts. */
  get tokens(): number {
    return Math.max(this.messageTokens, this.meteredTokens);
  }

  /** How often this very call (tool and arguments) is among the latest calls. */
  sameCalls(fingerprint: number): number {
    let same = 0;
    for (const call of this.#calls) if (call === fingerprint) same++;
    return same;
  }

  isRetry(tool: number): boolean {
    return tool !== 0 && tool === this.failedTool;
  }

  reasoning(time: number, tokens = 0): void {
    this.reasonedAt = Math.max(this.reasonedAt, time);
    this.quietCalls = 0;
    this.messageTokens += tokens;
  }

  /** A call, the first time it is seen. */
  call(tool: number, fingerprint: number): void {
    if (this.isRetry(tool)) this.retries++;
    this.failedTool = 0;
    this.quietCalls++;
    this.longestQuiet = Math.max(this.longestQuiet, this.quietCalls);
    this.#calls.push(fingerprint);
    if (this.#calls.length > REMEMBERED_CALLS) this.#calls.shift();
  }

  /** What came of a call, as far as known: its audit record or its result. */
  outcome(tool: number, failed: boolean): void {
    if (failed) this.failedTool = tool;
    else if (this.failedTool === tool) this.failedTool = 0;
  }

  /** @param nats raw risk of a call */
  risk(nats: number): void {
    this.peakNats = Math.max(this.peakNats, nats);
  }

  metric(observation: MetricObservation): void {
    this.costUsd = costAfter(this, observation);
    this.meteredTokens = tokensAfter(this, observation);
  }

  toPlain(): PlainActivity {
    return [...NUMBERS.map((name) => this[name]), ...this.#calls];
  }
}

/** Cost with this metric in it, US dollars: a sample adds to it, a session's summary states the total. */
export function costAfter({ costUsd }: { costUsd: number }, metric: MetricObservation): number {
  return spent(costUsd, metric, valueOf(metric, 'costUsd'));
}

/** The same for `tokens`, or for `inputTokens` and `outputTokens` together. */
export function tokensAfter({ meteredTokens }: { meteredTokens: number }, metric: MetricObservation): number {
  const all = valueOf(metric, 'tokens');
  return spent(meteredTokens, metric, all > 0 ? all : valueOf(metric, 'inputTokens') + valueOf(metric, 'outputTokens'));
}

function spent(before: number, { kind }: MetricObservation, value: number): number {
  return kind === 'session_summary' ? Math.max(before, value) : before + value;
}

/** Nothing is ever given back: a negative or endless value is no spend. */
function valueOf({ values }: MetricObservation, name: string): number {
  const value = Object.hasOwn(values, name) ? (values[name] ?? 0) : 0;
  return Number.isFinite(value) && value > 0 ? value : 0;
}
