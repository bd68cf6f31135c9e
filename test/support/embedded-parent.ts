/** Starts the embedded ClickHouse, prints its process id and waits to be killed. Usage: node embedded-parent.js DIRECTORY */
import { EmbeddedClickHouse } from '../../src/store/embedded/supervisor.js';

const embedded = await EmbeddedClickHouse.start({ dataDir: process.argv[2] ?? '', database: 'd' });
process.stdout.write(`${embedded.state().pid}\n`);
