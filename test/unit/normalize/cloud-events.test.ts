import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cloudEventNormalizer, fromBinary, fromKafkaBinary } from '../../../src/normalize/cloud-events.js';
import { STREAMS } from '../../../src/model/observation.js';
import { meshEvent, publishedEvent } from '../../support/records/cloud-events.js';

const context = {
  principal: { id: 'k', role: 'ingest' as const, tenant: 't', streams: new Set(STREAMS), agents: ['*'] },
  observedAt: 1,
  seed: 7,
};
const seen = (record: unknown) => cloudEventNormalizer.normalize(record, context);

describe('the agent-governance-toolkit in CloudEvents', () => {
  it('takes the mesh’s agent from the source, and its time with an offset and a Z', () => {
    expect(seen(meshEvent())).toMatchObject([
      {
        observation: {
          kind: 'tool_call',
          agentId: 'did:mesh:travel-agent',
          sessionId: 'session-4',
          traceId: 'trace-4',
          tool: 'send_mail',
          decision: 'allow',
          ruleId: 'allow-mail',
          time: Date.parse('2026-11-29T12:00:00.250Z'),
        },
      },
    ]);
  });

  it.each([
    ['deny', 'deny'],
    ['warn', 'allow'],
    ['escalate', 'ask'],
    ['transform', 'transform'],
    ['Blocked', 'deny'],
  ])('reads the verdict %s as %s', (policy_decision, decision) => {
    expect(seen(meshEvent({ data: { action: 'x', policy_decision } }))).toMatchObject([
      { observation: { decision, rawDecision: policy_decision } },
    ]);
  });

  it('reads a blocked tool as denied whatever the entry’s outcome says', () => {
    const blocked = meshEvent({ type: 'ai.agentmesh.tool.blocked', data: { action: 'x', outcome: 'success' } });
    expect(seen(blocked)).toMatchObject([{ observation: { decision: 'deny' } }]);
  });

  it('reads the names of the published schema too', () => {
    expect(seen(publishedEvent())).toMatchObject([
      {
        observation: {
          stream: 'governance',
          kind: 'policy_deny',
          agentId: 'agent-abc123',
          tool: 'shell:execute',
          reason: 'Command matches destructive pattern',
        },
      },
    ]);
  });

  it('reads trust as a metric, registrations as changes, and nothing in audits of the audit', () => {
    const of = (type: string, data: object) => seen(meshEvent({ type, data }));
    expect(of('ai.agentmesh.trust.score.updated', { new_score: 835 })).toMatchObject([
      { observation: { kind: 'sample', values: { trustScore: 835 } } },
    ]);
    expect(of('ai.agentmesh.agent.registered', {})).toMatchObject([{ observation: { kind: 'capability_change' } }]);
    expect(of('ai.agentmesh.audit.integrity.verified', {})).toEqual([]);
  });
});

describe('the binary form', () => {
  it('decodes percent signs and quotes, and keeps to names that attributes may have', () => {
    const headers: [string, string][] = [
      ['ce-id', 'a%20b'],
      ['ce-source', '"say \\"hi\\""'],
      ['ce-type', '100%'],
      ['ce-data', 'no'],
      ['ce-Bad_Name', 'no'],
      ['content-type', 'application/json'],
    ];
    expect(fromBinary(headers, { a: 1 })).toEqual({ data: { a: 1 }, id: 'a b', source: 'say "hi"', type: '100%' });
  });

  it('never throws, whatever the headers hold', () => {
    const header = fc.tuple(
      fc.string().map((name) => `ce-${name}`),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(header), fc.jsonValue(), (headers, data) => {
        expect(fromBinary(headers, data)['data']).toEqual(data);
      }),
    );
  });
});

it('takes attributes from Kafka headers as they are, and no others', () => {
  const text = (value: string) => new TextEncoder().encode(value);
  const headers: [string, Uint8Array][] = [
    ['ce_id', text('a%20b')],
    ['ce_source', text('"gruß"')],
    ['ce_data', text('no')],
    ['ce___proto__', text('no')],
    ['ce-type', text('no')],
    ['ce_long', new Uint8Array(5_000)],
    ['__proto__', text('no')],
  ];
  expect(fromKafkaBinary(headers, { a: 1 })).toEqual({ data: { a: 1 }, id: 'a%20b', source: '"gruß"' });
});
