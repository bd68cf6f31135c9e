import { cloudEventNormalizer } from '../../src/normalize/cloud-events.js';
import { meshEvent, nativeEvent, publishedEvent } from '../support/records/cloud-events.js';
import { normalizerContract } from './normalizer-contract.js';

normalizerContract(cloudEventNormalizer, {
  good: [nativeEvent(), meshEvent(), publishedEvent()],
  bad: [
    { record: null, field: '' },
    { record: [nativeEvent()], field: '' },
    { record: { ...nativeEvent(), specversion: '0.3' }, field: 'specversion' },
    { record: { ...nativeEvent(), id: '' }, field: 'id' },
    { record: { ...nativeEvent(), source: undefined }, field: 'source' },
    { record: { ...nativeEvent(), type: 7 }, field: 'type' },
    { record: { ...nativeEvent(), type: 'com.example.order.placed' }, field: 'type' },
    { record: { ...nativeEvent(), data: 'text' }, field: 'data' },
    { record: { ...nativeEvent(), data: { stream: 'reasoning', kind: 'prompt' } }, field: 'agentId' },
    { record: { ...meshEvent(), time: 'now' }, field: 'time' },
    { record: { ...meshEvent(), data: null }, field: 'data' },
    { record: { ...meshEvent(), data: { outcome: 'success' } }, field: 'data.action' },
    { record: { ...meshEvent(), data: { action: 'x', policy_decision: 'constructor' } }, field: 'data.decision' },
    { record: { ...meshEvent(), type: 'ai.agentmesh.trust.score.updated' }, field: 'data.trust_score' },
  ],
  withContent: (text) => nativeEvent({ text }),
});
