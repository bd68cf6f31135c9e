import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../free-port.js';
import { eventually } from '../eventually.js';
import { goProgram } from './go-program.js';

const VERSION = 'v1.22.4';

const POLICY = `package agents

decision := {"allow": allow, "reason": reason}

default allow := false

allow if input.tool != "send_money"

reason := "anybody may" if allow

reason := "nobody may send money" if not allow
`;

/** The real Open Policy Agent with a policy about tools, or undefined where it cannot be built. */
export function buildOpa(): Promise<string | undefined> {
  const module = 'github.com/open-policy-agent/opa';
  return goProgram({
    name: 'opa',
    version: VERSION,
    modules: [`${module}@${VERSION}`],
    package: module,
    tags: 'opa_no_oci',
  });
}

/**
 * Starts it with its decision log going to an address.
 *
 * @param service where the log's path is appended to, as OPA's `services` has it
 */
export async function startOpa(
  program: string,
  options: { directory: string; service: string; key: string; partition?: string },
) {
  const { directory, service, key, partition } = options;
  writeFileSync(join(directory, 'policy.rego'), POLICY);
  const config = {
    services: { parallax: { url: service, credentials: { bearer: { token: key } } } },
    decision_logs: {
      service: 'parallax',
      ...(partition === undefined ? {} : { partition_name: partition }),
      reporting: { min_delay_seconds: 1, max_delay_seconds: 1 },
    },
  };
  writeFileSync(join(directory, 'opa.json'), JSON.stringify(config));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(
    program,
    [
      'run',
      '--server',
      '--addr',
      `127.0.0.1:${port}`,
      '--config-file',
      'opa.json',
      '--disable-telemetry',
      'policy.rego',
    ],
    { cwd: directory, stdio: 'ignore' },
  );
  await eventually('OPA answers', () =>
    fetch(`${url}/health`).then(
      (response) => response.ok,
      () => false,
    ),
  );
  return {
    /** Asks it about a call, as a gateway would. */
    ask: async (input: object): Promise<unknown> => {
      const response = await fetch(`${url}/v1/data/agents/decision`, {
        method: 'POST',
        body: JSON.stringify({ input }),
      });
      return response.json();
    },
    stop: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}
