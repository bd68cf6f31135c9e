import { TokenBucket } from '../lib/token-bucket.js';
import type { Stream } from '../model/observation.js';
import type { Principal } from '../model/principal.js';
import type { ShedCount } from '../model/source-report.js';

/** How much an emitter may send. What is not given is not limited. */
export interface Quota {
  /** Of the key as a whole. */
  recordsPerSecond?: number | undefined;
  /** Of each agent that the key speaks for. */
  agentRecordsPerSecond?: number | undefined;
  /** Seconds' worth that may come at once. */
  burstSeconds: number;
}

/** What becomes of an observation: all of it is kept, all but its content, or nothing. */
export type Admission = 'keep' | 'without-payload' | 'shed';

/** Below this share of a bucket, content goes: it is the largest part, and scoring never reads it. */
const PAYLOAD_SHARE = 0.5;
/** Agents of one key that have a bucket; the records of more are counted against the key alone. */
const MAX_AGENTS = 4_096;
/** Share of a minute's records of a stream that are missing where it counts as blind, and the least number. */
const BLIND_SHARE = 0.5;
const BLIND_RECORDS = 10;
const BLIND_MS = 60_000;
/** In which the agents of a key are counted, each of which has a fair share. */
const FAIR_MS = 1_000;

/**
 * Token buckets per emitter and per agent. Under pressure content goes first, then reasoning and metrics of whoever takes
 * more than a fair share; what a gateway and a control plane say is evidence and is never shed, only counted.
 *
 * A key that is over its quota still lets each agent send an equal part of it, so that one loud agent does not silence the
 * others. Memory: per key, and per agent up to a cap.
 */
export class Quotas {
  readonly #quotaOf: (principalId: string) => Quota | undefined;
  readonly #keys = new Map<string, KeyState>();

  /** @param quotaOf the quota of a configured key; undefined where there is none */
  constructor(quotaOf: (principalId: string) => Quota | undefined) {
    this.#quotaOf = quotaOf;
  }

  /** Counts an observation and says what becomes of it. @param now processing time, epoch ms */
  admit(
    principal: Pick<Principal, 'id'>,
    { agentId, stream }: { agentId: string; stream: Stream },
    now: number,
  ): Admission {
    const key = this.#key(principal.id, now);
    if (key === undefined) return 'keep';
    key.turnTo(now);
    const agent = key.agent(agentId, now);
    const isOver = (agent !== undefined && agent.level(now) < 1) || (key.bucket.level(now) < 1 && !key.isFair(agentId));
    const isEvidence = stream === 'action' || stream === 'governance';
    const isTight = key.bucket.share(now) < PAYLOAD_SHARE || (agent !== undefined && agent.share(now) < PAYLOAD_SHARE);
    const admission: Admission = isOver && !isEvidence ? 'shed' : isTight ? 'without-payload' : 'keep';
    if (admission !== 'shed') {
      key.bucket.take(now);
      agent?.take(now);
      key.noteTaken(agentId);
    }
    key.tally(stream, admission, now);
    return admission;
  }

  /** Whether so much of the stream is missing in this minute that nothing should be concluded from its silence. */
  isBlind(principalId: string, stream: Stream): { shed: number; seen: number } | undefined {
    const recent = this.#keys.get(principalId)?.recent.get(stream);
    if (recent === undefined || recent.shed < BLIND_RECORDS) return undefined;
    return recent.shed >= BLIND_SHARE * recent.seen ? recent : undefined;
  }

  /** Only what lost something. */
  shed(): ShedCount[] {
    return [...this.#keys].flatMap(([principalId, { lost }]) =>
      [...lost].map(([stream, counts]) => ({ principalId, stream, ...counts })),
    );
  }

  notePayload(principalId: string, stream: Stream): void {
    const key = this.#keys.get(principalId);
    if (key !== undefined) key.lostOf(stream).payloads++;
  }

  #key(id: string, now: number): KeyState | undefined {
    const known = this.#keys.get(id);
    if (known !== undefined) return known;
    const quota = this.#quotaOf(id);
    if (quota === undefined) return undefined;
    const made = new KeyState(quota, now);
    this.#keys.set(id, made);
    return made;
  }
}

class KeyState {
  readonly bucket: TokenBucket;
  readonly lost = new Map<Stream, { observations: number; payloads: number }>();
  readonly recent = new Map<Stream, { seen: number; shed: number; since: number }>();
  readonly #quota: Quota;
  readonly #agents = new Map<string, TokenBucket>();
  /** Records by agent in this second, and how many agents there were in the one before. */
  #taken = new Map<string, number>();
  #takenSince: number;
  #agentsBefore = 0;

  constructor(quota: Quota, now: number) {
    this.#quota = quota;
    this.bucket = new TokenBucket(quota.recordsPerSecond, quota.burstSeconds, now);
    this.#takenSince = now;
  }

  agent(agentId: string, now: number): TokenBucket | undefined {
    const { agentRecordsPerSecond, burstSeconds } = this.#quota;
    if (agentRecordsPerSecond === undefined) return undefined;
    let bucket = this.#agents.get(agentId);
    if (bucket === undefined) {
      if (this.#agents.size >= MAX_AGENTS) return undefined;
      bucket = new TokenBucket(agentRecordsPerSecond, burstSeconds, now);
      this.#agents.set(agentId, bucket);
    }
    return bucket;
  }

  turnTo(now: number): void {
    if (now - this.#takenSince < FAIR_MS && now >= this.#takenSince) return;
    this.#agentsBefore = now - this.#takenSince < 2 * FAIR_MS ? this.#taken.size : 0;
    this.#taken = new Map();
    this.#takenSince = now;
    if (this.#agents.size >= MAX_AGENTS) this.#forgetFull(now);
  }

  /** Whether an agent has had less than an equal part of the key's quota in this second. */
  isFair(agentId: string): boolean {
    const taken = this.#taken.get(agentId) ?? 0;
    const agents = Math.max(this.#agentsBefore, this.#taken.size + (taken === 0 ? 1 : 0));
    const share = ((this.#quota.recordsPerSecond ?? 0) * FAIR_MS) / 1_000 / agents;
    return taken + 1 <= share;
  }

  noteTaken(agentId: string): void {
    const taken = this.#taken.get(agentId);
    if (taken !== undefined || this.#taken.size < MAX_AGENTS) this.#taken.set(agentId, (taken ?? 0) + 1);
  }

  tally(stream: Stream, admission: Admission, now: number): void {
    let recent = this.recent.get(stream);
    if (recent === undefined || now - recent.since >= BLIND_MS || now < recent.since) {
      recent = { seen: 0, shed: 0, since: now };
      this.recent.set(stream, recent);
    }
    recent.seen++;
    if (admission !== 'shed') return;
    recent.shed++;
    this.lostOf(stream).observations++;
  }

  lostOf(stream: Stream): { observations: number; payloads: number } {
    const counts = this.lost.get(stream) ?? { observations: 0, payloads: 0 };
    this.lost.set(stream, counts);
    return counts;
  }

  /** A bucket that is full says nothing that a new one would not. */
  #forgetFull(now: number): void {
    for (const [agentId, bucket] of this.#agents) if (bucket.share(now) >= 1) this.#agents.delete(agentId);
  }
}
