import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/**
 * A Java program that ends with this process, however this ends: a shell beside it waits for the end of its input.
 * `$0` is the log file.
 */
const SHELL = `exec 3<&0
"$@" >>"$0" 2>&1 </dev/null 3<&- &
pid=$!
echo $pid
(cat <&3 >/dev/null; kill -9 $pid 2>/dev/null) >/dev/null 2>&1 &
wait $pid`;

/** Small and quick to start rather than fast. */
const FLAGS = [
  '-Xmx256m',
  '-Xms64m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Xshare:auto',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
];

export class JavaProcess {
  readonly pid: number;
  readonly #ended: Promise<number | null>;
  #hasEnded = false;

  private constructor(shell: ChildProcess, pid: number) {
    this.pid = pid;
    this.#ended = once(shell, 'exit').then(([code]: (number | null)[]) => {
      this.#hasEnded = true;
      shell.stdin?.destroy();
      return code ?? null;
    });
  }

  /** @param logFile gets what the program prints */
  static async start(classPath: string, args: readonly string[], logFile: string): Promise<JavaProcess> {
    const shell = spawn('sh', ['-c', SHELL, logFile, 'java', ...FLAGS, '-cp', classPath, ...args], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    if (shell.stdout === null) throw new Error('no output');
    const [line] = (await once(shell.stdout, 'data')) as [Buffer];
    return new JavaProcess(shell, Number(line.toString().trim()));
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** @returns the exit code */
  waitForEnd(): Promise<number | null> {
    return this.#ended;
  }

  async signal(name: NodeJS.Signals): Promise<void> {
    if (!this.#hasEnded) process.kill(this.pid, name);
  }

  async end(name: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.#hasEnded) return;
    process.kill(this.pid, name);
    await this.#ended;
  }
}
