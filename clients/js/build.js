// Makes dist/ from src/: the client and the client for agents, minified, each as a
// module and as a plain script.
// The same input gives the same bytes; `node build.js DIR` writes elsewhere.

import { build } from 'esbuild';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const absWorkingDir = fileURLToPath(new URL('.', import.meta.url));
const outdir = resolve(process.argv[2] ?? absWorkingDir + 'dist');
const banner = '/* BSD-2-Clause */';

// What a page's script has: all that the module exports, by the name CSChat.
async function script(source) {
  const names = Object.keys(await import(source)).join(', ');
  return `import { ${names} } from '${source}';\nglobalThis.CSChat = { ${names} };\n`;
}

for (const [source, name] of [['./src/cs-chat.js', 'cs-chat'], ['./src/agent.js', 'cs-chat-agent']]) {
  for (const [format, contents] of [['esm', `export * from '${source}';`], ['iife', await script(source)]]) {
    await build({
      stdin: { contents, resolveDir: absWorkingDir },
      outfile: `${outdir}/${name}${format === 'iife' ? '.global' : ''}.min.js`,
      bundle: true,
      format,
      minify: true,
      mangleProps: /^(_|on[A-Z])/,
      target: 'esnext',
      banner: { js: banner },
      legalComments: 'none',
    });
  }
}
