/** Dispatches `npm run bench`: `quality` is detection quality, anything else the speed table. */
await import(process.argv[2] === 'quality' ? './quality.js' : './pipeline.js');
