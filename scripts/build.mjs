// Compiles src/ to dist/ (ESM and declarations). Incremental: a second build takes a second.
import { spawnSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc')
const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
})
if (status === 0) removeLeftovers()
process.exit(status ?? 1)

/** What earlier builds made of sources that are gone would be packed and imported for ever. */
function removeLeftovers() {
  const made = new Set(['.tsbuildinfo'])
  for (const path of readdirSync('src', { recursive: true })) {
    if (!path.endsWith('.ts') || path.endsWith('.test.ts')) continue
    made.add(path.replace(/ts$/, 'js')).add(path.replace(/ts$/, 'd.ts'))
  }
  for (const entry of readdirSync('dist', { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && !made.has(path.slice('dist/'.length))) rmSync(path)
  }
}
