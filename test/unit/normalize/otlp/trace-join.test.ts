import { describe, expect, it } from 'vitest';
import { TraceJoin, type Placement } from '../../../../src/normalize/otlp/trace-join.js';

function place(change: Partial<Placement> = {}): Placement {
  return {
    tenant: 'acme',
    traceId: 't1',
    spanId: 's1',
    parentSpanId: '',
    isSpan: true,
    mayLackSession: false,
    service: 'shop',
    resource: {},
    ...change,
  };
}

const AGENT = place({ spanId: 'agent', agentId: 'buyer', sessionId: 'conv-1' });
const CHAT = place({ spanId: 'chat', parentSpanId: 'agent' });
const TOOL = place({ spanId: 'tool', parentSpanId: 'chat', callId: 'call-1' });

describe('whose a record is', () => {
  it.each([
    ['parent first', [AGENT, CHAT, TOOL]],
    ['child first', [TOOL, CHAT, AGENT]],
    ['in between', [CHAT, AGENT, TOOL]],
  ])('comes from the nearest ancestor that says so, %s', (_order, places) => {
    const join = new TraceJoin();
    for (const one of places) join.note(one);
    expect(join.find(TOOL, false)).toEqual({ agentId: 'buyer', sessionId: 'conv-1', by: 'ancestor' });
    expect(join.find(AGENT, false)).toMatchObject({ agentId: 'buyer', by: 'itself' });
  });

  it('is waited for while nothing of the trace says it, and falls to the service at last', () => {
    const join = new TraceJoin();
    join.note(TOOL);
    expect(join.find(TOOL, false)).toBeUndefined();
    expect(join.find(TOOL, true)).toEqual({ agentId: 'shop', sessionId: 't1', by: 'service' });
    expect(join.find(place({ service: '' }), true)).toEqual({ agentId: 'shop', sessionId: 't1', by: 'service' });
  });

  it('is told apart where an agent calls another', () => {
    const join = new TraceJoin();
    const inner = place({ spanId: 'inner', parentSpanId: 'chat', agentId: 'clerk' });
    const call = place({ spanId: 'call', parentSpanId: 'inner' });
    for (const one of [AGENT, CHAT, inner, call]) join.note(one);
    expect(join.find(call, false)).toMatchObject({ agentId: 'clerk', parentAgentId: 'buyer', sessionId: 'conv-1' });
    expect(join.find(CHAT, false)).toEqual({ agentId: 'buyer', sessionId: 'conv-1', by: 'ancestor' });
  });

  it('comes from the resource, then the trace, then the call, then the conversation', () => {
    const join = new TraceJoin();
    for (const one of [AGENT, CHAT, TOOL]) join.note(one);
    join.find(TOOL, false);
    const stranger = { traceId: 't2', spanId: 'x', service: 'tools' };
    expect(join.find(place({ ...stranger, resource: { agentId: 'fixed' } }), false)?.by).toBe('resource');
    expect(join.find(place({ spanId: 'lost', parentSpanId: 'unknown' }), false)).toMatchObject({
      agentId: 'buyer',
      by: 'trace',
    });
    expect(join.find(place({ ...stranger, callId: 'call-1' }), false)).toMatchObject({ agentId: 'buyer', by: 'call' });
    const said = place({ ...stranger, traceId: '', sessionId: 'conv-1' });
    expect(join.find(said, false)).toEqual({ agentId: 'buyer', sessionId: 'conv-1', by: 'conversation' });
    expect(join.find(place({ ...stranger, callId: 'call-2' }), false)).toBeUndefined();
  });

  it('of a log record is that of the span it stands in', () => {
    const join = new TraceJoin();
    for (const one of [AGENT, CHAT]) join.note(one);
    const log = place({ spanId: 'chat', isSpan: false });
    join.note(log);
    expect(join.find(log, false)).toEqual({ agentId: 'buyer', sessionId: 'conv-1', by: 'ancestor' });
  });

  it('of another tenant says nothing about this one', () => {
    const join = new TraceJoin();
    for (const one of [AGENT, CHAT, TOOL]) join.note({ ...one, tenant: 'other' });
    expect(join.find(TOOL, false)).toBeUndefined();
  });

  it('is a service’s only agent without waiting, once it has been that often enough, and not after it was a second', () => {
    const join = new TraceJoin();
    const run = (n: number, agentId: string) => join.note(place({ traceId: `run-${n}`, spanId: `a${n}`, agentId }));
    const fresh = (n: number) => join.find(place({ traceId: `fresh-${n}` }), false)?.agentId;
    run(0, 'buyer');
    expect(fresh(0)).toBeUndefined();
    for (let n = 1; n < 20; n++) run(n, 'buyer');
    expect(fresh(1)).toBe('buyer');
    run(20, 'seller');
    expect(fresh(2)).toBeUndefined();
  });

  it('ends where ancestors form a ring, and stays bounded under traces without number', () => {
    const join = new TraceJoin();
    const ring = [place({ spanId: 'a', parentSpanId: 'b' }), place({ spanId: 'b', parentSpanId: 'a' })];
    for (const one of ring) join.note(one);
    expect(join.find(place({ spanId: 'a', parentSpanId: 'b' }), false)).toBeUndefined();
    for (let n = 0; n < 25_000; n++) join.note(place({ traceId: `flood-${n}`, spanId: `f${n}`, agentId: 'noise' }));
    expect(join.find(place({ traceId: 'flood-1', parentSpanId: 'gone', service: 'x' }), false)).toBeUndefined();
    expect(join.find(place({ traceId: 'flood-24999', parentSpanId: 'gone' }), false)?.by).toBe('trace');
  });
});
