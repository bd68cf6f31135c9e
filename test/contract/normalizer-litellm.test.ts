import { litellmNormalizer } from '../../src/normalize/litellm.js';
import { guardedCall, configurationChange, mcpCall, request, responsesRequest } from '../support/records/litellm.js';
import { normalizerContract } from './normalizer-contract.js';

normalizerContract(litellmNormalizer, {
  good: [request(), responsesRequest(), mcpCall(), guardedCall(), configurationChange()],
  bad: [
    { record: null, field: '' },
    { record: [request()], field: '' },
    { record: { ...request(), id: undefined, litellm_call_id: undefined }, field: 'id' },
    { record: { ...request(), startTime: '2026-11-29' }, field: 'startTime' },
    { record: { ...request(), metadata: {}, end_user: null }, field: 'metadata.user_api_key_alias' },
    {
      record: { ...mcpCall(), metadata: { user_api_key_alias: 'a', mcp_tool_call_metadata: {} } },
      field: 'metadata.mcp_tool_call_metadata.name',
    },
    { record: { ...configurationChange(), updated_at: 'yesterday' }, field: 'updated_at' },
  ],
  withContent: (content) => request({ messages: [{ role: 'user', content }] }),
});
