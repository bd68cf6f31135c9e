import type { Clock } from '../../lib/clock.js';
import { backoffMs, pause, type Backoff } from '../../lib/backoff.js';
import type { Command } from '../../model/command.js';
import type { GatewayMessage } from '../../model/gateway-message.js';
import type { Acknowledgement } from '../../model/log-record.js';
import { maySeeCommand, type CommandReaderRights } from '../../model/visible-command.js';
import type { Subscription, SubscriptionOptions } from '../port.js';
import { readConfirmations } from './acknowledgements.js';
import { CLOUD_EVENT_TYPE, cloudEvent, messageId, type EventData } from './cloud-event.js';
import { DestinationError, type PostAnswer } from './guarded-post.js';
import { webhookSignature, type WebhookKeys } from './webhook-signature.js';

/** So many changes that wait are not sent one by one: the full state says the same in one message. */
const MAX_CHANGES = 64;
/** Time for the request under way when the service stops, ms. */
const STOP_GRACE_MS = 2_000;

export interface WebhookOptions {
  id: string;
  /** Who the messages are for: the id that its confirmations bear. */
  gatewayId: string;
  rights: CommandReaderRights;
  /** Attribute `source` of the events. */
  source: string;
  keys: WebhookKeys;
  commands: {
    subscribe(options: SubscriptionOptions): Subscription;
    get(tenant: string, id: string): Command | undefined;
  };
  /** Where the gateway is; durable, so that a restart continues there. 0: nothing was delivered yet. */
  place: { read(): number; write(sequence: number): Promise<void> };
  /** Puts a message into the form in which this gateway reads it. Called for every try. */
  seal: (message: GatewayMessage) => Promise<EventData>;
  /** @throws where nothing was answered */
  post: (headers: Record<string, string>, body: string, signal: AbortSignal) => Promise<PostAnswer>;
  acknowledge: (ack: Acknowledgement) => Promise<void>;
  clock: Clock;
  backoff: Backoff;
  /** Without news for so long the full state is sent again: a sign of life, and a repair of whatever was lost, ms. */
  refreshMs: number;
  /** A change that could not be delivered for so long is given up for the full state, ms. */
  staleMs: number;
  onNotice: (level: 'info' | 'warn', message: string) => void;
}

/** What `/v1/status` shows of a webhook. */
export interface WebhookStatus {
  delivered: number;
  retries: number;
  /** Tries that were not made because of where they would have gone. */
  refusedDestinations: number;
  /** Confirmations in answers that were taken in, and answers whose confirmations were not understood. */
  acknowledged: number;
  unreadAnswers: number;
  /** Place of the last message that was delivered. */
  sequence: number;
  lastError?: string;
  /** Epoch ms. */
  failingSince?: number;
}

/**
 * Delivers to one gateway, in order, one message at a time, on its own: a gateway that is slow or away holds up no other
 * and costs one message of memory. Each message is sent until the gateway has answered 2xx, and keeps its id meanwhile;
 * after a longer silence the gateway gets the full state instead of what it missed.
 */
export class Webhook {
  readonly #options: WebhookOptions;
  readonly #stop = new AbortController();
  readonly #sending = new AbortController();
  readonly #subscription: Subscription;
  #running: Promise<void> | undefined;
  #failures = 0;
  /** Before the next try, ms. */
  #pauseMs = 0;
  #sequence: number;
  readonly #counts = { delivered: 0, retries: 0, refusedDestinations: 0, acknowledged: 0, unreadAnswers: 0 };
  #lastError: string | undefined;
  #failingSince: number | undefined;

  constructor(options: WebhookOptions) {
    this.#options = options;
    const { commands, rights, place } = options;
    this.#sequence = place.read();
    const after = this.#sequence === 0 ? undefined : this.#sequence;
    this.#subscription = commands.subscribe({ rights, after, signal: this.#stop.signal });
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends after the request under way, if that does not take long. What is not delivered follows at the next start. */
  async stop(): Promise<void> {
    this.#stop.abort();
    const grace = setTimeout(() => this.#sending.abort(), STOP_GRACE_MS);
    await this.#running;
    clearTimeout(grace);
  }

  status(): WebhookStatus {
    return {
      ...this.#counts,
      sequence: this.#sequence,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      ...(this.#failingSince === undefined ? {} : { failingSince: this.#failingSince }),
    };
  }

  async #run(): Promise<void> {
    let waiting: GatewayMessage[] = [];
    while (!this.#stop.signal.aborted) {
      if (waiting.length === 0) waiting = await this.#next();
      const [message, ...rest] = waiting;
      if (message === undefined) continue;
      if (await this.#deliver(message)) {
        waiting = rest;
        continue;
      }
      await pause(this.#pauseMs, this.#stop.signal);
      // A state grows old while it waits, and so does a change: what is true then is sent then.
      if (message.type === 'state' || this.#isStale) {
        this.#subscription.startOver();
        waiting = [];
      }
    }
  }

  /** The next messages; after a while without any, the full state. Empty at the end. */
  async #next(): Promise<GatewayMessage[]> {
    const messages = await this.#subscription.next(this.#options.refreshMs);
    const isMuch = messages.length > MAX_CHANGES;
    if (this.#stop.signal.aborted || (messages.length > 0 && !isMuch)) return messages;
    this.#subscription.startOver();
    return this.#subscription.next(0);
  }

  get #isStale(): boolean {
    const { clock, staleMs } = this.#options;
    return this.#failingSince !== undefined && clock.now() - this.#failingSince >= staleMs;
  }

  /** @returns whether the gateway has it */
  async #deliver(message: GatewayMessage): Promise<boolean> {
    const { place, onNotice, id, backoff } = this.#options;
    let retryAfterMs = 0;
    try {
      const answer = await this.#send(message);
      if (answer.status >= 200 && answer.status < 300) {
        await this.#confirm(answer.text);
        await place.write(message.sequence);
        this.#sequence = message.sequence;
        this.#counts.delivered++;
        this.#failures = 0;
        if (this.#failingSince !== undefined) onNotice('info', `webhook ${id}: delivers again`);
        this.#failingSince = undefined;
        this.#lastError = undefined;
        return true;
      }
      retryAfterMs = answer.retryAfterMs ?? 0;
      this.#failed(new Error(`the gateway answered ${answer.status}`));
    } catch (error) {
      this.#failed(error);
    }
    this.#pauseMs = Math.max(retryAfterMs, backoffMs(this.#failures++, backoff));
    return false;
  }

  async #send(message: GatewayMessage): Promise<PostAnswer> {
    const { clock, source, rights, keys, seal, post } = this.#options;
    const now = clock.now();
    const id = messageId(message, now);
    const content = await seal(message);
    const body = cloudEvent(message, { id, source, tenant: rights.tenant, now, content });
    const timestampS = Math.floor(now / 1_000);
    const headers = {
      'content-type': CLOUD_EVENT_TYPE,
      'webhook-id': id,
      'webhook-timestamp': String(timestampS),
      'webhook-signature': webhookSignature(keys, id, timestampS, body),
    };
    return post(headers, body, this.#sending.signal);
  }

  /** Takes in what the gateway confirms in its answer. Of what it confirmed before nothing is written again. */
  async #confirm(text: string): Promise<void> {
    const { commands, rights, gatewayId, acknowledge, clock } = this.#options;
    const confirmations = readConfirmations(text);
    if (confirmations === undefined) this.#counts.unreadAnswers++;
    for (const { commandId, ...said } of confirmations ?? []) {
      const command = commands.get(rights.tenant, commandId);
      if (command === undefined || !maySeeCommand(rights, command)) continue;
      const known = command.acknowledgements.find((ack) => ack.gatewayId === gatewayId);
      if (known?.effective === said.effective) continue;
      await acknowledge({ time: clock.now(), tenant: rights.tenant, commandId, gatewayId, ...said });
      this.#counts.acknowledged++;
    }
  }

  #failed(error: unknown): void {
    const { clock, onNotice, id } = this.#options;
    const message = error instanceof Error ? error.message : String(error);
    this.#counts.retries++;
    if (error instanceof DestinationError) this.#counts.refusedDestinations++;
    if (this.#lastError !== message) onNotice('warn', `webhook ${id}: ${message}`);
    this.#lastError = message;
    this.#failingSince ??= clock.now();
  }
}
