import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayMessage } from '../../src/model/gateway-message.js';
import type { FakeCommandBoard } from '../support/api-stack.js';
import { eventually } from '../support/eventually.js';
import { commandOf, restrictionOf } from '../support/gateway-messages.js';

/** A gateway that is connected by the way of delivery under test, with a memory of where it was. */
export interface ConnectedGateway {
  /** Everything that came, in order, duplicates included. */
  readonly received: GatewayMessage[];
  /** How often the observer showed that it is alive without having news. */
  signsOfLife(): number;
  /** Breaks the connection after so many bytes more have come. It comes back by itself, where it was. */
  cutAfter(bytes: number): void;
  cuts(): number;
  leave(): Promise<void>;
}

export interface DeliveryWorld {
  board: FakeCommandBoard;
  /** Connects a gateway; `gateway-a` is bound to agent-a. `from`: it was connected before, as this one. */
  connect(id: 'gateway' | 'gateway-a', from?: ConnectedGateway): Promise<ConnectedGateway>;
  close(): Promise<void>;
}

const seen = ({ received }: ConnectedGateway) => received.map(({ type, sequence }) => `${type} ${sequence}`);

/** What every way of delivery keeps to. */
export function deliveryContract(name: string, open: () => Promise<DeliveryWorld>): void {
  describe(`delivery by ${name}`, () => {
    let world: DeliveryWorld;
    const gateways: ConnectedGateway[] = [];

    beforeEach(async () => {
      world = await open();
    });
    afterEach(async () => {
      for (const gateway of gateways.splice(0)) await gateway.leave();
      await world.close();
    });
    const connect: DeliveryWorld['connect'] = async (...args) => {
      const gateway = await world.connect(...args);
      gateways.push(gateway);
      return gateway;
    };
    const restrict = (agentId: string, version: number, tenant = 'default') =>
      world.board.push({ type: 'restriction', value: restrictionOf(agentId, version, tenant) });
    const hasCome = (gateway: ConnectedGateway, count: number) =>
      eventually(`${count} messages`, () => gateway.received.length >= count);

    it('tells the full state first, then every change in order, to each gateway what concerns it', async () => {
      world.board.state = [
        restrictionOf('agent-a', 1),
        restrictionOf('agent-b', 1),
        restrictionOf('agent-a', 1, 'elsewhere'),
      ];
      world.board.sequence = 7;
      const all = await connect('gateway');
      const bound = await connect('gateway-a');
      await Promise.all([hasCome(all, 1), hasCome(bound, 1)]);
      expect(all.received[0]).toEqual({
        type: 'state',
        sequence: 7,
        data: { sequence: 7, restrictions: [restrictionOf('agent-a', 1), restrictionOf('agent-b', 1)] },
      });
      expect(bound.received[0]).toMatchObject({ data: { restrictions: [restrictionOf('agent-a', 1)] } });
      world.board.push({ type: 'command', value: commandOf() });
      world.board.push({ type: 'command', value: commandOf({ id: 'dry', dryRun: true, state: 'proposed' }) });
      world.board.push({ type: 'command', value: commandOf({ id: 'asked', state: 'proposed' }) });
      restrict('agent-b', 2);
      restrict('agent-a', 2, 'elsewhere');
      restrict('agent-a', 3);
      await Promise.all([hasCome(all, 4), hasCome(bound, 3)]);
      expect(seen(all)).toEqual(['state 7', 'command 8', 'restriction 11', 'restriction 13']);
      expect(all.received.slice(1).map(({ data }) => data)).toEqual([
        commandOf(),
        restrictionOf('agent-b', 2),
        restrictionOf('agent-a', 3),
      ]);
      expect(seen(bound)).toEqual(['state 7', 'command 8', 'restriction 13']);
    });

    it('continues where a gateway was, with what happened meanwhile and nothing twice', async () => {
      const before = await connect('gateway');
      await hasCome(before, 1);
      restrict('agent-a', 1);
      await hasCome(before, 2);
      await before.leave();
      restrict('agent-a', 2);
      restrict('agent-b', 1);
      const after = await connect('gateway', before);
      await hasCome(after, 2);
      restrict('agent-a', 3);
      await hasCome(after, 3);
      expect(seen(after)).toEqual(['restriction 2', 'restriction 3', 'restriction 4']);
    });

    it.each([
      ['lies before what is held', { sequence: 90, oldestSequence: 80 }],
      ['was never reached', { sequence: 0, oldestSequence: 0 }],
    ])('tells the full state to a gateway whose place %s', async (_name, places) => {
      const before = await connect('gateway');
      await hasCome(before, 1);
      restrict('agent-a', 1);
      await hasCome(before, 2);
      await before.leave();
      world.board.entries = [];
      world.board.state = [restrictionOf('agent-a', 9)];
      Object.assign(world.board, places);
      const after = await connect('gateway', before);
      await hasCome(after, 1);
      expect(after.received[0]).toEqual({
        type: 'state',
        sequence: places.sequence,
        data: { sequence: places.sequence, restrictions: [restrictionOf('agent-a', 9)] },
      });
    });

    it('shows that it is alive when there is no news, also while others have some all the time', async () => {
      const gateway = await connect('gateway-a');
      await hasCome(gateway, 1);
      await eventually('two signs of life', () => gateway.signsOfLife() >= 2);
      const before = gateway.signsOfLife();
      const busy = setInterval(() => restrict('agent-b', 1), 20);
      await eventually('two signs of life while others are busy', () => gateway.signsOfLife() >= before + 2).finally(
        () => clearInterval(busy),
      );
      expect(gateway.received.filter(({ type }) => type !== 'state')).toEqual([]);
    });

    it.each([1, 60, 400])('loses nothing when the connection breaks %i bytes into what comes next', async (bytes) => {
      const gateway = await connect('gateway');
      await hasCome(gateway, 1);
      gateway.cutAfter(bytes);
      for (let version = 1; version <= 5; version++) restrict('agent-a', version);
      await eventually('the connection was cut', () => gateway.cuts() === 1);
      restrict('agent-a', 6);
      await eventually('the last change', () => gateway.received.some(({ sequence }) => sequence === 6));
      // Whatever came twice is the same both times, so that acting on it twice is acting on it once.
      const bySequence = new Map<number, unknown>();
      for (const { type, sequence, data } of gateway.received) {
        if (type === 'state') continue;
        expect(bySequence.get(sequence) ?? data).toEqual(data);
        bySequence.set(sequence, data);
      }
      const state = gateway.received.findLastIndex(({ type }) => type === 'state');
      const first = gateway.received[state]?.sequence ?? 0;
      const changes = new Set(gateway.received.slice(state + 1).map(({ sequence }) => sequence));
      expect([...changes].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6].filter((sequence) => sequence > first));
    });

    it('tells everything to each of two gateways with the same name, also when a third one is gone', async () => {
      const gone = await connect('gateway-a');
      const both = [await connect('gateway'), await connect('gateway')];
      await Promise.all([gone, ...both].map((gateway) => hasCome(gateway, 1)));
      await gone.leave();
      for (let version = 1; version <= 60; version++) restrict('agent-a', version);
      await Promise.all(both.map((gateway) => hasCome(gateway, 61)));
      const changes = Array.from({ length: 60 }, (_, i) => `restriction ${i + 1}`);
      for (const gateway of both) expect(seen(gateway)).toEqual(['state 0', ...changes]);
    });
  });
}
