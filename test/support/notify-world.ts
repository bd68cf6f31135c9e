import { systemClock, type Clock } from '../../src/lib/clock.js';
import { EmbeddedEnvironment } from '../../src/log/embedded-environment.js';
import { EmbeddedScoringStore } from '../../src/log/embedded-scoring-store.js';
import type { Command } from '../../src/model/command.js';
import type { Incident } from '../../src/model/incident.js';
import { MailChannel, type MailOptions } from '../../src/notify/mail.js';
import { Notifier, type NotifierOptions } from '../../src/notify/notifier.js';
import { temporaryDirectory } from './temporary-directory.js';

/** A real outbox on disk, the views over it, and a notifier that sends to a local mail server. */
export class NotifyWorld {
  readonly #directory = temporaryDirectory();
  readonly #incidents = new Map<string, Incident>();
  readonly #commands = new Map<string, Command>();
  readonly notices: string[] = [];
  #environment: EmbeddedEnvironment;
  store: EmbeddedScoringStore;
  notifier: Notifier | undefined;

  constructor() {
    this.#environment = this.#open();
    this.store = new EmbeddedScoringStore(this.#environment);
  }

  #open(): EmbeddedEnvironment {
    return EmbeddedEnvironment.open({ directory: this.#directory.path, clock: systemClock, reserveBytes: 0 });
  }

  /** Starts a notifier; what happens before its first start is not told. */
  notify(port: number, change: Partial<NotifierOptions> & { mail?: Partial<MailOptions> } = {}): Notifier {
    const { mail, ...options } = change;
    const clock: Clock = options.clock ?? systemClock;
    const channel = new MailChannel({
      host: '127.0.0.1',
      port,
      secure: false,
      from: 'parallax@observer.example',
      to: ['ops@example.com', 'second@example.com'],
      clock,
      ...mail,
    });
    this.notifier = new Notifier({
      channel,
      store: this.store,
      incidents: { get: (_tenant, id) => this.#incidents.get(id) },
      commands: { get: (_tenant, id) => this.#commands.get(id) },
      clock,
      rules: { minSeverity: 'medium', settleMs: 30, updateEveryMs: 0 },
      maxPerHour: 100,
      retryMinMs: 20,
      retryMaxMs: 100,
      onNotice: (_level, message) => this.notices.push(message),
      ...options,
    });
    this.notifier.start();
    return this.notifier;
  }

  /** Lets scoring say something, as it does: views and outbox. */
  async happens(...changed: (Incident | Command)[]): Promise<void> {
    for (const value of changed) {
      if ('action' in value) this.#commands.set(value.id, value);
      else this.#incidents.set(value.id, value);
    }
    await this.store.commit({
      nextPosition: this.store.nextPosition + 1,
      puts: [],
      deletes: [],
      effects: changed.map((value) => ('action' in value ? { type: 'command', value } : { type: 'incident', value })),
    });
  }

  forget(incidentId: string): void {
    this.#incidents.delete(incidentId);
  }

  /** The process ends and the next one opens the same directory. */
  async restart(): Promise<void> {
    await this.notifier?.stop();
    this.store.close();
    await this.#environment.close();
    this.#environment = this.#open();
    this.store = new EmbeddedScoringStore(this.#environment);
  }

  async close(): Promise<void> {
    await this.notifier?.stop();
    this.store.close();
    await this.#environment.close();
    this.#directory.remove();
  }
}
