import { setTimeout as timer } from 'node:timers/promises';
import type { CommandBoard, IncidentBoard } from '../api/port.js';
import type { Clock } from '../lib/clock.js';
import type { ScoringStore } from '../log/port.js';
import type { OutboxEntry } from '../model/effect.js';
import {
  afterCommand,
  afterIncident,
  afterSending,
  byUrgency,
  newsOf,
  noticeOf,
  withoutMessage,
  type GroupingRules,
  type Thread,
} from './grouping.js';
import { RefusedError, type Channel, type ChannelStatus, type LeftOut, type Notice } from './port.js';
import { afterOne, afterSummary, leaveOut, mayGo, summaryDueAt } from './rate-limit.js';
import { ThreadBook } from './thread-book.js';

const READ_SLICE = 200;
/** Pause before new entries are read, so that a burst is read at once, ms. */
const LINGER_MS = 100;
/** Entries of no interest after which the cursor is written all the same. */
const CURSOR_STEP = 500;
const MAX_THREADS = 10_000;
/** Longest sleep, so that a clock that was set forward is noticed, ms. */
const MAX_SLEEP_MS = 30_000;
/** Tries of a message that the other side refuses, or whose incident is not there. */
const MAX_ATTEMPTS = 4;
const ATTEMPT_PAUSE_MS = 5_000;
/** Time for the message under way when the service stops, ms. */
const STOP_GRACE_MS = 5_000;

export interface NotifierOptions {
  channel: Channel;
  store: Pick<ScoringStore, 'get' | 'entries' | 'outbox' | 'outboxHead' | 'waitForOutbox' | 'cursor' | 'setCursor'>;
  incidents: Pick<IncidentBoard, 'get'>;
  commands: Pick<CommandBoard, 'get'>;
  clock: Clock;
  rules: GroupingRules;
  maxPerHour: number;
  /** First and longest pause while the channel fails, ms. */
  retryMinMs?: number;
  retryMaxMs?: number;
  onNotice: (level: 'info' | 'warn', message: string) => void;
}

/**
 * Follows the outbox and tells people about incidents through one channel, with a cursor of its own: it never holds
 * scoring up, and what it could not deliver it delivers later.
 *
 * At least once: a message is noted as sent after the other side took it. A crash in between sends it again with the
 * same key, from which receivers can tell that they have it.
 */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #cursorName: string;
  readonly #book: ThreadBook;
  readonly #stop = new AbortController();
  readonly #sending = new AbortController();
  #waiting: AbortController | undefined;
  #running: Promise<void> | undefined;
  /** Newest entry taken in; the durable cursor may be behind. */
  #absorbed: number;
  #cursor: number;
  #isBehind = false;
  #retryAt = 0;
  #retryMs: number;
  readonly #counts = { sent: 0, retries: 0, leftOut: 0, missed: 0 };
  #lastAnswer: string | undefined;
  #lastError: string | undefined;
  #failingSince: number | undefined;

  constructor(options: NotifierOptions) {
    const { channel, store } = options;
    this.#options = options;
    this.#cursorName = `notify-${channel.name}`;
    this.#book = new ThreadBook(channel.name, store, MAX_THREADS);
    // A channel that is turned on for the first time does not tell what happened before.
    this.#cursor = this.#book.isKnown ? store.cursor(this.#cursorName) : store.outboxHead;
    this.#absorbed = this.#cursor;
    this.#retryMs = this.#retryMinMs;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Looks at once whether there is something to send. */
  hurry(): void {
    this.#waiting?.abort();
  }

  /** Ends after the message under way, if that does not take long. What is not sent follows at the next start. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.hurry();
    const grace = setTimeout(() => this.#sending.abort(), STOP_GRACE_MS);
    await this.#running;
    clearTimeout(grace);
    await this.#options.channel.close();
  }

  /** Durable: outbox entries up to it are not needed here any more. */
  get cursor(): number {
    return this.#cursor;
  }

  status(): ChannelStatus {
    return {
      unread: Math.max(0, this.#options.store.outboxHead - this.#absorbed),
      waiting: this.#book.due.size,
      ...this.#counts,
      forgotten: this.#book.forgotten,
      ...(this.#lastAnswer === undefined ? {} : { lastAnswer: this.#lastAnswer }),
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      ...(this.#failingSince === undefined ? {} : { failingSince: this.#failingSince }),
    };
  }

  get #retryMinMs(): number {
    return this.#options.retryMinMs ?? 1_000;
  }

  async #run(): Promise<void> {
    if (!this.#book.isKnown) this.#book.ledger = { ...this.#book.ledger };
    while (!this.#stop.signal.aborted) {
      try {
        this.#absorb();
        await this.#save(false);
        await this.#sendDue();
        await this.#save(false);
        if (!this.#stop.signal.aborted) await this.#wait();
      } catch (error) {
        this.#failed(error);
        await sleep(this.#retryMinMs, this.#stop.signal);
      }
    }
    await this.#save(true).catch((error: unknown) => this.#failed(error));
  }

  /** Takes in what scoring let out. */
  #absorb(): void {
    const { store } = this.#options;
    const entries = store.outbox(this.#absorbed, READ_SLICE);
    const [first, last] = [entries[0], entries.at(-1)];
    if (first === undefined || last === undefined) return;
    this.#counts.missed += first.sequence - this.#absorbed - 1;
    for (const entry of entries) this.#take(entry);
    this.#absorbed = last.sequence;
    // The rest comes after the next turn: requests and commits go first.
    this.#isBehind = entries.length === READ_SLICE;
  }

  #take({ effect }: OutboxEntry): void {
    const { clock, rules } = this.#options;
    if (effect.type === 'incident') {
      const before = this.#book.get(effect.value.id);
      const after = afterIncident(before, effect.value, clock.now(), rules);
      if (after !== undefined && !isSame(before, after)) this.#book.set(after);
    } else if (effect.type === 'command' && effect.value.incidentId !== undefined) {
      const before = this.#book.get(effect.value.incidentId);
      if (before === undefined) return;
      const after = afterCommand(before, effect.value, clock.now(), rules);
      if (after !== before) this.#book.set(after);
    }
  }

  async #sendDue(): Promise<void> {
    const { clock } = this.#options;
    if (clock.now() < this.#retryAt) return;
    if ((summaryDueAt(this.#book.ledger) ?? Number.POSITIVE_INFINITY) <= clock.now()) {
      if (!(await this.#sendSummary())) return;
    }
    const due = [...this.#book.due.values()].filter(({ dueAt }) => dueAt !== undefined && dueAt <= clock.now());
    for (const thread of due.sort(byUrgency)) {
      if (this.#stop.signal.aborted || !(await this.#sendThread(thread))) return;
    }
  }

  /** @returns false when the channel fails and the others need not be tried */
  async #sendThread(thread: Thread): Promise<boolean> {
    const { incidents, commands, clock, rules, maxPerHour } = this.#options;
    const { tenant, incidentId } = thread;
    const incident = incidents.get(tenant, incidentId);
    if (incident === undefined) {
      if (!this.#postpone(thread)) this.#leaveOut(thread, 'gone');
      return true;
    }
    const ordered = incident.commandIds.flatMap((id) => commands.get(tenant, id) ?? []);
    const news = newsOf(thread, incident, ordered, rules);
    if (news === undefined) {
      this.#book.set(withoutMessage(thread));
      return true;
    }
    const notice = noticeOf(thread, news, incident, ordered);
    const now = clock.now();
    if (!mayGo(this.#book.ledger, now, maxPerHour)) {
      this.#leaveOut(afterSending(thread, notice, now), 'rate');
      return true;
    }
    const outcome = await this.#deliver(notice);
    if (outcome === 'failed') return false;
    if (outcome === 'sent') {
      this.#book.set(afterSending(thread, notice, now));
      this.#book.ledger = afterOne(this.#book.ledger, now);
      await this.#save(true);
    } else if (!this.#postpone(thread)) this.#leaveOut(afterSending(thread, notice, now), 'refused');
    return true;
  }

  async #sendSummary(): Promise<boolean> {
    const { leftOut } = this.#book.ledger;
    if (leftOut === undefined) return true;
    const notice: Notice = { kind: 'summary', key: `summary-${leftOut.since}-${leftOut.count}`, leftOut };
    const outcome = await this.#deliver(notice);
    if (outcome === 'failed') return false;
    // A refused summary is not tried again: its count stays in the status, and the next one has its own chance.
    this.#book.ledger = afterSummary(this.#book.ledger, this.#options.clock.now());
    await this.#save(true);
    return true;
  }

  async #deliver(notice: Notice): Promise<'sent' | 'refused' | 'failed'> {
    const { channel, clock, retryMaxMs = 5 * 60_000 } = this.#options;
    try {
      this.#lastAnswer = await channel.send(notice, this.#sending.signal);
    } catch (error) {
      this.#counts.retries++;
      this.#failed(error);
      if (error instanceof RefusedError) return 'refused';
      this.#retryAt = clock.now() + this.#retryMs;
      this.#retryMs = Math.min(2 * this.#retryMs, retryMaxMs);
      return 'failed';
    }
    if (this.#failingSince !== undefined) this.#options.onNotice('info', `${channel.name} is delivered again`);
    this.#counts.sent++;
    this.#lastError = undefined;
    this.#failingSince = undefined;
    this.#retryMs = this.#retryMinMs;
    return 'sent';
  }

  /** @returns false when it was postponed often enough */
  #postpone(thread: Thread): boolean {
    if (thread.attempts + 1 >= MAX_ATTEMPTS) return false;
    const dueAt = this.#options.clock.now() + ATTEMPT_PAUSE_MS * 2 ** thread.attempts;
    this.#book.set({ ...thread, attempts: thread.attempts + 1, dueAt });
    return true;
  }

  #leaveOut(thread: Thread, reason: keyof LeftOut['reasons']): void {
    const { incidentId, severity, subject } = thread;
    const line = { incidentId, severity, subject };
    this.#book.ledger = leaveOut(this.#book.ledger, line, reason, this.#options.clock.now());
    this.#counts.leftOut++;
    if (reason === 'gone') this.#book.delete(incidentId);
    else this.#book.set(thread);
  }

  /** @param always also where only the cursor has moved a little */
  async #save(always: boolean): Promise<void> {
    const isMoved = this.#absorbed - this.#cursor >= (always ? 1 : CURSOR_STEP);
    if (!isMoved && !this.#book.hasChanged) return;
    const absorbed = this.#absorbed;
    await this.#book.save((memory) => this.#options.store.setCursor(this.#cursorName, absorbed, memory));
    this.#cursor = absorbed;
  }

  async #wait(): Promise<void> {
    const { store } = this.#options;
    if (this.#isBehind) {
      this.#isBehind = false;
      await sleep(0, this.#stop.signal);
      return;
    }
    const waiting = new AbortController();
    this.#waiting = waiting;
    await Promise.race([store.waitForOutbox(this.#absorbed, waiting.signal), sleep(this.#idleMs(), waiting.signal)]);
    const isHurried = waiting.signal.aborted;
    waiting.abort();
    this.#waiting = undefined;
    if (!isHurried) await sleep(LINGER_MS, this.#stop.signal);
  }

  /** Time until something is to be sent, ms. */
  #idleMs(): number {
    let nextAt = summaryDueAt(this.#book.ledger) ?? Number.POSITIVE_INFINITY;
    for (const { dueAt } of this.#book.due.values()) nextAt = Math.min(nextAt, dueAt ?? nextAt);
    const wait = Math.max(nextAt, this.#retryAt) - this.#options.clock.now();
    return Math.max(0, Math.min(wait, MAX_SLEEP_MS));
  }

  #failed(error: unknown): void {
    const { channel, clock, onNotice } = this.#options;
    const message = error instanceof Error ? error.message : String(error);
    if (this.#lastError !== message) onNotice('warn', `${channel.name}: ${message}`);
    this.#lastError = message;
    this.#failingSince ??= clock.now();
  }
}

function isSame(a: Thread | undefined, b: Thread): boolean {
  return a !== undefined && a.severity === b.severity && a.dueAt === b.dueAt;
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await timer(ms, undefined, { signal }).catch(() => {});
}
