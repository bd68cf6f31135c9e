/**
 * Lines of a transcript as Claude Code 2.x writes them, put together from descriptions of its format (fixture; the
 * format is internal to the product): a user's words, a response of three parts that repeat their usage, the results of
 * two calls, one of them rejected by the user, and lines about other things.
 */
export function claudeTranscript(sessionId: string, startMs = Date.parse('2026-11-01T10:00:00Z')): string[] {
  let n = 0;
  const line = (type: string, more: object) =>
    JSON.stringify({
      parentUuid: n === 0 ? null : `${sessionId}-${n}`,
      isSidechain: false,
      userType: 'external',
      cwd: '/home/ann/project',
      sessionId,
      version: '2.1.4',
      type,
      uuid: `${sessionId}-${++n}`,
      timestamp: new Date(startMs + n * 1_000).toISOString(),
      ...more,
    });
  const response = (output_tokens: number, part: object) =>
    line('assistant', {
      requestId: 'req_1',
      message: {
        id: `msg_${sessionId}`,
        type: 'message',
        role: 'assistant',
        model: 'claude-sonnet-5',
        content: [part],
        usage: { input_tokens: 10, cache_read_input_tokens: 900, output_tokens },
      },
    });
  const result = (tool_use_id: string, content: unknown, more: object, isError = false) => {
    const part = { type: 'tool_result', tool_use_id, content, ...(isError ? { is_error: true } : {}) };
    return line('user', { message: { role: 'user', content: [part] }, ...more });
  };
  return [
    JSON.stringify({ type: 'summary', summary: 'Earlier work', leafUuid: 'x' }),
    line('user', { message: { role: 'user', content: 'List the files, then push' } }),
    response(1, { type: 'thinking', thinking: 'First the list.', signature: 's' }),
    response(8, { type: 'tool_use', id: `${sessionId}-ls`, name: 'Bash', input: { command: 'ls -la /srv' } }),
    response(15, { type: 'tool_use', id: `${sessionId}-push`, name: 'Bash', input: { command: 'git push --force' } }),
    result(`${sessionId}-ls`, [{ type: 'text', text: 'a.txt' }], { toolUseResult: { stdout: 'a.txt' } }),
    result(
      `${sessionId}-push`,
      "The user doesn't want to proceed with this tool use.",
      { toolUseResult: 'User rejected tool use', toolDenialKind: 'user-rejected' },
      true,
    ),
    line('user', {
      message: { role: 'user', content: [{ type: 'text', text: '[Request interrupted by user for tool use]' }] },
    }),
    line('user', { isMeta: true, message: { role: 'user', content: 'Caveat: what follows was made by commands' } }),
  ];
}
