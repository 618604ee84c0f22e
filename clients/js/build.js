// Makes dist/ from src/: the module and the plain script, each also minified.
// The same input gives the same bytes; `node build.js DIR` writes elsewhere.

import { build } from 'esbuild';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const absWorkingDir = fileURLToPath(new URL('.', import.meta.url));
const outdir = resolve(process.argv[2] ?? absWorkingDir + 'dist');
const banner = '/* cs-chat-client, BSD-2-Clause */';

for (const [format, name] of [['esm', 'cs-chat'], ['iife', 'cs-chat.global']]) {
  for (const minify of [false, true]) {
    await build({
      absWorkingDir,  // its comments name files from there
      entryPoints: ['src/cs-chat.js'],
      outfile: `${outdir}/${name}${minify ? '.min' : ''}.js`,
      bundle: true,
      format,
      minify,
      globalName: format === 'iife' ? 'CSChat' : undefined,
      mangleProps: minify ? /^_/ : undefined,
      target: 'esnext',
      banner: { js: banner },
      legalComments: 'none',
    });
  }
}
