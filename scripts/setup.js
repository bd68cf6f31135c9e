// Makes a fresh clone runnable: installs the locked dependencies when they are missing or stale, and with --build
// compiles when a source is newer than the last build. Plain JavaScript: it runs before TypeScript is there.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Parallax needs Node 20.19 or later; this is ${process.versions.node}.`);
  process.exit(1);
}

const lock = readFileSync(join(root, 'package-lock.json'));
const wanted = createHash('sha256').update(lock).update(process.version).digest('hex');
const stampFile = join(root, 'node_modules', '.parallax-setup');
const installed = existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted;
if (!installed) {
  console.error('Installing dependencies (once, about 700 MB on disk: the ClickHouse engine is in there) ...');
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // A lock file written on one platform may lack other platforms' optional packages: npm 11 then refuses `ci` on every
  // platform. `install` keeps to the locked versions and adds what this platform needs, without touching the files.
  if (!succeeds('npm', ['ci', ...quiet])) run('npm', ['install', '--no-save', ...quiet]);
  // What the compiler remembers of the packages that were there before is not true any more.
  rmSync(join(root, 'dist', '.tsbuildinfo'), { force: true });
  mkdirSync(dirname(stampFile), { recursive: true });
  writeFileSync(stampFile, wanted);
}

if (process.argv.includes('--build')) {
  // The first time takes some seconds; later ones look at what changed.
  if (!existsSync(join(root, 'dist', '.tsbuildinfo'))) console.error('Compiling ...');
  run('npx', ['--no-install', 'tsc', '-p', 'tsconfig.json']);
}

/** Tries a command without showing what it says. */
function succeeds(command, args) {
  return spawnSync(command, args, { cwd: root, stdio: 'ignore' }).status === 0;
}

function run(command, args) {
  const done = spawnSync(command, args, { cwd: root, stdio: ['ignore', process.stderr, 'inherit'] });
  if (done.status !== 0) {
    console.error(`"${command} ${args.join(' ')}" failed; its message is above.`);
    process.exit(done.status ?? 1);
  }
}
