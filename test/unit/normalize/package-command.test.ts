import { describe, expect, it } from 'vitest';
import { packagesOf } from '../../../src/normalize/package-command.js';

describe('packages that a command fetches', () => {
  it.each([
    ['npm install left-pad', ['left-pad']],
    ['cd app && npm i --save-dev vitest @types/node && npm test', ['vitest', '@types/node']],
    ['python -m pip install requests==2.1; echo done', ['requests==2.1']],
    ['pip install -r requirements.txt', []],
    ['sudo apt-get -y install curl jq', ['curl', 'jq']],
    ['uv add httpx', ['httpx']],
    ['npm install', []],
    ['npm run install-hooks', []],
    ['echo install npm', []],
    ['git add npm install', []],
    ['', []],
  ])('%s', (command, packages) => {
    expect(packagesOf(command)).toEqual(packages);
  });

  it('reads a hostile line in no time and names few', () => {
    const long = `npm install ${'x '.repeat(100_000)}`;
    expect(packagesOf(long)).toHaveLength(16);
    expect(packagesOf(`pip install ${'-'.repeat(1_000_000)}`)).toEqual([]);
  });
});
