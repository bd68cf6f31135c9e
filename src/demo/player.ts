import type { WireObservation } from '../model/wire.js';
import type { CallResult, KeyName, ObserverClient, ServiceTools, Speaker } from '../sources/port.js';
import type { GatewayCall, Happening } from './rhythm.js';

/** A call that was made at the gateway, and what became of it. */
export interface PlayedCall {
  call: GatewayCall;
  result: CallResult;
  /** When the gateway had answered, epoch ms of the wall's clock. */
  answeredAt: number;
}

export interface PlayerOptions {
  observer: ObserverClient;
  gatewayUrl: string;
  keys: Readonly<Record<KeyName, string>>;
  callGateway: ServiceTools['callGateway'];
  fetch: typeof globalThis.fetch;
  now: () => number;
  signal: AbortSignal;
}

export interface PlayOptions {
  /** A session whose call is refused goes on with the next step, as an agent that does not give in; else it ends. */
  stubborn?: ReadonlySet<string>;
  /** Told of everything that is about to happen, in order. */
  onHappening?: (happening: Happening) => void;
  /** Told of every call when the gateway has answered. */
  onCall?: (played: PlayedCall) => void;
}

/** Plays what happens, live and in order of event time: reports go to the observer, calls go to the gateway. */
export class Player {
  readonly #options: PlayerOptions;
  readonly #pending = new Map<Speaker, WireObservation[]>();

  constructor(options: PlayerOptions) {
    this.#options = options;
  }

  /** @returns the calls that were made, in order @throws Error when the demo was stopped, or a record is refused */
  async play(happenings: readonly Happening[], options: PlayOptions = {}): Promise<PlayedCall[]> {
    const { signal, now } = this.#options;
    const { stubborn, onHappening, onCall } = options;
    const ended = new Set<string>();
    const calls: PlayedCall[] = [];
    for (const happening of happenings) {
      if (signal.aborted) throw new Error('the demo was stopped');
      const { sessionId, speaker } = happening;
      if (ended.has(sessionId) && !isEnding(happening)) continue;
      onHappening?.(happening);
      if (speaker !== 'gateway') {
        const held = this.#pending.get(speaker);
        if (held === undefined) this.#pending.set(speaker, [happening.observation]);
        else held.push(happening.observation);
        continue;
      }
      // An agent acts only after what it said is known: that is what its runtime waits for.
      await this.flush();
      const { gatewayUrl: url, keys, callGateway, fetch } = this.#options;
      const result = await callGateway({ url, key: keys.caller, fetch }, { ...happening.call });
      const played = { call: happening.call, result, answeredAt: now() };
      calls.push(played);
      onCall?.(played);
      if (!result.executed && stubborn?.has(sessionId) !== true) ended.add(sessionId);
    }
    await this.flush();
    return calls;
  }

  /** Sends what was said so far, and waits until the observer has it. */
  async flush(): Promise<void> {
    const { observer, keys } = this.#options;
    const pending = [...this.#pending];
    this.#pending.clear();
    await Promise.all(
      pending.map(async ([speaker, observations]) => {
        const [refused] = await observer.post(observations, keys[speaker]);
        if (refused !== undefined)
          throw new Error(`the observer refused ${speaker}: ${refused.field} ${refused.reason}`);
      }),
    );
  }
}

function isEnding(happening: Happening): boolean {
  if (happening.speaker === 'gateway') return false;
  return happening.observation.kind === 'session_end' || happening.observation.kind === 'session_summary';
}
