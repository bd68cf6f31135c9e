import { get } from 'node:http';

/**
 * Asks the embedded server whether it answers. On a connection of its own each time, so that a socket left over from a
 * killed child does not speak for the new one.
 *
 * @returns how long its current statement has been running, ms
 * @throws Error when there is no answer within `timeoutMs`, or a wrong one
 */
export async function pingEmbedded(url: string, timeoutMs: number): Promise<number> {
  return new Promise<number>((resolve, reject) => {
    const request = get(`${url}/ping`, { agent: false }, (response) => {
      response.resume();
      response.once('end', () => {
        clearTimeout(giveUp);
        if (response.statusCode === 200) resolve(Number(response.headers['x-parallax-busy-ms'] ?? 0));
        else reject(new Error(`status ${response.statusCode}`));
      });
    });
    const giveUp = setTimeout(() => request.destroy(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
    request.once('error', (error) => {
      clearTimeout(giveUp);
      reject(error);
    });
  });
}
