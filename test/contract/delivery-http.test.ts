import { setTimeout as sleep } from 'node:timers/promises';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { bodyChunks } from '../../src/gateway/body-chunks.js';
import { SseParser } from '../../src/gateway/sse-parser.js';
import type { GatewayMessage } from '../../src/model/gateway-message.js';
import { SIGNED_KINDS, typeOf } from '../../src/model/signed-message.js';
import { secretOf, startApi } from '../support/api-stack.js';
import { CuttingProxy } from '../support/cutting-proxy.js';
import { deliveryContract, type ConnectedGateway, type DeliveryWorld } from './delivery-contract.js';

/** What the client of one way remembers. */
interface Connection {
  received: GatewayMessage[];
  signsOfLife: number;
  place: string | undefined;
}

/** Follows the observer until the connection ends or breaks. */
type Follow = (url: string, key: string, connection: Connection, signal: AbortSignal) => Promise<void>;

/** What a signed message says; that it is signed rightly is signed-commands.test.ts's to show. */
function take(connection: Connection, jws: string): void {
  const { typ } = decodeProtectedHeader(jws);
  const kind = SIGNED_KINDS.find((known) => typeOf(known) === typ);
  if (kind === undefined) throw new Error(`no message of type ${typ ?? ''}`);
  if (kind === 'alive') {
    connection.signsOfLife++;
    return;
  }
  const { sequence, body } = decodeJwt(jws);
  // The contract compares it with what the board said.
  connection.received.push({ type: kind, sequence, data: body } as GatewayMessage);
}

const followStream: Follow = async (url, key, connection, signal) => {
  const headers = {
    authorization: `Bearer ${key}`,
    ...(connection.place === undefined ? {} : { 'last-event-id': connection.place }),
  };
  const response = await fetch(`${url}/v1/commands/stream`, { headers, signal });
  const parser = new SseParser(1_000_000, ({ data }) => take(connection, data));
  for await (const chunk of bodyChunks(response, signal)) {
    parser.push(chunk);
    if (parser.lastId !== '') connection.place = parser.lastId;
  }
};

const followPolls: Follow = async (url, key, connection, signal) => {
  for (;;) {
    const query = new URLSearchParams({ waitMs: '200' });
    if (connection.place !== undefined) query.set('after', connection.place);
    const response = await fetch(`${url}/v1/commands/poll?${query.toString()}`, {
      headers: { authorization: `Bearer ${key}` },
      signal,
    });
    // The route answers with this and nothing else.
    const { cursor, messages } = (await response.json()) as { cursor: string; messages: string[] };
    for (const jws of messages) take(connection, jws);
    connection.place = cursor;
  }
};

async function open(follow: Follow): Promise<DeliveryWorld> {
  const stack = await startApi();
  const places = new Map<ConnectedGateway, () => string | undefined>();
  return {
    board: stack.board,
    close: () => stack.close(),
    connect: async (id, from) => {
      const proxy = await new CuttingProxy(stack.url, 'to-client').start();
      const connection: Connection = { received: [], signsOfLife: 0, place: undefined };
      if (from !== undefined) connection.place = places.get(from)?.();
      const left = new AbortController();
      const run = async (): Promise<void> => {
        while (!left.signal.aborted) {
          await follow(proxy.url, secretOf(id), connection, left.signal).catch(() => {});
          await sleep(5);
        }
      };
      const running = run();
      let leaving: Promise<void> | undefined;
      const gateway: ConnectedGateway = {
        received: connection.received,
        signsOfLife: () => connection.signsOfLife,
        cutAfter: (bytes) => proxy.cutAfter(bytes),
        cuts: () => proxy.cuts,
        leave: () => {
          left.abort();
          leaving ??= running.then(() => proxy.stop());
          return leaving;
        },
      };
      places.set(gateway, () => connection.place);
      return gateway;
    },
  };
}

deliveryContract('server-sent events', () => open(followStream));
deliveryContract('long poll', () => open(followPolls));
