/** Programs that fetch packages, and the words they do it by. */
const MANAGERS: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries({
    npm: ['install', 'i', 'add'],
    pnpm: ['install', 'i', 'add'],
    yarn: ['add'],
    bun: ['install', 'i', 'add'],
    pip: ['install'],
    pip3: ['install'],
    uv: ['add'],
    poetry: ['add'],
    conda: ['install'],
    gem: ['install'],
    cargo: ['add', 'install'],
    go: ['get', 'install'],
    composer: ['require'],
    dotnet: ['add'],
    apt: ['install'],
    'apt-get': ['install'],
    apk: ['add'],
    brew: ['install'],
  }).map(([manager, verbs]) => [manager, new Set(verbs)]),
);
/** Where one command of a line ends. */
const ENDS = new Set(['&&', '||', ';', '|', '&']);
/** Options whose value is a list of packages, and no package. */
const LISTS = new Set(['-r', '--requirement', '-c', '--constraint']);
const MAX_COMMAND_CHARS = 1_024;
const MAX_PACKAGES = 16;

/** Packages that a command line fetches: `npm install left-pad`. A line that fetches what a file lists names none. */
export function packagesOf(command: string): string[] {
  const words = command.slice(0, MAX_COMMAND_CHARS).split(/\s+/u);
  const found: string[] = [];
  let verbs: ReadonlySet<string> | undefined;
  let isFetching = false;
  for (let i = 0; i < words.length && found.length < MAX_PACKAGES; i++) {
    const word = words[i] ?? '';
    if (ENDS.has(word)) {
      verbs = undefined;
      isFetching = false;
    } else if (isFetching && LISTS.has(word)) i++;
    else if (isFetching && word.startsWith('-')) continue;
    else if (isFetching) {
      const name = word.replace(/[;&|].*$/u, '');
      if (name !== '') found.push(name);
      if (name !== word) isFetching = false;
    } else if (verbs?.has(word) === true) isFetching = true;
    else verbs = MANAGERS.get(word) ?? (word.startsWith('-') ? verbs : undefined);
  }
  return found;
}
