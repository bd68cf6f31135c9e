import { describe, expect, it } from 'vitest';
import { metaForServer, traceIdsOf } from '../../../../src/gateway/mcp/trace-context.js';

const TRACE = 'ab'.repeat(16);
const SPAN = 'cd'.repeat(8);

describe('trace context in _meta', () => {
  it('reads trace and span', () => {
    expect(traceIdsOf({ traceparent: `00-${TRACE}-${SPAN}-01` })).toEqual({ traceId: TRACE, spanId: SPAN });
    expect(traceIdsOf({ traceparent: `01-${TRACE}-${SPAN}-00-of-the-future` })).toEqual({
      traceId: TRACE,
      spanId: SPAN,
    });
  });

  it.each([
    ['none', undefined],
    ['no text', 7],
    ['upper case', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a span of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['the version that is forbidden', `ff-${TRACE}-${SPAN}-01`],
    ['something behind it', `00-${TRACE}-${SPAN}-01x`],
    ['too much', `00-${TRACE}-${SPAN}-01-${'x'.repeat(600)}`],
  ])('takes no ids from %s', (_, traceparent) => {
    expect(traceIdsOf({ traceparent })).toBeUndefined();
  });

  it('passes on everything but what belongs to this hop', () => {
    const meta = { progressToken: 3, traceparent: 'x', tracestate: 'y', baggage: 'z', 'example.com/own': { a: 1 } };
    expect(metaForServer(meta)).toEqual({
      traceparent: 'x',
      tracestate: 'y',
      baggage: 'z',
      'example.com/own': { a: 1 },
    });
    expect(metaForServer({ progressToken: 3 })).toBeUndefined();
  });
});
