// Removes from dist/ what no source stands behind any more: a renamed migration would otherwise run twice.
import { existsSync, readdirSync, rmSync } from 'node:fs';

for (const folder of ['src', 'migrations']) {
  const outputs = existsSync(`dist/${folder}`) ? readdirSync(`dist/${folder}`, { recursive: true }) : [];
  for (const output of outputs.filter((file) => /\.js(\.map)?$/.test(file))) {
    if (!existsSync(`${folder}/${output.replace(/\.js(\.map)?$/, '.ts')}`)) rmSync(`dist/${folder}/${output}`);
  }
}
