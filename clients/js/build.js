// Makes dist/ from src/: the module and the plain script, each also minified.
// The same input gives the same bytes; `node build.js DIR` writes elsewhere.

import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

const outdir = process.argv[2] ?? fileURLToPath(new URL('dist', import.meta.url));
const banner = '/* cs-chat-client, BSD-2-Clause */';

for (const [format, name] of [['esm', 'cs-chat'], ['iife', 'cs-chat.global']]) {
  for (const minify of [false, true]) {
    await build({
      entryPoints: [fileURLToPath(new URL('src/cs-chat.js', import.meta.url))],
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
