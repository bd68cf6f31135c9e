import { join } from 'node:path';
import { readMapping } from '../../src/normalize/mapping/mapping-folder.js';
import { decision } from '../support/records/opa.js';
import { repositoryRoot } from '../support/recorded.js';
import { normalizerContract } from './normalizer-contract.js';

const { normalizer } = readMapping(join(repositoryRoot, 'mappings', 'opa.yaml'));

normalizerContract(normalizer, {
  good: [decision(), decision({ result: { allow: false, reason: 'not in hours' } })],
  bad: [
    { record: decision({ input: { tool: 'send_mail' } }), field: 'agentId' },
    { record: decision({ timestamp: undefined }), field: 'time' },
    { record: decision({ timestamp: 'yesterday' }), field: 'time' },
    { record: decision({ input: { tool: { name: 'x' }, agent: 'a' } }), field: 'tool' },
  ],
  withContent: (text) => decision({ input: { agent: 'a', tool: 'send_mail', args: { body: text } } }),
});
