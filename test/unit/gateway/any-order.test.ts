import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Acknowledger } from '../../../src/gateway/acknowledger.js';
import { CommandIntake } from '../../../src/gateway/command-intake.js';
import { PinnedKeys } from '../../../src/gateway/key-source.js';
import { MessageVerifier } from '../../../src/gateway/message-verifier.js';
import { RestrictionCache } from '../../../src/gateway/restriction-cache.js';
import { SilenceWatch } from '../../../src/gateway/silence-watch.js';
import { systemClock } from '../../../src/lib/clock.js';
import type { Restriction } from '../../../src/model/command.js';
import type { SignedKind } from '../../../src/model/signed-message.js';
import { publishedKeys, signMessage, TEST_GATEWAY, TEST_KEY } from '../../support/message-signing.js';
import { revokeCommand, revoked } from './kit.js';

const AGENTS = ['a', 'b', 'c'];
const SESSIONS = ['s1', 's2', 's3'];

/** One message of an observer, and what is true after it. */
interface Sent {
  kind: SignedKind;
  jws: string;
}

/** What a person or the policy changed: the sessions of one agent that are revoked from here on. */
interface Change {
  agent: number;
  sessions: number;
  /** The full state of all agents is sent as well, as to a gateway that reconnects. */
  state: boolean;
}

const changes = fc.array(
  fc.record({ agent: fc.integer({ min: 0, max: 2 }), sessions: fc.integer({ min: 0, max: 7 }), state: fc.boolean() }),
  { minLength: 1, maxLength: 12 },
);

/** Plays a history as an observer does: the command and then the agent's restrictions, at rising places. */
function play(history: readonly Change[], { epoch, from }: { epoch: number; from: number }) {
  const truth = new Map<string, string[]>(AGENTS.map((agentId) => [agentId, []]));
  const sent: Sent[] = [];
  let sequence = from;
  let counter = 0;
  const send = (kind: SignedKind, body: unknown) => {
    sent.push({ kind, jws: signMessage(kind, body, sequence, { claims: { epoch, counter: ++counter } }) });
  };
  const state = () => {
    const restricted = [...truth].filter(([, sessions]) => sessions.length > 0);
    return { restrictions: restricted.map(([agentId, sessions]) => full(agentId, sessions)) };
  };
  send('state', state());
  for (const { agent, sessions, state: alsoState } of history) {
    const agentId = AGENTS[agent] ?? 'a';
    const before = truth.get(agentId) ?? [];
    const after = SESSIONS.filter((_, i) => (sessions & (1 << i)) !== 0);
    for (const sessionId of after.filter((s) => !before.includes(s))) {
      sequence++;
      send('command', { ...revokeCommand(sessionId), id: `cmd-${agentId}-${sessionId}`, agentId });
    }
    truth.set(agentId, after);
    sequence++;
    send('restriction', full(agentId, after));
    if (alsoState) send('state', state());
  }
  return { sent, truth, sequence };
}

function full(agentId: string, sessions: readonly string[]): Restriction {
  const restriction = { ...revoked(1, ...sessions), agentId };
  for (const entry of restriction.revokedSessions) entry.commandId = `cmd-${agentId}-${entry.sessionId}`;
  return restriction;
}

function newIntake() {
  const cache = new RestrictionCache({ capacity: 100, clock: systemClock });
  const report = () => {};
  const fetch = () => Promise.reject(new Error('nobody is asked'));
  const address = { url: '', key: '', fetch };
  const backoff = { baseMs: 60_000, maxMs: 60_000, random: () => 0 };
  const acknowledger = new Acknowledger({ address, backoff, capacity: 100, requestMs: 10, report });
  const keys = new PinnedKeys(publishedKeys(TEST_KEY));
  const intake = new CommandIntake({
    verifier: new MessageVerifier({
      keys,
      issuer: 'parallax',
      audience: TEST_GATEWAY,
      skewMs: 60_000,
      clock: systemClock,
    }),
    cache,
    acknowledger,
    watch: new SilenceWatch({ silentAfterMs: 60_000, elapsedMs: () => 0, report }),
    issuer: 'parallax',
    gatewayId: TEST_GATEWAY,
    file: undefined,
    onState: () => {},
    report,
  });
  const take = async ({ kind, jws }: Sent): Promise<void> => {
    // What is refused drops the connection; here the next message just comes.
    await intake.apply({ event: kind, data: jws, id: '' }).catch(() => {});
  };
  const held = () =>
    new Map(
      AGENTS.map((agentId) => {
        const find = (sessionId: string) => cache.find({ agentId, sessionId, tool: 'x', effect: 'read' });
        return [agentId, SESSIONS.filter((sessionId) => find(sessionId) !== undefined)];
      }),
    );
  return { intake, take, held, close: () => acknowledger.close() };
}

describe('what is in force', () => {
  it('after any order, duplication and replay of messages is what the newest say', async () => {
    await fc.assert(
      fc.asyncProperty(changes, fc.infiniteStream(fc.nat()), async (history, random) => {
        const { sent, truth } = play(history, { epoch: 1, from: 10 });
        const next = () => random.next().value ?? 0;
        const deliveries = [...sent, ...sent.filter(() => next() % 2 === 0)]
          .map((message) => ({ message, at: next() }))
          .sort((x, y) => x.at - y.at);
        const gateway = newIntake();
        // A connection begins with the full state.
        await gateway.take(sent[0] ?? { kind: 'state', jws: '' });
        for (const { message } of deliveries) await gateway.take(message);
        expect(gateway.held()).toEqual(truth);
        expect(gateway.intake.refusals().replayed).toBe(deliveries.length + 1 - sent.length);
        await gateway.close();
      }),
      { numRuns: 60 },
    );
  }, 120_000);

  it('is what the newest start of the observer says, whatever an earlier one still sends', async () => {
    await fc.assert(
      fc.asyncProperty(changes, changes, fc.infiniteStream(fc.nat()), async (before, after, random) => {
        const first = play(before, { epoch: 1, from: 10 });
        const second = play(after, { epoch: 2, from: first.sequence });
        const next = () => random.next().value ?? 0;
        const gateway = newIntake();
        for (const message of first.sent) await gateway.take(message);
        for (const message of second.sent) {
          await gateway.take(message);
          const old = first.sent[next() % first.sent.length];
          if (old !== undefined) await gateway.take(old);
        }
        expect(gateway.held()).toEqual(second.truth);
        expect(gateway.intake.refusals()['older-epoch']).toBe(second.sent.length);
        await gateway.close();
      }),
      { numRuns: 40 },
    );
  }, 120_000);
});
